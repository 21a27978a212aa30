"""Outliers and unequal noise: found where they are planted, and seldom where they are not."""

from __future__ import annotations

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.layout import full_factorial
from ablate.analysis.noise import Unequal, differs, outliers
from tests.builders import simulate

ABC = full_factorial("abc")


def unequal(y: Array) -> Unequal | None:
    return differs(y, ABC).arms


def test_in_equal_noise_a_study_is_rarely_called_odd() -> None:
    rng = np.random.default_rng(3)
    studies = 1500
    tables = [simulate(rng, seeds, (1.0, 0.0, 0.0)) for seeds in (3, 6, 12) for _ in range(studies // 3)]
    far = sum(bool(outliers(y)) for y in tables) / studies
    differ = sum(unequal(y) is not None for y in tables) / studies
    assert 0.004 < far < 0.018
    assert differ < 0.012


def test_what_is_planted_is_found() -> None:
    rng = np.random.default_rng(4)
    y = simulate(rng, 6, (1.0, 0.0, 0.0))
    y[2, 5] -= 12
    first = outliers(y)[0]
    assert (first.seed, first.arm) == (2, 5) and first.distance < -3
    found = 0
    for _ in range(50):
        z = simulate(rng, 8, (0.0, 0.0, 0.0))
        z[:, 3] += rng.normal(scale=15, size=8)
        differs = unequal(z)
        found += differs is not None and differs.most == 3 and differs.ratio > 3
    assert found > 40


def test_a_fix_that_makes_noise_is_named() -> None:
    """Half the arms, those with a on, six times as noisy; or one arm alone, which is no fix's doing."""
    rng, made = np.random.default_rng(7), ABC
    on = np.array(["a" in arm for arm in made.arms])
    for seeds, least in ((4, 60), (6, 92)):
        found = [differs(rng.normal(size=(seeds, 8)) * np.where(on, 6.0, 1.0), made).fixes for _ in range(100)]
        assert sum(list(each) == ["a"] for each in found) >= least
    assert 5 < np.median([each["a"] for each in found if each]) < 7
    quiet = differs(rng.normal(size=(12, 8)) * np.where(on, 1.0, 6.0), made).fixes
    assert list(quiet) == ["a"] and 1 / quiet["a"] > 4
    loud = np.r_[np.ones(7), 10.0]
    one = [differs(rng.normal(size=(8, 8)) * loud, made) for _ in range(100)]
    assert sum(each.arms is not None and each.arms.most == 7 for each in one) > 80
    assert sum(bool(each.fixes) for each in one) < 12


def test_in_equal_noise_neither_arm_nor_fix_is_named() -> None:
    rng, made = np.random.default_rng(8), ABC
    wrong = sum(bool(differs(rng.normal(size=(seeds, 8)), made)) for seeds in (3, 4, 6, 12) for _ in range(300))
    assert wrong / 1200 < 0.015
    assert not differs(np.ones((5, 8)), made)


def test_studentised_residuals_are_those_of_leaving_a_run_out() -> None:
    """Externally studentised: the run's distance from a fit without it, by a regression of its own."""
    y = simulate(np.random.default_rng(5), 4, (1.0, 0.0))
    y[1, 2] += 30
    seeds, arms = y.shape
    rows = [np.r_[1.0, np.eye(seeds)[s][1:], np.eye(arms)[a][1:]] for s in range(seeds) for a in range(arms)]
    left = np.delete(np.arange(y.size), 1 * arms + 2)
    X, flat = np.array(rows), y.ravel()
    beta, rest, *_ = np.linalg.lstsq(X[left], flat[left], rcond=None)
    variance = rest[0] / (len(left) - X.shape[1])
    x = X[1 * arms + 2]
    outer = (flat[1 * arms + 2] - x @ beta) / np.sqrt(variance * (1 + x @ np.linalg.inv(X[left].T @ X[left]) @ x))
    df = (seeds - 1) * (arms - 1)
    inner = outliers(y)[0].distance
    assert np.isclose(inner * np.sqrt((df - 1) / (df - inner**2)), outer)


def test_no_noise_and_few_runs_say_nothing() -> None:
    assert outliers(np.ones((5, 8))) == [] and unequal(np.ones((5, 8))) is None
    y = simulate(np.random.default_rng(6), 2, (1.0, 0.0, 0.0)) * 100
    assert outliers(y) == [] and unequal(y) is None
