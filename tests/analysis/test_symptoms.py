"""Symptoms: how curves are reduced and held against what was reported, over one run and several, and the defects that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.symptoms import SymptomResult, judge_defect, judge_symptom, same
from ablate.statements import Share, Symptom
from tests.builders import few


def symptom(**changes: Any) -> Symptom:
    return Symptom(**{"name": "s", "metric": "m", "reduction": "last"} | changes)


def run(values: Any, **others: Any) -> dict[str, Any]:
    columns = {"m": values, **others}
    return {"step": np.arange(float(len(values)))} | {name: np.asarray(column, dtype=float) for name, column in columns.items()}


VALUES = [2.0, 1.0, np.nan, 4.0, 4.0]


@pytest.mark.parametrize(
    ("reduction", "value"), [("first", 2), ("last", 4), ("min", 1), ("max", 4), ("mean", 2.75), ("median", 3)]
)
def test_a_run_is_reduced_over_its_finite_points(reduction: str, value: float) -> None:
    assert judge_symptom(symptom(reduction=reduction), [run(VALUES)]).observed == (value,)


def test_counts_and_tables_of_values() -> None:
    counted = judge_symptom(symptom(reduction="count", comparison=">", value=1), [run(VALUES)])
    assert (counted.observed, counted.present) == (Share(count=3, of=4), True)
    assert judge_symptom(symptom(reduction="values"), [run(VALUES)]).observed == {1: 1, 2: 1, 4: 2}


def test_only_the_steps_asked_for_are_looked_at() -> None:
    runs = [run([1, 2, 3, 4, 5, 6], zeros=[0, 1, 1, 0, 1, 2])]
    assert judge_symptom(symptom(reduction="values", steps=[1, 4]), runs).observed == {2: 1, 3: 1, 4: 1, 5: 1}
    assert judge_symptom(symptom(reduction="values", where={"zeros": 1}), runs).observed == {2: 1, 3: 1, 5: 1}
    assert judge_symptom(symptom(reduction="values", where={"zeros": 1}, steps=[2, 4]), runs).observed == {3: 1, 5: 1}


def test_runs_are_pooled_for_counts_and_medians_but_ends_are_each_runs_own() -> None:
    runs = [run([0, 1, 1]), run([0, 0, 5])]
    assert judge_symptom(symptom(reduction="count", comparison=">", value=0), runs).observed == Share(count=3, of=6)
    assert judge_symptom(symptom(reduction="values"), runs).observed == {0: 3, 1: 2, 5: 1}
    assert judge_symptom(symptom(reduction="median"), runs).observed == (0.5,)
    assert judge_symptom(symptom(reduction="last"), runs).observed == (1, 5)


@pytest.mark.parametrize(
    ("reported", "digits", "agreement"),
    [(2.656250, 6, "differs"), (2.656250, 1, "consistent"), (2.6592, 6, "consistent"), (2.65915, 4, "differs")],
)
def test_a_number_is_compared_at_its_decimals(reported: float, digits: int, agreement: str) -> None:
    found = judge_symptom(symptom(reduction="first", reported=reported, digits=digits), [run([2.6592, 9])])
    assert (found.agreement, found.p, found.interval) == (agreement, None, None)
    assert found.chance_text == "the same number"


def test_every_run_must_have_the_reported_number() -> None:
    assert judge_symptom(symptom(reported=0, digits=0), [run([0]), run([0])]).agreement == "consistent"
    parted = judge_symptom(symptom(reported=0, digits=0, comparison="==", value=0), [run([0]), run([3])])
    assert (parted.agreement, parted.present, parted.observed_text) == ("differs", None, "0 to 3")
    assert parted.detail == "present in 1 of 2 runs"


def test_a_few_typical_numbers_allow_one_more() -> None:
    told = symptom(reduction="median", reported=[0.3086, 0.2617, 0.2754])
    near, far = judge_symptom(told, [run([0.1, 0.3, 0.5])]), judge_symptom(told, [run([2.5])])
    assert (near.agreement, far.agreement) == ("consistent", "differs")
    assert near.chance_text == "0.1621 to 0.4017" and near.observed_text == "0.3000"
    assert near.reported_text == "0.3086, 0.2617, 0.2754"
    assert far.p is not None and far.p < 0.001


def test_a_typical_number_may_be_that_of_one_of_many_steps() -> None:
    values = np.linspace(0, 2, 41)
    inside = judge_symptom(symptom(reduction="median", reported=1.9), [run(values)])
    assert (inside.agreement, inside.observed, inside.chance_text) == ("consistent", (1.0,), "0.0000 to 2.0000 in one step")
    assert judge_symptom(symptom(reduction="median", reported=2.1), [run(values)]).agreement == "differs"
    few_steps = judge_symptom(symptom(reduction="median", reported=1.9), [run(values[:8])])
    assert (few_steps.agreement, few_steps.interval) == ("differs", None)


def test_the_same_number_at_every_step_has_no_range() -> None:
    found = judge_symptom(symptom(reduction="median", reported=0.75), [run([0.75 + 1e-9 * i for i in range(50)])])
    assert (found.agreement, found.interval) == ("consistent", None)


def test_a_share_and_a_table_have_the_ranges_that_chance_allows() -> None:
    zeros = [1] * 26 + [0] * 108
    counted = judge_symptom(symptom(reduction="count", comparison=">", value=0, reported={"count": 34, "of": 134}), [run(zeros)])
    assert (counted.agreement, counted.interval, counted.chance_text) == ("consistent", (21, 49), "21 to 49")
    assert (counted.reported_text, counted.observed_text) == ("34 of 134 (25 %)", "26 of 134 (19 %)")
    boxes = [4] * 114 + [5] * 11 + [6] * 6 + [7] * 3
    table = judge_symptom(symptom(reduction="values", reported={4: 114, 5: 11, 6: 6, 7: 3}), [run(boxes)])
    assert (table.agreement, table.p, table.present) == ("consistent", 1.0, None)
    assert table.observed_text == "4: 114, 5: 11, 6: 6, 7: 3 of 134" and table.chance_text.startswith("4: 101–124, 5: 3–22")
    assert judge_symptom(symptom(reduction="values", reported={4: 114, 5: 11}), [run([2] * 134)]).agreement == "differs"


def test_of_reports_of_the_same_training_at_most_5_in_100_are_said_to_differ() -> None:
    rng = np.random.default_rng(5)
    differs = 0
    for _ in range(400):
        told = {"count": int(rng.binomial(134, 0.25)), "of": 134}
        zeros = rng.random(134) < 0.25
        differs += (
            judge_symptom(symptom(reduction="count", comparison=">", value=0, reported=told), [run(zeros)]).agreement == "differs"
        )
    assert differs <= 20


def test_three_typical_steps_of_the_same_training_are_rarely_said_to_differ() -> None:
    rng = np.random.default_rng(6)
    told = [symptom(reduction="median", reported=list(rng.normal(size=3))) for _ in range(400)]
    differs = sum(judge_symptom(each, [run(rng.normal(size=134))]).agreement == "differs" for each in told)
    assert differs <= 20


@pytest.mark.parametrize(
    ("changes", "runs", "why"),
    [
        ({}, [], "it failed"),
        ({"steps": [0, 9]}, [run([1, 2, 3])], "its runs end at step 2, before step 9"),
        ({"where": {"z": 1}}, [run([1, 2], z=[0, 0])], "no step has z = 1"),
        ({"where": {"z": 1}}, [run([1, 2])], "the runs never logged z"),
        ({"metric": "other"}, [run([1, 2])], "the runs never logged other"),
        ({}, [run([np.nan, np.nan])], "never logged there"),
    ],
)
def test_what_can_not_be_tested_says_why(changes: dict[str, Any], runs: list[Any], why: str) -> None:
    found = judge_symptom(symptom(**changes, reported=1), runs, "it failed")
    assert (found.agreement, found.observed, found.present, found.detail) == ("untestable", None, None, why)
    assert (found.observed_text, found.chance_text) == ("–", "–")


def test_nothing_reported_is_only_shown() -> None:
    found = judge_symptom(symptom(comparison="<", value=5), [run([1.0])])
    assert (found.agreement, found.reported_text, found.observed_text, found.present) == ("not reported", "–", "1.0000", True)


@few
@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_numbers_are_alike_where_they_are_written_alike(value: float, digits: int) -> None:
    assert same(value, float(f"{value:.{digits}f}"), digits)
    assert not same(value, value + 2 * 10.0**-digits, digits)


def sign(present: bool | None, fix: str = "a", **changes: Any) -> SymptomResult:
    observed = None if present is None else (1.0 if present else 3.0,)
    detail = "too short" if present is None else ""
    return SymptomResult(symptom(fix=fix, comparison="<", value=2, **changes), observed, present=present, detail=detail)


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        ([True, True], "found"),
        ([False, False], "not found"),
        ([True, False], "unclear"),
        ([True, None], "unclear"),
        ([None], "unclear"),
        ([], "unclear"),
    ],
)
def test_a_defect_is_found_by_all_of_its_signs(shown: list[bool | None], verdict: str) -> None:
    others = [sign(True, fix="b"), SymptomResult(symptom(fix="a"), (9.0,))]
    assert judge_defect("a", [*map(sign, shown), *others]).verdict == verdict


def test_the_evidence_says_what_each_sign_showed() -> None:
    counted = judge_symptom(symptom(name="zeros", fix="a", reduction="count", comparison=">", value=0), [run([0, 1])])
    found = judge_defect("a", [sign(True), sign(False), sign(None), counted])
    assert found.evidence == (
        "s: 1.0000, present (< 2)",
        "s: 3.0000, absent (not < 2)",
        "s: untestable, too short",
        "zeros: 1 of 2 (50 %), present (m > 0)",
    )
    assert judge_defect("a", []).evidence == ("no symptom of the study has it as its fix and says when it is present",)
