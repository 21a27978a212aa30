"""The four words, what they rest on, and how seldom they are wrong where there is nothing to find."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.attribution import attribute
from ablate.analysis.effects import Effect, adjusted, contrasts
from ablate.analysis.layout import full_factorial, layout
from ablate.analysis.sequential import Looks, equivalence_p
from ablate.analysis.verdict import Table, as_estimate, judge, secondary, word
from ablate.report.text import point
from tests.builders import few, signs, simulate

NAMES = full_factorial("abc")


def test_each_word_is_reached() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(8, 16))
    noise -= noise.mean(axis=0) + noise.mean(axis=1, keepdims=True) - noise.mean()
    names = full_factorial(["up", "down", "none", "slight"])
    noise /= contrasts(noise, names.mains)["up"].error  # now effects are in units of their standard error
    y = noise + signs(4) @ [3.0, -3.0, 0.0, 0.75]
    found = judge(Table(y), names, "m", 2.2)
    assert [fix.effect.effect for fix in found.fixes.values()] == pytest.approx([6, -6, 0, 1.5])
    assert [fix.word for fix in found.fixes.values()] == ["helps", "harms", "negligible", "inconclusive"]
    assert found.ranking == ["up", "slight", "none", "down"]
    needed = found.fixes["slight"].seeds_needed
    assert needed is not None and needed > 8
    assert all(found.fixes[name].seeds_needed is None for name in ("up", "down", "none"))
    assert [each.text for each in found.findings][-2:] == [
        "Too small to matter: none.",
        f"Can't be told from this many seeds: slight (about {needed} seeds would).",
    ]


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
    near = equivalence_p([effect], minimum) if minimum else 1.0
    assert word(effect.effect, p, near) == wanted


@few
@given(st.integers(0, 2**32 - 1))
def test_to_minimize_flips_every_sign(seed: int) -> None:
    y = simulate(np.random.default_rng(seed), 5, (1.0, -0.5, 0.0))
    more, less = judge(Table(y), NAMES, "m", 0.1), judge(Table(y, -1), NAMES, "m", 0.1)
    turned = {"helps": "harms", "harms": "helps"}
    for name in "abc":
        up, down = more.fixes[name], less.fixes[name]
        for part in ("effect", "alone", "removed", "share"):
            assert getattr(down, part).effect == pytest.approx(-getattr(up, part).effect, abs=1e-12)
        assert down.p_adjusted == pytest.approx(up.p_adjusted)
        assert down.word == turned.get(up.word, up.word)
    assert [less.interactions[pair].effect.effect for pair in more.interactions] == pytest.approx(
        [-pair.effect.effect for pair in more.interactions.values()]
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
    mains, pairs = contrasts(y, NAMES.mains), contrasts(y, NAMES.interactions)
    p = adjusted(mains)
    assert {name: (fix.effect, fix.p_adjusted) for name, fix in found.fixes.items()} == {n: (mains[n], p[n]) for n in "abc"}
    parts = attribute(y, NAMES)
    assert all(
        (fix.alone, fix.removed, fix.share) == (p.alone, p.removed, p.share)
        for fix, p in zip(found.fixes.values(), parts.values(), strict=True)
    )
    assert {name: pair.p_adjusted for name, pair in found.interactions.items()} == adjusted(pairs)
    assert secondary(Table(y), NAMES) == {name: (mains[name], p[name]) for name in "abc"}
    assert as_estimate(mains["a"]) == {"effect": mains["a"].effect, "ci": list(mains["a"].ci())}


def test_the_headline_tells_what_helps_harms_and_can_not_be_told() -> None:
    y = simulate(np.random.default_rng(6), 8, (2.0, -1.0, 0.0), noise=0.2)
    found = judge(Table(y), full_factorial(["up", "down", "none"]), "top1", 0.5)
    assert re.fullmatch(
        r"up \(\+[12]\.\d\d\) helps and down \(−[01]\.\d\d\) harms; with all three on, top1 rises from −?[\d.]+ to −?[\d.]+\.",
        found.headline,
    )
    assert [each.text for each in found.findings] == ["Too small to matter: none."]
    nothing = judge(Table(simulate(np.random.default_rng(8), 3, (0.0,))), full_factorial(["one"]), "top1", 0.0)
    needed = nothing.fixes["one"].seeds_needed
    seen = f"{nothing.fixes['one'].effect.effect:+.2g}".replace("-", "−")
    assert nothing.headline == f"one is not shown to change top1: the {seen} seen may be chance."
    assert [each.text for each in nothing.findings] == [f"Can't be told from this many seeds: one (about {needed} seeds would)."]


def test_where_there_is_nothing_to_find_something_is_found_in_one_study_of_twenty() -> None:
    rng, studies = np.random.default_rng(11), 2000
    tables = (Table(simulate(rng, 5, (0.0, 0.0, 0.0))) for _ in range(studies))
    wrong = sum(any(f.word in ("helps", "harms") for f in judge(table, NAMES, "m", 0.0).fixes.values()) for table in tables)
    assert 0.02 <= wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def together(b_off: float, b_on: float, b: float = 1.0) -> Table:
    """Outcomes of two fixes where a's effect is the one or the other, as b is off or on; noise of 0.1."""
    a_on, b_is = (signs(2).T + 1) / 2
    means = a_on * (b_off + (b_on - b_off) * b_is) + b * b_is
    return Table(means + np.random.default_rng(12).normal(scale=0.1, size=(8, 4)))


