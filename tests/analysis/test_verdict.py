"""The four words, what they rest on, and how seldom they are wrong where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.attribution import shapley
from ablate.analysis.effects import Effect, factorial_effects, holm, signs
from ablate.analysis.verdict import Table, as_estimate, judge, secondary, word
from tests.builders import few, simulate

NAMES = ["a", "b", "c"]


def test_each_word_is_reached() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(8, 16))
    noise -= noise.mean(axis=0) + noise.mean(axis=1, keepdims=True) - noise.mean()
    names = ["up", "down", "none", "slight"]
    noise /= factorial_effects(noise, names)[0]["up"].error  # now effects are in units of their standard error
    y = noise + signs(4) @ [3.0, -3.0, 0.0, 0.75]
    found = judge(Table(y), names, "m", 2.2)
    assert [fix.effect.effect for fix in found.fixes.values()] == pytest.approx([6, -6, 0, 1.5])
    assert [fix.word for fix in found.fixes.values()] == ["helps", "harms", "negligible", "inconclusive"]
    assert found.ranking == ["up", "slight", "none", "down"]
    assert found.headline.endswith("Too small to matter: none. Can't be told from this many seeds: slight.")


@pytest.mark.parametrize(
    ("effect", "p", "minimum", "wanted"),
    [
        (Effect(1.0, 0.1, 30), 0.01, 0.0, "helps"),
        (Effect(-1.0, 0.1, 30), 0.01, 0.0, "harms"),
        (Effect(1.0, 0.1, 30), 0.05, 0.0, "inconclusive"),
        (Effect(0.1, 0.01, 30), 0.001, 0.2, "negligible"),
        (Effect(-0.1, 0.01, 30), 0.001, 0.2, "negligible"),
        (Effect(0.1, 0.1, 30), 0.3, 0.2, "inconclusive"),
        (Effect(0.0, 0.1, 30), 1.0, 0.18, "negligible"),  # the 90 % interval is ± 0.17, the 95 % one ± 0.20
        (Effect(0.0, 0.1, 30), 1.0, 0.16, "inconclusive"),
        (Effect(0.0, 0.0, 30), 1.0, 0.0, "inconclusive"),
        (Effect(0.0, 0.0, 30), 1.0, 0.1, "negligible"),
        (Effect(0.2, 0.0, 30), 0.0, 0.2, "helps"),
    ],
)
def test_a_word_rests_on_the_adjusted_p_and_on_what_is_worth_having(
    effect: Effect, p: float, minimum: float, wanted: str
) -> None:
    assert word(effect, p, minimum) == wanted


@few
@given(st.integers(0, 2**32 - 1))
def test_to_minimize_flips_every_sign(seed: int) -> None:
    y = simulate(np.random.default_rng(seed), 5, (1.0, -0.5, 0.0))
    more, less = judge(Table(y), NAMES, "m", 0.1), judge(Table(y, -1), NAMES, "m", 0.1)
    turned = {"helps": "harms", "harms": "helps"}
    for name in NAMES:
        up, down = more.fixes[name], less.fixes[name]
        for part in ("effect", "alone", "removed", "share"):
            assert getattr(down, part).effect == pytest.approx(-getattr(up, part).effect, abs=1e-12)
        assert down.p_adjusted == pytest.approx(up.p_adjusted)
        assert down.word == turned.get(up.word, up.word)
    assert [less.interactions[pair][0].effect for pair in more.interactions] == pytest.approx(
        [-effect.effect for effect, _ in more.interactions.values()]
    )
    assert less.ranking == more.ranking[::-1]


@few
@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 5), max_size=4))
def test_blocks_that_lack_an_arm_are_left_out(seed: int, lost: set[int]) -> None:
    rng = np.random.default_rng(seed)
    y = simulate(rng, 6, (1.0, 0.0, 0.0))
    holed = y.copy()
    for block in lost:
        holed[block, rng.integers(8)] = rng.choice([np.nan, np.inf, -np.inf])
    kept = y[[block for block in range(6) if block not in lost]]
    assert judge(Table(holed), NAMES, "m", 0.1) == judge(Table(kept), NAMES, "m", 0.1)
    assert secondary(Table(holed), NAMES) == secondary(Table(kept), NAMES)


@pytest.mark.parametrize("whole", [0, 1])
def test_fewer_than_two_whole_blocks_give_no_verdict_and_the_reason(whole: int) -> None:
    y = np.full((4, 8), np.nan)
    y[:whole] = 1.0
    found = judge(Table(y), NAMES, "m", 0.1)
    assert (found.fixes, found.interactions, found.ranking) == ({}, {}, [])
    assert found.headline == f"No verdict: only {whole} of 4 seeds have every arm, and a verdict takes two."
    assert found.warnings == (f"only {whole} of 4 seeds have every arm, and a verdict takes two",)
    assert secondary(Table(y), NAMES) == {}


def test_a_verdict_holds_what_the_parts_say() -> None:
    y = simulate(np.random.default_rng(5), 5, (0.5, 0.2, 0.0))
    found = judge(Table(y), NAMES, "m", 0.1)
    mains, pairs = factorial_effects(y, NAMES)
    adjusted = holm({name: effect.p for name, effect in mains.items()})
    assert {name: (fix.effect, fix.p_adjusted) for name, fix in found.fixes.items()} == {
        n: (mains[n], adjusted[n]) for n in NAMES
    }
    assert [fix.share.effect for fix in found.fixes.values()] == pytest.approx(shapley(y).mean(axis=0))
    assert {name: p for name, (_, p) in found.interactions.items()} == holm({name: effect.p for name, effect in pairs.items()})
    assert secondary(Table(y), NAMES) == {name: (mains[name], adjusted[name]) for name in NAMES}
    assert as_estimate(mains["a"]) == {"effect": mains["a"].effect, "ci": list(mains["a"].ci())}


def test_the_headline_tells_what_helps_harms_and_can_not_be_told() -> None:
    y = simulate(np.random.default_rng(6), 8, (2.0, -1.0, 0.0), noise=0.2)
    text = judge(Table(y), ["up", "down", "none"], "top1", 0.5).headline
    assert text.startswith("On top1: up helps (+")
    assert "; down harms (−" in text
    assert text.endswith("Too small to matter: none.")
    assert "up" not in judge(Table(y * 0 + 1), ["up", "down", "none"], "top1", 0.0).headline.partition("Can't")[0]
    nothing = judge(Table(simulate(np.random.default_rng(8), 3, (0.0,))), ["one"], "top1", 0.0)
    assert nothing.headline == "On top1: no fix is shown to change top1. Can't be told from this many seeds: one."


def test_where_there_is_nothing_to_find_something_is_found_in_one_study_of_twenty() -> None:
    rng, studies = np.random.default_rng(11), 2000
    tables = (Table(simulate(rng, 5, (0.0, 0.0, 0.0))) for _ in range(studies))
    wrong = sum(any(f.word in ("helps", "harms") for f in judge(table, NAMES, "m", 0.0).fixes.values()) for table in tables)
    assert 0.02 <= wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
