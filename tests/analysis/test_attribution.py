"""Alone and removed against scipy's paired test, Shapley shares against the average over all orders."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.attribution import alone, removed, shapley, share
from ablate.analysis.effects import Array
from tests.builders import few


@st.composite
def outcomes(draw: st.DrawFn) -> Array:
    count, seeds = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(seeds, 2**count))


def by_orders(row: Array, count: int) -> Array:
    """The mean, over all orders in which fixes can be turned on, of what each adds."""
    added = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        arm = 0
        for fix in order:
            added[fix] += row[arm | 1 << fix] - row[arm]
            arm |= 1 << fix
    return added / len(orders)


@few
@given(outcomes())
def test_shares_equal_the_average_over_orders_and_sum_to_the_whole(y: Array) -> None:
    count = y.shape[1].bit_length() - 1
    shares = shapley(y)
    assert shares == pytest.approx(np.array([by_orders(row, count) for row in y]), abs=1e-12)
    assert shares.sum(axis=1) == pytest.approx(y[:, -1] - y[:, 0], abs=1e-12)
    assert sum(share(y, fix).effect for fix in range(count)) == pytest.approx((y[:, -1] - y[:, 0]).mean(), abs=1e-12)


@few
@given(outcomes())
def test_alone_and_removed_equal_scipys_paired_test(y: Array) -> None:
    count = y.shape[1].bit_length() - 1
    for fix in range(count):
        without = [other for other in range(count) if other != fix]
        for effect, on, off in ((alone(y, fix), 2**fix, 0), (removed(y, fix), -1, sum(2**other for other in without))):
            interval = stats.ttest_rel(y[:, on], y[:, off]).confidence_interval(0.95)
            wanted = (np.mean(y[:, on] - y[:, off]), interval.low, interval.high)
            assert (effect.effect, *effect.ci()) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_of_two_fixes_that_help_only_together_each_gets_half() -> None:
    y = np.array([[0.0, 0, 0, 8], [1, 1, 1, 11]])
    assert shapley(y).tolist() == [[4, 4], [5, 5]]
    assert (alone(y, 0).effect, removed(y, 0).effect, share(y, 0).effect) == (0, 9, 4.5)


def test_the_share_of_a_single_fix_is_its_paired_difference() -> None:
    y = np.random.default_rng(3).normal(size=(5, 2))
    assert share(y, 0) == alone(y, 0) == removed(y, 0)
