"""Which arms each kind of design trains, and that effects are read from those alone: by a plain loop over pairs of arms."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.layout import Arm
from ablate.arms import arms_of, one_at_a_time
from ablate.diagnose import asked
from ablate.errors import BadInput
from tests.builders import few, open_plan, study, target


def fixes(count: int) -> dict[str, Any]:
    return {f"f{index}": {"off": {f"p{index}": 0}, "on": {f"p{index}": 1}} for index in range(count)}


def over_pairs(arms: list[Arm], means: dict[Arm, float], fix: str) -> float:
    """Mean of on less off over the pairs of arms that differ in the fix alone."""
    return float(np.mean([means[arm] - means[arm - {fix}] for arm in arms if fix in arm and arm - {fix} in means]))


@pytest.mark.parametrize(("count", "arms"), [(1, 2), (2, 4), (3, 8), (5, 12), (13, 28)])
def test_one_at_a_time_adds_each_fix_and_leaves_each_out(count: int, arms: int) -> None:
    made = one_at_a_time(tuple(fixes(count)))
    full = frozenset(made.fixes)
    assert len(made.arms) == len(set(made.arms)) == arms
    assert {frozenset(), full} <= set(made.arms)
    means = dict(zip(made.arms, np.random.default_rng(0).normal(size=arms), strict=True))
    y = np.array(list(means.values()))
    for fix in made.fixes:
        alone, removed = means[frozenset({fix})] - means[frozenset()], means[full] - means[full - {fix}]
        assert made.mains[fix] @ y == pytest.approx(over_pairs(list(means), means, fix))
        if count != 3:  # of three fixes these are all arms
            assert made.mains[fix] @ y == pytest.approx((alone + removed) / 2)
        weights = made.alone(fix), made.removed(fix)
        assert [part @ y for part in weights if part is not None] == pytest.approx([alone, removed])
    assert bool(made.interactions) == (2 <= count <= 3)
    assert (made.shares is None) == (count > 3)


@few
@given(st.sets(st.sets(st.sampled_from(["f0", "f1", "f2", "f3"])).map(frozenset), min_size=2), st.randoms(use_true_random=False))
def test_custom_arms_tell_a_fix_by_their_matched_pairs_or_are_refused(chosen: set[Arm], random: Any) -> None:
    arms = sorted(chosen, key=sorted)
    random.shuffle(arms)
    named = ["+".join(sorted(arm)) or "all_off" for arm in arms]
    asked = study(fixes=fixes(4), design={"kind": "custom", "arms": named})
    lacking = [fix for fix in asked.fixes if not any(a ^ b == {fix} for a, b in combinations(arms, 2))]
    if lacking:
        with pytest.raises(BadInput, match=f"design.arms: no two arms differ in {lacking[0]} alone, .*; add such a pair"):
            arms_of(asked)
        return
    made = arms_of(asked)
    means = {arm: float(random.random()) for arm in arms}
    assert list(made.arms) == arms
    for fix in made.fixes:
        assert made.mains[fix] @ np.array([means[arm] for arm in arms]) == pytest.approx(over_pairs(arms, means, fix))


def test_an_arm_named_twice_is_refused() -> None:
    with pytest.raises(BadInput, match=r"design.arms: \['all_off', 'f0\+f1', 'all_on'\] names an arm twice; name each once"):
        arms_of(study(fixes=fixes(2), design={"kind": "custom", "arms": ["all_off", "f0+f1", "all_on"]}))


@pytest.mark.parametrize(("count", "resolution", "arms"), [(4, None, 8), (6, 4, 16), (6, 5, 32), (9, None, 32)])
def test_a_fractional_study_trains_the_fractions_arms_and_no_others(count: int, resolution: int | None, arms: int) -> None:
    made = open_plan(fixes=fixes(count), design={"kind": "fractional", "resolution": resolution, "seeds": 2})
    assert (len(made.cells), len(made.runs)) == (arms, 2 * arms)
    assert made.layout.fraction
    for cell, arm in zip(made.arm_ids(), made.layout.arms, strict=True):
        assert {name for name, on in made.cells[cell].fixes.items() if on} == arm
        assert made.cells[cell].params == made.params_of(arm)


def test_too_many_arms_are_refused_with_a_design_that_can_be_had() -> None:
    with pytest.raises(BadInput, match="full_factorial of 13 fixes takes 8192 arms; use one_at_a_time, or propose fewer fixes"):
        arms_of(study(fixes=fixes(13)))


def test_a_diagnosis_trains_the_arms_that_are_asked_for_whatever_the_design() -> None:
    symptom = {"name": "low", "metric": "score", "reduction": "max", "reported": 0.1, "fix": "f0"}
    claim = {"name": "c", "arm": "all_on", "metric": "score", "comparison": ">", "value": 0}
    many = study(fixes=fixes(13), design={"kind": "one_at_a_time"}, symptoms=[symptom], claims=[claim])
    plan = asked(many, target(), "f1+f2").plan
    assert [(run.cell.label, run.seed) for run in plan.runs] == [("f1+f2", 0), ("all on", 0)]
    assert plan.arm_ids() == [
        run.cell.id for run in open_plan(fixes=fixes(13), design={"kind": "custom", "arms": CHAIN}).runs[:2]
    ]


#: Each fix's pair, behind the two arms of the diagnosis above.
CHAIN = ["f1+f2", "all_on", "all_off", *(f"f{index}" for index in range(13))]
