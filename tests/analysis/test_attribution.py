"""Alone and removed against scipy's paired test, Shapley shares against the average over all orders."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.attribution import Attribution, attribute
from ablate.analysis.effects import Array, per_seed, residual
from ablate.analysis.layout import full_factorial
from tests.builders import few


@st.composite
def outcomes(draw: st.DrawFn) -> Array:
    count, seeds = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(seeds, 2**count))


def parts(y: Array) -> list[Attribution]:
    """Each fix's alone, removed and share, of a full factorial."""
    return list(attribute(y, full_factorial("abcd"[: y.shape[1].bit_length() - 1])).values())


def shapley(y: Array) -> Array:
    """Each seed's shares, [seeds, fixes]."""
    shares = full_factorial("abcd"[: y.shape[1].bit_length() - 1]).shares
    assert shares is not None
    return np.column_stack([per_seed(y, weights) for weights in shares.values()])


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
    assert sum(part.share.effect for part in parts(y) if part.share) == pytest.approx((y[:, -1] - y[:, 0]).mean(), abs=1e-12)


@few
@given(outcomes())
def test_alone_and_removed_equal_scipys_paired_test(y: Array) -> None:
    count = y.shape[1].bit_length() - 1
    for fix in range(count):
        without = [other for other in range(count) if other != fix]
        found = parts(y)[fix]
        for effect, on, off in ((found.alone, 2**fix, 0), (found.removed, -1, sum(2**other for other in without))):
            assert effect is not None
            interval = stats.ttest_rel(y[:, on], y[:, off]).confidence_interval(0.95)
            wanted = (np.mean(y[:, on] - y[:, off]), interval.low, interval.high)
            assert (effect.effect, *effect.ci()) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_of_two_fixes_that_help_only_together_each_gets_half() -> None:
    y = np.array([[0.0, 0, 0, 8], [1, 1, 1, 11]])
    assert shapley(y).tolist() == [[4, 4], [5, 5]]
    found = parts(y)[0]
    assert [part.effect for part in (found.alone, found.removed, found.share) if part] == [0, 9, 4.5]


def test_the_share_of_a_single_fix_is_its_paired_difference() -> None:
    (found,) = parts(np.random.default_rng(3).normal(size=(5, 2)))
    assert found.alone is not None and found.share is not None
    assert found.alone == found.removed
    assert (found.share.effect, *found.share.ci()) == pytest.approx((found.alone.effect, *found.alone.ci()))


def test_seeds_that_agree_by_chance_are_no_proof() -> None:
    y = np.array([[0.50, 0.55, 0.25, 0.75], [0.25, 0.30, 0.50, 0.75]])  # the first two arms differ by 0.05 in both seeds
    alone = parts(y)[0].alone
    assert alone is not None
    pooled = residual(y)
    assert (alone.effect, alone.df) == (pytest.approx(0.05), pooled.df)
    assert alone.error == pytest.approx(np.sqrt(2 * pooled.mean_square / 2))
    same = parts(np.array([[0.5, 0.5, 0.25, 0.75], [0.25, 0.25, 0.5, 0.75]]))[0].alone
    assert same is not None and same.ci() == (0, 0)
