"""The calibration's own figures: rules, measures and tables on cases where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibrate.figure import draw
from benchmarks.calibrate.measures import Cell, Rate, compare, optuna
from benchmarks.calibrate.noise import DIVERGED, FAMILIES, SCENARIOS, generator
from benchmarks.calibrate.plan import simulate
from benchmarks.calibrate.rules import (
    HARMS,
    HELPS,
    NEGLIGIBLE,
    NOTHING,
    alone_two_errors,
    bootstrap,
    pairwise,
    pairwise_pooled,
    two_errors,
)
from benchmarks.calibrate.stopping import FIXED, LOOKS, Ends, is_right, saving, stop
from benchmarks.calibrate.table import checks, markdown
from benchmarks.calibration import insert

EQUAL = FAMILIES[0]


def test_rates_on_a_constructed_case():
    always = {"always helps": lambda y, rng: np.full((len(y), 3), HELPS), "never": lambda y, rng: np.zeros((len(y), 3))}
    null = {each.rule: each for each in compare(Cell(EQUAL, "null", 3, 20), always)}
    two = {each.rule: each for each in compare(Cell(EQUAL, "two", 3, 20), always)}
    assert null["always helps"].false == Rate(1.0, 0.0) and null["always helps"].found is None
    assert null["never"].false == Rate(0.0, 0.0)
    # b harms, so "helps" has its sign wrong; a is found; c does nothing.
    assert [two["always helps"].found, two["always helps"].wrong, two["always helps"].false] == [Rate(1.0, 0.0)] * 3
    assert [two["never"].found, two["never"].wrong] == [Rate(0.0, 0.0)] * 2


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_noise_has_the_declared_mean_and_size(family):
    means = 2 * SCENARIOS["interacting"]
    y = family.draw(means, 4000, 5, np.random.default_rng(1))
    np.testing.assert_allclose(y.mean(axis=(0, 1)), family.expected(means), atol=0.07)
    own = y - y.mean(axis=2, keepdims=True) if not family.diverging else np.where(y == DIVERGED, np.nan, y - means)
    size = np.sqrt(np.nanmean((own - np.nanmean(own, axis=(0, 1))) ** 2) * (8 / 7 if not family.diverging else 1 / 2))
    assert size == pytest.approx(1.0, abs=0.05)


def test_pairs_agree_with_scipy_and_holm():
    y = EQUAL.draw(1.5 * SCENARIOS["one"], 40, 6, np.random.default_rng(2))
    calls = pairwise(y, np.random.default_rng(0))
    for each, said in zip(y, calls, strict=True):
        pairs = [(i, j) for i in range(8) for j in range(i + 1, 8)]
        p = np.array([stats.ttest_rel(each[:, j], each[:, i]).pvalue for i, j in pairs])
        order = np.argsort(p)
        stop_at = next((rank for rank, index in enumerate(order) if p[index] * (28 - rank) >= 0.05), 28)
        found = {pairs[index] for index in order[:stop_at]}
        assert [bool(call) for call in said] == [any(j - i == 1 << f and not i >> f & 1 for i, j in found) for f in range(3)]
    assert (calls[:, 0] == HELPS).any()


def test_other_rules_where_the_answer_is_plain():
    y = np.random.default_rng(3).normal(size=(6, 5, 8)) * 0.01 + 3 * SCENARIOS["two"]
    for rule in (bootstrap, two_errors, alone_two_errors, pairwise_pooled):
        assert (rule(y, np.random.default_rng(0))[:, :2] == [HELPS, HARMS]).all()
    found = optuna(Cell(EQUAL, "null", 3, 2), "PED-ANOVA")
    assert found.false.value == 1.0  # a top fix there always is
    assert found.top is not None and 1 / 3 <= found.top.value <= 1


def test_a_study_stops_once_it_is_decided():
    plain = 3 * SCENARIOS["two"] + np.random.default_rng(4).normal(scale=0.01, size=(12, 8))
    assert stop(plain, 1.0).seeds == LOOKS.seeds[0]
    assert stop(plain, 1.0).verdict.ranking == ["a", "c", "b"]
    close = np.random.default_rng(5).normal(scale=3, size=(12, 8))
    assert stop(close, 0.1).seeds == LOOKS.seeds[-1]


def test_right_words_and_what_stopping_saves():
    truth, calls = np.array([1.0, -1.0, 0.2]), np.array([[HELPS, HARMS, NEGLIGIBLE], [HARMS, NEGLIGIBLE, HELPS], [NOTHING] * 3])
    assert is_right(calls, truth, 1.0).tolist() == [[True, True, True], [False, False, True], [False] * 3]
    # Fixed designs give a share of right words that grows evenly with their seeds; the stopping one is as right as 8.
    fixed = np.repeat((np.array(FIXED) / 20)[:, None], 3, axis=1)
    part = Ends(np.array([4.0, 6.0, 8.0]), np.full(3, 8 / 20), np.zeros(3), fixed, 0.95)
    found = saving("all", 2.0, 1.0, [part, part])
    assert found.same == pytest.approx(8.0) and found.saved == pytest.approx(0.25)


def test_the_tables_of_a_small_run(tmp_path):
    results = simulate(2, families=FAMILIES[:2], evaluators=())
    tables = markdown(results)
    assert [check.required for check in checks(results)].count("reported") == 1
    assert tables.count("PASS") + tables.count("**FAIL**") == len(checks(results))
    rows = [line.count("|") for line in tables.splitlines() if line.startswith("| ablate: null")]
    assert rows == [4, 8]  # over two families, and over six numbers of seeds
    marked = "before\n<!-- calibration -->\nold\n<!-- /calibration -->\nafter"
    once = insert(marked, tables)
    assert once == insert(once, tables) == marked.replace("old\n", tables)
    with pytest.raises(ValueError, match=r"has no <!-- calibration -->"):
        insert("nothing", tables)
    draw(results, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 20_000


def test_the_same_name_gives_the_same_numbers():
    first, again = (generator("a", 1).normal() for _ in range(2))
    assert first == again != generator("a", 2).normal()
