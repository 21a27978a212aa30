"""What chance allows, against scipy and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.chance import count_interval, fisher_p, free_interval, prediction_interval, prediction_p, tables_p
from tests.builders import few

VALID = {4: 114, 5: 11, 6: 6, 7: 3}


@few
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_fisher_is_scipys(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    wanted = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
    assert fisher_p(a, n, b, m) == pytest.approx(wanted, abs=1e-9)


@few
@given(st.integers(1, 40), st.integers(1, 80), st.data())
def test_the_interval_of_a_count_holds_every_count_that_chance_allows(of: int, n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    allowed = [k for k in range(n + 1) if fisher_p(k, n, count, of) >= 0.05]
    assert count_interval(count, of, n) == (min(allowed), max(allowed))


@pytest.mark.parametrize("rate", [0.02, 0.2537, 0.6])
@pytest.mark.parametrize("n", [134, 804])
def test_of_samples_with_one_rate_at_least_95_in_100_lie_in_the_interval(rate: float, n: int) -> None:
    rng = np.random.default_rng(1)
    reported, observed = rng.binomial(134, rate, size=1000), rng.binomial(n, rate, size=1000)
    bounds = {int(count): count_interval(int(count), 134, n) for count in set(reported)}
    inside = [bounds[int(r)][0] <= o <= bounds[int(r)][1] for r, o in zip(reported, observed, strict=True)]
    assert np.mean(inside) >= 0.95


def test_the_reported_share_of_34_in_134() -> None:
    low, high = count_interval(34, 134, 134)
    allowed = [k for k in range(135) if stats.fisher_exact([[k, 134 - k], [34, 100]]).pvalue >= 0.05]
    assert (low, high) == (allowed[0], allowed[-1]) == (21, 49)
    assert fisher_p(34, 134, 34, 134) == 1.0
    assert fisher_p(0, 134, 34, 134) < 1e-9


def test_p_of_tables_is_uniform_where_they_are_alike() -> None:
    rng, rates = np.random.default_rng(2), np.array(list(VALID.values())) / 134
    drawn = rng.multinomial(134, rates, size=(300, 2))
    tables = [[dict(zip(VALID, map(int, row), strict=True)) for row in pair] for pair in drawn]
    p = np.array([tables_p(a, b, draws=199, seed=i) for i, (a, b) in enumerate(tables)])
    assert 0.01 <= np.mean(p < 0.05) <= 0.08
    assert 0.4 <= np.mean(p < 0.5) <= 0.6


def test_p_of_tables_is_fishers_where_there_are_two_values() -> None:
    for a, b in ((20, 34), (34, 34), (60, 34)):
        p = tables_p({0: 134 - a, 1: a}, {0: 134 - b, 1: b})
        assert p == pytest.approx(fisher_p(a, 134, b, 134), abs=0.02)


def test_tables_that_differ_are_told_apart_and_a_value_only_one_has_counts() -> None:
    assert tables_p({2: 134}, VALID) == 1e-4
    assert tables_p({**VALID, 8: 40}, VALID) < 0.001
    assert tables_p(VALID, VALID) == 1.0


def test_the_same_seed_gives_the_same_p_and_another_another() -> None:
    observed = {4: 100, 5: 20, 6: 10, 7: 4}
    assert tables_p(observed, VALID) == tables_p(observed, VALID)
    assert tables_p(observed, VALID, seed=1) != tables_p(observed, VALID, seed=2)


@pytest.mark.parametrize("n", [3, 10])
def test_the_prediction_interval_holds_one_more_draw_in_95_of_100(n: int) -> None:
    rng = np.random.default_rng(3)
    drawn = rng.normal(2, 3, size=(4000, n + 1))
    bounds = np.array([prediction_interval(row[:n]) for row in drawn])
    inside = (bounds[:, 0] <= drawn[:, n]) & (drawn[:, n] <= bounds[:, 1])
    assert inside.mean() == pytest.approx(0.95, abs=0.012)
    p = np.array([prediction_p(row[:n], row[n]) for row in drawn])
    np.testing.assert_array_equal(p >= 0.05, inside)


def test_three_typical_values_tell_only_a_median_that_is_far_off() -> None:
    rng = np.random.default_rng(8)
    outside = dict.fromkeys((0, 3, 20), 0)
    for _ in range(2_000):
        told, median = rng.normal(size=3), np.median(rng.normal(size=134))
        low, high = prediction_interval(told)
        for shift in outside:
            outside[shift] += not low <= median + shift <= high
    assert outside[0] < 60 and 500 < outside[3] < 740 and outside[20] > 1_900


def test_the_prediction_interval_by_hand() -> None:
    values = [0.3086, 0.2617, 0.2754]
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * np.sqrt(4 / 3)
    assert prediction_interval(values) == pytest.approx((np.mean(values) - half, np.mean(values) + half))


def test_a_sample_that_does_not_vary_allows_itself_alone() -> None:
    assert (prediction_p([1.0, 1.0], 1.0), prediction_p([1.0, 1.0], 1.1)) == (1.0, 0.0)


@pytest.mark.parametrize("n", [39, 100])
def test_the_free_interval_holds_one_more_draw_of_a_skewed_sample_in_95_of_100(n: int) -> None:
    drawn = np.random.default_rng(4).lognormal(size=(4000, n + 1))
    bounds = np.array([free_interval(row[:n]) for row in drawn])
    inside = (bounds[:, 0] <= drawn[:, n]) & (drawn[:, n] <= bounds[:, 1])
    assert 0.94 <= inside.mean() <= 0.975


def test_too_few_values_have_no_free_interval() -> None:
    assert free_interval(np.arange(38.0)) is None
    assert free_interval(np.arange(39.0)) == (0, 38)
