"""Counts of diverged runs and their exact test over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.analysis.divergence import count_diverged, sign_test
from ablate.analysis.layout import full_factorial


@pytest.mark.parametrize(("one", "other", "p"), [(0, 0, 1.0), (0, 5, 2 / 32), (5, 0, 2 / 32), (1, 7, 2 * 9 / 256), (4, 4, 1.0)])
def test_sign_test_is_the_binomials(one: int, other: int, p: float) -> None:
    assert sign_test(one, other) == pytest.approx(p)


def test_pairs_without_one_of_their_runs_are_left_out() -> None:
    diverged = np.zeros((6, 4))  # arms: none, a, b, both
    diverged[:, [0, 2]] = 1  # without a, every run diverges
    diverged[0, 1] = math.nan
    found = count_diverged(diverged, full_factorial(("a", "b")))
    assert (found.runs, found.ended, found.arms) == (12, 23, {"all off": 6, "a": 0, "b": 6, "all on": 0})
    a, b = found.fixes["a"], found.fixes["b"]
    assert (a.off, a.on, a.on_runs, a.pairs, a.p) == (12, 0, 11, 11, pytest.approx(2 / 2**6))
    assert (b.off, b.on, b.pairs, b.p, b.p_adjusted) == (6, 6, 11, 1.0, 1.0)


def test_seeds_that_diverge_in_all_their_arms_alike_count_once() -> None:
    diverged = np.zeros((6, 8))
    on = np.array(["a" in arm for arm in full_factorial(tuple("abc")).arms])
    diverged[2] = ~on  # one seed, of which every run without a diverges: four pairs, and one seed
    a = count_diverged(diverged, full_factorial(tuple("abc"))).fixes["a"]
    assert (a.off, a.on, a.pairs, a.p) == (4, 0, 24, 1.0)
    diverged[:] = ~on
    assert count_diverged(diverged, full_factorial(tuple("abc"))).fixes["a"].p == pytest.approx(2 / 2**6)


def test_pairs_of_a_seed_that_go_either_way_are_summed() -> None:
    diverged = np.zeros((7, 4))  # arms: none, a, b, both
    diverged[:, [1, 2]] = 1  # a brings it about alone, and takes it away beside b
    assert count_diverged(diverged, full_factorial(("a", "b"))).fixes["a"].p == 1.0


def test_false_alarms_stay_below_the_level_where_a_seed_decides_for_all_its_pairs() -> None:
    rng, arms = np.random.default_rng(0), full_factorial(tuple("abc"))
    on = np.array(["a" in arm for arm in arms.arms])
    alarms = 0
    for _ in range(300):
        side = rng.random((8, 1)) < 0.5  # which of the two diverges is chance, and the same in all four pairs of a seed
        alarms += (count_diverged((side == on) * 1.0, arms).fixes["a"].p or 1) < 0.05
    assert alarms <= 15
