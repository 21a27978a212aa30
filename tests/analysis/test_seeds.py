"""Effects that vary by seed: found where they are planted, seldom where they don't, and said with the fix's own interval."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.analysis.effects import mean_effect, per_seed
from ablate.analysis.layout import Layout, full_factorial
from ablate.analysis.seeds import ALPHA, by_seed, same_in_every_seed
from ablate.arms import one_at_a_time

MADE = full_factorial("abc")
ON = np.array(["a" in arm for arm in MADE.arms])


def planted(seed: int, seeds: int = 8) -> np.ndarray:
    """Fix a adds 5 on average, by seed 3 more or less; the noise of a run is 1."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(seeds, 8)) + (5 + 3 * rng.normal(size=(seeds, 1))) * ON


def varying(y: np.ndarray, made: Layout) -> set[str]:
    return {name for name, each in by_seed(y, made).items() if each.p < ALPHA}


def test_an_effect_that_varies_by_seed_is_found_and_told_with_its_own_interval() -> None:
    y = planted(0)
    found = by_seed(y, MADE)["a"]
    effects = per_seed(y, MADE.mains["a"])
    assert found.own == mean_effect(effects)
    assert found.sd == pytest.approx(effects.std(ddof=1))
    assert found.expected == pytest.approx(np.sqrt(0.5), rel=0.3)  # eight arms, weights of a quarter, noise of 1
    check = same_in_every_seed(y, MADE, "m")
    low, high = found.own.ci()
    assert check.passed is False and not check.fatal
    assert check.detail.startswith(
        f"a's effect on m varies over seeds {found.ratio:.2g} times as much as the noise of runs explains"
    )
    assert check.detail.endswith(f"; by its own seeds alone {found.own.effect:+.3g} [{low:+.3g}, {high:+.3g}]")
    assert sum("a" in varying(planted(seed), MADE) for seed in range(50)) > 40
    assert not any(varying(planted(seed), MADE) - {"a"} for seed in range(50))


@pytest.mark.parametrize("made", [MADE, one_at_a_time(tuple("abcd"))])
@pytest.mark.parametrize("loud", [1.0, 6.0])
def test_noise_of_runs_alone_is_rarely_called_so(made: Layout, loud: float) -> None:
    """Unequal noise included: half the arms, those with a on, six times as noisy."""
    rng, studies = np.random.default_rng(1), 1000
    noise = np.array([loud if "a" in arm else 1.0 for arm in made.arms])
    wrong = sum(bool(varying(rng.normal(size=(5, len(made.arms))) * noise, made)) for _ in range(studies))
    assert wrong / studies < 0.022


def test_what_can_not_be_tested_is_not() -> None:
    assert same_in_every_seed(planted(2, 2), MADE, "m").passed is None
    assert same_in_every_seed(planted(2)[:, :2], full_factorial("a"), "m").passed is None
    assert same_in_every_seed(np.ones((5, 8)), MADE, "m").passed is True
