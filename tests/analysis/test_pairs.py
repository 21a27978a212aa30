"""Matched pairs that disagree: found where they are planted, and never averaged away."""

from __future__ import annotations

import numpy as np

from ablate.analysis.layout import full_factorial, layout
from ablate.analysis.verdict import Table, judge
from ablate.arms import one_at_a_time

MADE = one_at_a_time(tuple("abcde"))


def test_opposite_effects_are_not_called_negligible() -> None:
    y = 0.2 * np.random.default_rng(0).normal(size=(6, len(MADE.arms)))
    for index, arm in enumerate(MADE.arms):
        y[:, index] += 0 if "a" not in arm else 1 if len(arm) == 1 else -1
    found = judge(Table(y), MADE, "m", 0.3)
    a = found.fixes["a"]
    assert a.alone is not None and a.removed is not None
    said = f"a adds {a.alone.effect:+.3g} alone but −{-a.removed.effect:.3g} beside all others"
    assert (a.word, a.seeds_needed, a.apart) == ("inconclusive", None, said)
    assert found.warnings == (
        f"{said}: what it does depends on the others; a full_factorial or resolution V design would say on which",
    )
    assert found.headline == "None of the five fixes is shown to change m on average."
    assert [each.text for each in found.findings] == [f"{said}.", "Too small to matter: b, c, d, e."]


def test_of_several_pairs_the_two_that_differ_most_are_named() -> None:
    """Three pairs of a, two of which a square compares; of d's two a square compares both."""
    arms = tuple(frozenset(text) for text in ("", "a", "bc", "abc", "bcd", "abcd", "b", "c"))
    made = layout(tuple("abcd"), arms)
    y = 0.1 * np.random.default_rng(1).normal(size=(5, len(arms)))
    y[:, made.named("a")] += 1
    y[:, made.named("abc")] += 1.1
    y[:, made.named("abcd")] -= 1
    found = judge(Table(y), made, "m", 0.5)
    assert [name for name, fix in found.fixes.items() if fix.apart] == ["a"]
    assert " beside b+c but −" in found.fixes["a"].apart and found.fixes["a"].apart.endswith(" beside all others")


def test_pairs_that_differ_by_too_little_to_matter_leave_a_fix_negligible_and_squares_are_the_interactions() -> None:
    y = 0.02 * np.random.default_rng(2).normal(size=(6, len(MADE.arms)))
    y[:, MADE.named("a")] += 0.1
    assert judge(Table(y), MADE, "m", 0.3).fixes["a"].word == "negligible"
    made = full_factorial("abc")
    y = 0.02 * np.random.default_rng(3).normal(size=(6, 8))
    y[:, made.named("a")] += 9
    assert not any(fix.apart for fix in judge(Table(y), made, "m", 0.3).fixes.values())


def test_pairs_that_agree_are_said_to_disagree_in_at_most_one_study_of_twenty() -> None:
    rng, studies = np.random.default_rng(4), 500
    tables = (Table(rng.normal(size=(5, len(MADE.arms))) * np.geomspace(0.3, 3, len(MADE.arms))) for _ in range(studies))
    wrong = sum(bool(judge(table, MADE, "m", 0.0).warnings) for table in tables)
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
