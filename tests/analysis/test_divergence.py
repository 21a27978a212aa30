"""Counts of diverged runs and their exact paired test."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.analysis.divergence import count_diverged, mcnemar
from ablate.analysis.layout import full_factorial


@pytest.mark.parametrize(("one", "other", "p"), [(0, 0, 1.0), (0, 5, 2 / 32), (5, 0, 2 / 32), (1, 7, 2 * 9 / 256), (4, 4, 1.0)])
def test_mcnemar_is_the_binomials(one: int, other: int, p: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p)


def test_pairs_without_one_of_their_runs_are_left_out() -> None:
    diverged = np.zeros((6, 4))  # arms: none, a, b, both
    diverged[:, [0, 2]] = 1  # without a, every run diverges
    diverged[0, 1] = math.nan
    found = count_diverged(diverged, full_factorial(("a", "b")))
    assert (found.runs, found.ended, found.arms) == (12, 23, {"all off": 6, "a": 0, "b": 6, "all on": 0})
    a, b = found.fixes["a"], found.fixes["b"]
    assert (a.off, a.on, a.on_runs, a.pairs, a.p) == (12, 0, 11, 11, pytest.approx(2 / 2**11))
    assert (b.off, b.on, b.pairs, b.p, b.p_adjusted) == (6, 6, 11, 1.0, 1.0)
