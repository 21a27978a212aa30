"""The response to a knob, its best value, and fixes against it: against closed forms and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.sweeps import Best, Response, best, block_means, respond
from ablate.analysis.toggles import same_p, toggles
from tests.builders import few

STUDIES = 400


def draws(seed: int, seeds: int, means: np.ndarray, spread: np.ndarray | float = 1.0):
    """Simulated sweeps: the means, a seed's own level and a run's noise, [studies, seeds, values]."""
    rng = np.random.default_rng(seed)
    shape = (STUDIES, seeds, len(means))
    return means + rng.normal(size=(STUDIES, seeds, 1)) + spread * rng.normal(size=shape)


@few
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 6))
def test_a_means_variance_is_that_of_the_blocks_and_the_residual_together(seed: int, seeds: int, count: int) -> None:
    y = np.random.default_rng(seed).normal(size=(seeds, count))
    within = y.var(axis=0, ddof=1).mean()  # the mean of the values' own variances has the same mean and the same sum
    assert [effect.effect for effect in block_means(y)] == pytest.approx(y.mean(axis=0))
    for effect in block_means(y):
        assert effect.error**2 == pytest.approx(within / seeds)
        assert seeds - 1 <= effect.df * (1 + 1e-9) and effect.df <= count * (seeds - 1) * (1 + 1e-9)


def test_one_value_alone_equals_scipy_and_a_lone_outcome_has_no_interval() -> None:
    (found,) = respond([0.5], np.array([[1.0], [2.0], [4.0]]))
    assert found.ci == pytest.approx(stats.t.interval(0.95, 2, 7 / 3, stats.sem([1, 2, 4])))
    empty, lone = respond([1, 2], np.array([[np.nan, 4.0], [np.nan, np.nan]]))
    assert (empty, lone) == (Response(1, None, None, 0), Response(2, 4.0, None, 1))


def test_incomplete_seeds_are_left_out_and_so_is_a_value_that_lost_its_runs() -> None:
    y = np.array([[1.0, 2.0, np.nan], [2.0, 3.5, np.nan], [9.0, np.nan, 5.0], [3.0, 4.0, np.nan]])
    first, second, third = respond([1, 2, 3], y)
    assert (first.mean, second.mean, third.mean) == pytest.approx((2.0, 9.5 / 3, 5.0))
    assert (first.seeds, second.seeds, third.seeds) == (3, 3, 1) and third.ci is None
    found = best([1, 2, 3], y, 1)
    assert found is not None and (found.value, found.values, found.seeds) == (2, 2, 3)


def test_intervals_of_a_swept_mean_cover_the_truth() -> None:
    means = np.array([0.0, 1.0, 1.2, -0.5, 3.0])
    covered = [[r.ci[0] <= mean <= r.ci[1] for r, mean in zip(respond(means, y), means, strict=True)] for y in draws(1, 3, means)]
    assert 0.925 < np.mean(covered) < 0.975


@pytest.mark.parametrize("spread", [1.0, np.linspace(0.5, 3, 5)])
def test_the_set_holds_the_best_value_in_95_percent_of_studies(spread: np.ndarray | float) -> None:
    means = np.array([0.0, 0.9, 1.0, 1.0 + 1e-9, 0.95])  # the hardest case: all but one alike
    found = [best(range(5), y, 1) for y in draws(2, 3, means, spread)]
    assert np.mean([3 in (b.value, *b.rivals) for b in found]) >= 0.95 - 0.02
    clear = [best(range(5), y, 1) for y in draws(3, 4, np.array([0, 0, 9.0, 0, 0]), spread / 2)]
    assert np.mean([(b.value, b.rivals) == (2, ()) for b in clear]) > 0.8


def test_less_is_better_where_the_goal_says_so() -> None:
    y = np.array([[1.0, 5.0], [1.1, 5.2], [0.9, 4.9]])
    assert best([10, 20], y, -1) == Best(10.0, (), 2, 3, edge=True)
    assert best([0, 20], y, -1) == Best(0.0, (), 2, 3, edge=False)  # nothing is looked for below 0
    assert best([-20, 0], y, 1) == Best(0.0, (), 2, 3, edge=True)
    assert best([10, 20], y, 1) == Best(20.0, (), 2, 3, edge=True)


def test_the_best_value_in_words() -> None:
    assert Best(200.0, (100.0,), 5, 3).sentence == "best at 200 (100 can't be told from it)"
    assert Best(200.0, (50.0, 100.0), 5, 3).sentence == "best at 200 (50 and 100 can't be told from it)"
    assert Best(200.0, (), 5, 3).sentence == "best at 200, told from every other value"
    assert Best(200.0, (), 5, 3, edge=True).sentence.endswith(
        "value; it is the last value that way, so a better one may lie beyond"
    )
    assert Best(2.0, (1.0,), 2, 3).sentence == "flat as far as 3 seeds tell: any of 2 values may be best (2 looks it)"


def test_a_knob_without_noise_has_its_best_and_equals() -> None:
    y = np.tile([0.1, 0.3, 0.3], (3, 1))
    assert best([1, 2, 3], y, 1) == Best(2.0, (3.0,), 3, 3)
    assert same_p(y) == 0 and same_p(np.full((3, 3), 0.1)) == 1


def test_whether_an_effect_depends_on_the_knob_is_the_f_test_of_the_block_design() -> None:
    d = np.random.default_rng(4).normal(size=(5, 2))  # two values: the paired t test
    assert same_p(d) == pytest.approx(stats.ttest_rel(d[:, 0], d[:, 1]).pvalue)
    null = [same_p(d) < 0.05 for d in draws(5, 3, np.ones(4))]
    assert np.mean(null) < 0.05 + 0.025


def test_a_fix_that_helps_at_some_values_is_said_to() -> None:
    rng = np.random.default_rng(6)
    helps = np.array([0.0, 2.0, 2.0]) + 0.2 * rng.normal(size=(6, 3))
    same = 2.0 + 0.2 * rng.normal(size=(6, 3))
    found = toggles("scale", [5, 50, 100], {"bank": helps, "filter": same}, 0.5)
    assert [point.word for point in found["bank"].points] == ["negligible", "helps", "helps"]
    bank = "bank is too small to matter at 5 and helps at 50 and 100; its effect depends on scale (p < 0.001)"
    assert (found["bank"].sentence, found["filter"].sentence) == (bank, "filter helps at every swept value")
    assert found["bank"].p_same == pytest.approx(2 * same_p(helps))  # Holm over the two fixes


def test_words_that_differ_are_no_proof_of_a_difference() -> None:
    d = np.array([[2.0, 0.9], [2.1, 3.0], [1.9, -1.6], [2.2, 3.9]])
    (found,) = toggles("scale", [1, 2], {"bank": d}, 0.0).values()
    assert found.p_same is not None and found.p_same > 0.05
    if len({point.word for point in found.points}) > 1:
        assert "that its effect depends on scale is not shown" in found.sentence
    dull = np.random.default_rng(1).normal(size=(4, 3))
    assert toggles("scale", [1, 2, 3], {"x": dull}, 0.0)["x"].sentence == "x can't be told at any swept value"
    none = toggles("scale", [1, 2], {"bank": np.full((3, 2), np.nan)}, 0.0)["bank"]
    assert none.points == () and none.sentence == "what bank does can't be told: fewer than two complete seeds"
