"""What a design can detect, held against simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from ablate.analysis.effects import contrast
from ablate.analysis.layout import full_factorial
from ablate.analysis.power import detectable_effect, noise, seeds_for, seeds_needed
from tests.builders import signs, simulate


def _found(fixes: int, seeds: int, studies: int, effect: float) -> float:
    """The share of simulated studies whose first fix passes Holm's first step."""
    arms, sign = 2**fixes, signs(fixes)
    y = np.random.default_rng(8).normal(size=(studies, seeds, arms)) + effect * sign[:, 0] / 2
    df = (seeds - 1) * (arms - 1)
    residual = y - y.mean(axis=1, keepdims=True) - y.mean(axis=2, keepdims=True) + y.mean(axis=(1, 2), keepdims=True)
    error = np.sqrt(4 * (residual**2).sum(axis=(1, 2)) / df / (seeds * arms))
    t = 2 * (y.mean(axis=1) @ sign[:, 0]) / arms / error
    return float(np.mean(2 * stats.t.sf(np.abs(t), df) < 0.05 / fixes))


@pytest.mark.parametrize(("fixes", "seeds"), [(3, 6), (2, 3), (1, 8)])
def test_an_effect_of_the_detectable_size_is_found_in_four_of_five_studies(fixes: int, seeds: int) -> None:
    assert _found(fixes, seeds, 6000, detectable_effect(full_factorial("abc"[:fixes]), seeds)) == pytest.approx(0.8, abs=0.02)
    assert _found(fixes, seeds, 6000, detectable_effect(full_factorial("abc"[:fixes]), seeds, power=0.5)) == pytest.approx(
        0.5, abs=0.025
    )


def test_a_single_fix_equals_statsmodels_paired_power() -> None:
    wanted = TTestPower().solve_power(nobs=7, alpha=0.05, power=0.8)
    assert detectable_effect(full_factorial("a"), 7) == pytest.approx(wanted * np.sqrt(2), rel=1e-4)


def test_noise_is_that_of_one_run_whatever_seeds_and_arms_add() -> None:
    y = simulate(np.random.default_rng(9), 400, (3.0, -2.0), noise=0.7)
    assert noise(y) == pytest.approx(0.7, rel=0.05)
    assert noise(y + np.arange(400)[:, None] + np.arange(4)) == pytest.approx(noise(y))
    error = contrast(y, full_factorial("ab").mains["a"]).error
    assert error == pytest.approx(noise(y) * np.sqrt(4 / y.size))


@pytest.mark.parametrize("size", [0.3, 0.5, 1.0, 3.0])
def test_so_many_seeds_detect_an_effect_and_one_fewer_does_not(size: float) -> None:
    made = full_factorial("abc")
    seeds = seeds_for(made.mains["a"], size, 0.05 / 3)
    assert seeds is not None and detectable_effect(made, seeds) <= size
    assert seeds == 2 or detectable_effect(made, seeds - 1) > size


def test_the_seeds_named_decide_four_of_five_studies() -> None:
    rng, made, size = np.random.default_rng(10), full_factorial("ab"), 0.5
    first = simulate(rng, 400, (size, 0.0))
    effect = contrast(first, made.mains["a"])
    seeds = seeds_needed(effect, made.mains["a"], 3, size, 0.05)  # as if the noise of 400 seeds had been seen in 3
    scaled = seeds_needed(effect, made.mains["a"], 400, size, 0.05)
    assert seeds is not None and scaled == 401  # never fewer than were trained
    needed = seeds_for(made.mains["a"], size, 0.05)
    assert needed is not None
    found = [contrast(simulate(rng, needed, (size, 0.0)), made.mains["a"]).p < 0.05 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_without_noise_or_a_size_no_number_of_seeds_is_named() -> None:
    weights = full_factorial("a").mains["a"]
    still = contrast(np.array([[0.0, 1], [0, 1]]), weights)
    assert seeds_needed(still, weights, 2, 0.1, 0.05) is None
    assert seeds_for(weights, 0.0, 0.05) is None
    assert seeds_for(weights, 1e-4, 0.05) is None
