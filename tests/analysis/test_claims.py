"""Claims: each reduction, comparison and window, and what can't be tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ablate.analysis.claims import judge_claim, reduce_curve
from ablate.statements import Claim


def claim(**changes: Any) -> Claim:
    return Claim(**{"name": "c", "metric": "m", "reduction": "max", "comparison": "<", "value": 2.0} | changes)


STEPS = np.array([0.0, 10, 20, 30, 40])
VALUES = np.array([3.0, np.nan, 1, 5, np.inf])


@pytest.mark.parametrize(("reduction", "value"), [("first", 3), ("last", 5), ("min", 1), ("max", 5), ("mean", 3)])
def test_a_curve_is_reduced_over_its_finite_points(reduction: str, value: float) -> None:
    assert reduce_curve(claim(reduction=reduction), STEPS, VALUES) == value


@pytest.mark.parametrize(
    ("window", "value"),
    [([0, 20], 4), ([0, 19], 3), ([20, 30], 6), ([21, 29], None), ([40, 40], None), ([10, 20], 1), ([31, 99], None)],
)
def test_the_window_holds_both_of_its_ends(window: list[int], value: float | None) -> None:
    found = reduce_curve(claim(reduction="mean", steps=window), STEPS, VALUES)
    assert found == (None if value is None else value / {4: 2, 6: 2}.get(int(value), 1))


@pytest.mark.parametrize(("steps", "tenth", "value"), [([0, 79], 8, 72), ([10, 19], 1, 9), ([0, 1], 1, 1), ([20, 58], 3, 36)])
def test_growth_is_the_last_tenth_less_the_first(steps: list[int], tenth: int, value: float) -> None:
    wanted = claim(reduction="growth", steps=steps)
    assert (wanted.tenth, reduce_curve(wanted, np.arange(100.0), np.arange(100.0))) == (tenth, value)


def test_growth_means_over_each_tenth_and_needs_both() -> None:
    wanted = claim(reduction="growth", steps=[0, 19])
    values = np.array([1.0, 2.0] + [99.0] * 16 + [4.0, 7.0, 99.0])
    assert reduce_curve(wanted, np.arange(21.0), values) == 5.5 - 1.5
    values[0] = np.nan
    assert reduce_curve(wanted, np.arange(21.0), values) == 5.5 - 2
    assert reduce_curve(wanted, np.arange(2.0, 21), values[2:]) is None
    assert reduce_curve(wanted, np.arange(18.0), values[:18]) is None


@pytest.mark.parametrize(("comparison", "verdicts"), [("<", "crr"), ("<=", "ccr"), (">", "rrc"), (">=", "rcc")])
def test_the_mean_over_seeds_is_compared(comparison: str, verdicts: str) -> None:
    for shift, wanted in zip((-1, 0, 1), verdicts, strict=True):
        found = judge_claim(claim(comparison=comparison), [1.0 + shift, 3.0 + shift])
        assert (found.verdict[0], found.observed) == (wanted, 2 + shift)
        assert found.detail == f"{1 + shift} to {3 + shift} over 2 seeds"


def test_every_seed_must_equal_what_is_claimed_to_be_so() -> None:
    exact = claim(comparison="==", value=6)
    found = judge_claim(exact, [5, 7, 6, 6, 6, 6])
    assert (found.verdict, found.observed, found.detail) == ("refuted", 6, "5 to 7 over 6 seeds")
    assert judge_claim(exact, [6, 6]).verdict == "confirmed" and judge_claim(exact, [7, 7]).verdict == "refuted"


@pytest.mark.parametrize("lacks", [None, float("nan"), float("inf")])
def test_seeds_that_never_showed_it_refute_it(lacks: float | None) -> None:
    found = judge_claim(claim(reduction="final", comparison="==", value=6), [6.0] + [lacks] * 5)
    assert (found.verdict, found.observed, found.detail) == ("refuted", 6.0, "missing in 5 of 6 seeds")
    assert judge_claim(claim(), [1.0, lacks]).detail == "missing in 1 of 2 seeds"


@pytest.mark.parametrize(
    ("n", "planned", "detail"),
    [(1, 1, "1 seed"), (1, 6, "1 of 6 seeds"), (2, 6, "1 in 2 of 6 seeds"), (6, 6, "1 in all 6 seeds")],
)
def test_it_says_how_many_seeds_it_rests_on(n: int, planned: int, detail: str) -> None:
    assert judge_claim(claim(), [1.0] * n, planned=planned).detail == detail


@pytest.mark.parametrize(
    ("observed", "ends", "verdict", "detail"),
    [
        ([None] * 6, [55] * 6, "refuted", "none of 6 runs had it by step 55"),
        ([None], [133], "refuted", "its run did not have it by step 55"),
        ([None] * 6, [39] * 6, "untestable", "its runs end at step 39, before step 55"),
        ([None, None], [54, 20], "untestable", "its runs end at step 54, before step 55"),
        ([6, None], [60, 60], "refuted", "missing in 1 of 2 seeds"),
        ([6, None], [60, 54], "untestable", "its runs end at step 54, before step 55"),
        ([None, None], [float("nan")] * 2, "untestable", "its runs ended without it"),
        ([6, 6], [39, 39], "confirmed", "6 to 6 over 2 seeds"),
    ],
)
def test_a_run_that_had_its_time_refutes_what_never_came(
    observed: list[float | None], ends: list[float], verdict: str, detail: str
) -> None:
    found = judge_claim(claim(reduction="final", by=55, comparison="==", value=6), observed, ends=ends)
    assert (found.verdict, found.detail) == (verdict, detail)
    assert found.observed == (6 if 6 in observed and verdict != "untestable" else None)
    assert found.expected == "m by step 55 == 6"


@pytest.mark.parametrize(
    ("observed", "why"),
    [
        ([], "no run of the arm completed"),
        ([None, None], "its runs never logged it there"),
        ([float("nan")], "never logged"),
    ],
)
def test_what_can_not_be_tested_says_why(observed: list[float | None], why: str) -> None:
    found = judge_claim(claim(), observed)
    assert (found.verdict, found.observed) == ("untestable", None)
    assert why in found.detail
    assert found.expected == "max of m < 2"


def test_a_final_metric_that_no_run_had_says_so() -> None:
    assert judge_claim(claim(reduction="final"), [float("nan")]).detail == "its runs ended without it"
