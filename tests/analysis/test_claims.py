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


@pytest.mark.parametrize(("comparison", "verdicts"), [("<", "crr"), ("<=", "ccr"), (">", "rrc"), (">=", "rcc"), ("==", "rcr")])
def test_the_mean_over_seeds_is_compared(comparison: str, verdicts: str) -> None:
    for shift, wanted in zip((-1, 0, 1), verdicts, strict=True):
        found = judge_claim(claim(comparison=comparison), [1.0 + shift, 3.0 + shift])
        assert (found.verdict[0], found.observed) == (wanted, 2 + shift)
        assert found.detail == f"{1 + shift} to {3 + shift} over 2 seeds"


def test_seeds_that_never_showed_it_are_left_out() -> None:
    found = judge_claim(claim(), [None, 1.0, float("nan"), float("inf")])
    assert (found.verdict, found.observed, found.detail) == ("confirmed", 1.0, "one seed")


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
