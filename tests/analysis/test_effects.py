"""Effects against statsmodels' least squares, Holm against its multipletests, and coverage by simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS, RegressionResults
from statsmodels.stats.multitest import multipletests

from ablate.analysis.effects import Array, Effect, contrast, contrasts, holm, mean_effect, residual
from ablate.analysis.layout import full_factorial
from tests.builders import few, signs, simulate

COUNTS = st.tuples(st.integers(1, 4), st.integers(2, 7), st.integers(0, 2**32 - 1))


def factorial_effects(y: Array, names: str | list[str]) -> tuple[dict[str, Effect], dict[str, Effect]]:
    """Main effects and two-way interactions of a full factorial."""
    made = full_factorial(names)
    return contrasts(y, made.mains), contrasts(y, made.interactions)


def least_squares(y: Array, count: int) -> RegressionResults:
    """The saturated model by statsmodels: a dummy a seed, and fixes coded ± 1/2 with all of their products."""
    seeds, arms = y.shape
    sign = np.array([[1 if arm >> fix & 1 else -1 for fix in range(count)] for arm in range(arms)]) / 2
    columns = {f"seed {seed}": np.repeat(np.arange(seeds) == seed, arms).astype(float) for seed in range(seeds)}
    for size in range(1, count + 1):
        for some in combinations(range(count), size):
            columns["*".join(f"f{fix}" for fix in some)] = np.tile(sign[:, some].prod(axis=1), seeds)
    fitted = OLS(y.ravel(), np.column_stack(list(columns.values()))).fit()
    fitted.model.data.xnames = list(columns)
    return fitted


@few
@given(COUNTS)
def test_effects_equal_least_squares_with_seed_and_fix_dummies(sizes: tuple[int, int, int]) -> None:
    count, seeds, seed = sizes
    rng = np.random.default_rng(seed)
    y = simulate(rng, seeds, tuple(rng.normal(size=count))) + rng.normal(size=2**count)
    fitted = least_squares(y, count)
    mains, pairs = factorial_effects(y, [f"f{fix}" for fix in range(count)])
    assert len(pairs) == count * (count - 1) / 2
    for name, told in {**mains, **pairs}.items():
        effect = replace(told, df=fitted.df_resid)  # of the pooled residual, as least squares has it
        at = fitted.model.data.xnames.index(name)
        found = (effect.effect, effect.error, effect.p, *effect.ci(), *effect.ci(0.9))
        wanted = (fitted.params[at], fitted.bse[at], fitted.pvalues[at], *fitted.conf_int()[at], *fitted.conf_int(0.1)[at])
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        assert min(seeds - 1, fitted.df_resid) <= told.df <= fitted.df_resid
        assert told.df == fitted.df_resid or count > 1
    assert residual(y).mean_square == pytest.approx(fitted.mse_resid, rel=1e-9)


def test_effects_of_exact_outcomes_are_what_was_put_in() -> None:
    a, b = (signs(2).T + 1) / 2
    y = 10 + 3 * a - 1 * b + 4 * a * b + np.arange(3.0)[:, None]
    mains, pairs = factorial_effects(y, ["a", "b"])
    assert [mains[name].effect for name in "ab"] == [3 + 2, -1 + 2]
    assert pairs["a*b"].effect == 4
    assert mains["a"].p == 2 * 0.5**7  # no noise: a sign test of 6 degrees of freedom and one
    assert mains["a"].ci() == (5, 5)


def test_without_noise_and_effect_p_is_one() -> None:
    assert factorial_effects(np.ones((3, 4)), ["a", "b"])[0]["a"].p == 1


@few
@given(st.integers(0, 2**32 - 1), st.integers(3, 7))
def test_rounding_is_no_effect_where_there_is_no_noise(seed: int, seeds: int) -> None:
    rng = np.random.default_rng(seed)
    effects = np.round(rng.normal(size=3), 2) * [1, 1, 0]
    y = 0.3 + (signs(3) + 1) / 2 @ effects + np.round(rng.normal(size=(seeds, 1)), 2)
    mains, pairs = factorial_effects(y, ["a", "b", "none"])
    assert {name: effect.p < 0.05 for name, effect in mains.items()} == dict(zip(mains, effects != 0, strict=True))
    assert all(pair.p > 0.05 for pair in pairs.values())


@settings(few, max_examples=10)  # statsmodels collects garbage at each call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_multipletests(p: list[float]) -> None:
    adjusted = holm({str(index): value for index, value in enumerate(p)})
    assert list(adjusted) == [str(index) for index in range(len(p))]
    assert list(adjusted.values()) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


@few
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=9))
def test_paired_differences_equal_scipy(pairs: list[tuple[float, float]]) -> None:
    better, worse = np.array(pairs).T
    effect = contrast(np.column_stack((worse, better)), np.array([-1.0, 1.0]))
    if np.ptp(better - worse) > 1e-6:
        test = stats.ttest_rel(better, worse)
        interval = test.confidence_interval(0.95)
        assert (*effect.ci(), effect.p) == pytest.approx((interval.low, interval.high, test.pvalue), rel=1e-9, abs=1e-9)
    assert effect.effect == pytest.approx(np.mean(better - worse), abs=1e-9)
    plain = mean_effect(better - worse)
    assert (plain.effect, plain.error, plain.df) == pytest.approx((effect.effect, effect.error, effect.df), rel=1e-6, abs=1e-9)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, studies, truth = np.random.default_rng(20), 2000, 0.7
    effects = [factorial_effects(simulate(rng, 5, (truth, 0.0, -0.2)), "abc")[0]["a"] for _ in range(studies)]
    for level in (0.95, 0.9):
        covered = np.mean([low <= truth <= high for low, high in (effect.ci(level) for effect in effects)])
        assert covered == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / studies))


def test_degrees_of_freedom_are_satterthwaites_of_the_true_variances_where_there_are_many_seeds() -> None:
    rng, sd = np.random.default_rng(4), np.array([1.0, 6, 1, 6, 1, 6, 1, 6])
    n, m = 4000, 8
    left = np.eye(m) - 1 / m
    spread = left @ np.diag(sd**2)
    wanted = (n - 1) * np.trace(spread) ** 2 / np.trace(spread @ spread)
    found = residual(rng.normal(scale=sd, size=(n, m)))
    assert found.df == pytest.approx(wanted, rel=0.03)
    assert found.variances == pytest.approx(sd**2, abs=1.5)
    assert found.mean_square == pytest.approx(np.mean(sd**2), rel=0.03)


def test_degrees_of_freedom_lie_between_one_arms_and_all_arms() -> None:
    lone = np.zeros((5, 8))
    lone[:, 3] = [3.0, -1, 4, -1, -5]
    assert 4 <= residual(lone).df < 6
    assert residual(np.zeros((5, 8))).df == 28
    even = [residual(np.random.default_rng(seed).normal(size=(5, 8))).df for seed in range(200)]
    assert 22 < np.mean(even) <= 28


def test_a_contrast_rests_on_the_arms_that_it_weighs() -> None:
    y = simulate(np.random.default_rng(2), 6, (1.0, 0.0))
    loud = y + np.outer(np.random.default_rng(3).normal(scale=50, size=6), [0, 0, 1, 1]) * [1, 1, 1, -1]
    weights = np.array([-1.0, 1.0, 0.0, 0.0])
    assert contrast(loud, weights) == contrast(y, weights)


def test_two_seeds_that_agree_are_no_proof() -> None:
    agreed = contrast(np.array([[0.5, 0.55], [0.3, 0.35]]), np.array([-1.0, 1.0]))
    assert (agreed.error, agreed.p) == (0, 0.5)
    assert contrast(np.array([[0.0, 1.0]] * 8), np.array([-1.0, 1.0])).p == 2 * 0.5**8