@pytest.mark.parametrize(
    ("off", "on", "wanted"),
    [
        (0.0, 1.0, "a helps only while b is on ("),
        (1.0, 0.0, "a helps only while b is off ("),
        (-1.0, 1.0, "a helps while b is on and harms while it is off ("),
        (-1.0, 0.0, "a harms only while b is off ("),
        (1.0, 0.4, "a helps more while b is off ("),
        (0.15, 1.0, "a is shown to help only while b is on ("),
    ],
)
def test_a_real_interaction_is_said_in_words_with_the_simple_effects(off: float, on: float, wanted: str) -> None:
    found = judge(together(off, on, b=2.0), full_factorial("ab"), "m", 0.2)
    pair = found.interactions["a*b"]
    assert pair.real
    (when_off, _), (when_on, _) = pair.simple["a"]
    assert (when_off.effect, when_on.effect) == pytest.approx((off, on), abs=0.15)
    assert pair.effect.effect == pytest.approx(when_on.effect - when_off.effect)
    (said,) = (each.text for each in found.findings if each.kind == "interaction")
    assert said.startswith(wanted)
    assert f"{point(when_on)} with it on" in said


def test_an_interaction_that_is_too_small_or_not_shown_is_left_out_of_the_headline() -> None:
    for off, on, minimum in ((1.0, 1.0, 0.1), (1.0, 1.2, 0.9)):
        found = judge(together(off, on), full_factorial("ab"), "m", minimum)
        assert not found.interactions["a*b"].real
        assert not [each for each in found.findings if each.kind == "interaction"]
        assert not found.interactions["a*b"].simple


def test_a_design_that_lost_an_arm_says_which() -> None:
    y = simulate(np.random.default_rng(5), 4, (1.0, 0.0, 0.0))
    y[:, 3] = np.nan
    assert judge(Table(y), NAMES, "m", 0.1).headline == ("No verdict: the design lost an arm, of which no run completed: a+b.")


def test_one_fix_at_a_time_is_told_by_its_two_pairs() -> None:
    full = frozenset("abcd")
    arms = (frozenset(), *(frozenset(x) for x in "abcd"), *(full - {x} for x in "abcd"), full)
    made = layout(tuple("abcd"), arms)
    y = np.random.default_rng(7).normal(size=(6, len(arms)))
    found = judge(Table(y), made, "m", 0.0)
    fix = found.fixes["a"]
    assert fix.alone is not None and fix.removed is not None and fix.share is None
    assert fix.effect.effect == pytest.approx((fix.alone.effect + fix.removed.effect) / 2)
    assert 5 <= fix.effect.df <= 15  # the residual of its four arms
    assert found.interactions == {}


def test_looks_make_intervals_wider_and_hold_the_error_rate() -> None:
    looks, rng = Looks((3, 5, 8)), np.random.default_rng(21)
    wrong = 0
    for _ in range(400):
        y = simulate(rng, 8, (0.0, 0.0, 0.0))
        taken = [judge(Table(y[:n]), NAMES, "m", 0.0, looks) for n in looks.seeds]
        wrong += any(fix.word in ("helps", "harms") for fix in taken[-1].fixes.values())
        widths = [np.ptp(found.fixes["a"].effect.ci()) for found in taken]
        plain = judge(Table(y), NAMES, "m", 0.0).fixes["a"].effect
        assert widths[-1] >= np.ptp(plain.ci()) * 0.999
        # what was found at a look stays found
        found = [{n for n in "abc" if each.fixes[n].p_adjusted < 0.05} for each in taken]
        assert found[0] <= found[1] <= found[2]
    assert wrong / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert judge(Table(y), NAMES, "m", 0.0, Looks((8,))) == judge(Table(y), NAMES, "m", 0.0)
