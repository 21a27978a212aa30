"""Looking before the end costs no more than the error rate: boundaries against published ones and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from ablate.analysis.effects import Array, Effect
from ablate.analysis.layout import full_factorial
from ablate.analysis.sequential import SPENDING, Looks, boundaries, equivalence_p, over_looks
from ablate.analysis.verdict import Table, judge
from tests.builders import few, simulate

#: Two-sided 0.05, equally spaced looks: the bounds that ldBounds and gsDesign print (Lan and DeMets 1983; Reboussin et al. 2000).
PUBLISHED = [
    ("obrien_fleming", (4.333, 2.963, 2.359, 2.014)),
    ("obrien_fleming", (4.877, 3.357, 2.680, 2.290, 2.031)),
    ("pocock", (2.368, 2.368, 2.358, 2.350)),
]
spendings = st.sampled_from(sorted(SPENDING))
#: Complete blocks at each look of at most 12: they never shrink, and lost ones make them repeat.
blocks = st.lists(st.integers(2, 12), min_size=1, max_size=5).map(sorted)


def bounds(fractions: tuple[float, ...], spending: str, rate: float = 0.025, last: bool = False) -> Array:
    """One-sided bounds on the scale of z."""
    found = boundaries(fractions, spending, last)
    return np.array([-special.ndtri(found.level(rate, look)) for look in range(len(fractions))])


@pytest.mark.parametrize(("spending", "published"), PUBLISHED)
def test_boundaries_are_the_published_ones(spending: str, published: tuple[float, ...]) -> None:
    count = len(published)
    assert bounds(tuple((k + 1) / count for k in range(count)), spending) == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize(
    ("fractions", "last"),
    [((4 / 12, 6 / 12, 9 / 12, 1.0), True), ((3 / 12, 3 / 12, 10 / 12, 10 / 12), False), ((2 / 12, 7 / 12, 8 / 12), True)],
)
def test_simulated_scores_cross_as_often_as_was_spent(spending: str, fractions: tuple[float, ...], last: bool) -> None:
    rng, paths, rate = np.random.default_rng(3), 400_000, 0.05
    steps = np.sqrt(np.diff((0.0, *fractions)))
    z = (rng.normal(size=(paths, len(steps))) * steps).cumsum(axis=1) / np.sqrt(fractions)
    crossed = (z > bounds(fractions, spending, rate, last)).cumsum(axis=1) > 0
    spent = [SPENDING[spending](rate, fraction) for fraction in fractions]
    if last:
        spent[-1] = rate
    assert crossed.mean(axis=0) == pytest.approx(spent, abs=4 * np.sqrt(rate / paths))


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("nominal", [1e-9, 0.0004, 0.0123, 0.03, 0.3])
def test_the_p_of_one_look_is_the_nominal_one(spending: str, nominal: float) -> None:
    assert boundaries((1.0,), spending).p([nominal]) == pytest.approx(nominal, rel=1e-9)


@few
@given(blocks, spendings, st.booleans())
def test_stricter_rates_have_stricter_boundaries_however_blocks_are_lost(taken: list[int], spending: str, last: bool) -> None:
    found = Looks((2, 12), 0.05, spending).boundaries(taken, last)
    assert np.all(np.diff(found.levels, axis=0) > 0)
    repeated = [look for look in range(1, len(taken)) if taken[look] == taken[look - 1]]
    assert all(np.array_equal(found.levels[:, look], found.levels[:, look - 1]) for look in repeated)


@few
@given(blocks, spendings, st.lists(st.floats(1e-9, 1), min_size=5, max_size=5), st.floats(0.1, 0.99))
def test_a_smaller_p_at_a_look_never_gives_a_larger_one_over_all(
    taken: list[int], spending: str, nominal: list[float], factor: float
) -> None:
    found = Looks((2, 12), 0.05, spending).boundaries(taken)
    p = nominal[: len(taken)]
    whole = found.p(p)
    assert whole >= min(p) * (1 - 1e-6)
    assert all(found.p([value * (factor if i == look else 1) for i, value in enumerate(p)]) <= whole for look in range(len(p)))
    earlier = Looks((2, 12), 0.05, spending).boundaries(taken[:-1]).p(p[:-1]) if len(p) > 1 else 1.0
    assert whole <= earlier * (1 + 1e-9)  # what was shown stands


def test_lost_blocks_cost_no_error_rate_at_the_last_look() -> None:
    looks = Looks((4, 8))
    short = looks.boundaries([4, 7], last=True).level(0.025)
    assert short > 1.1 * looks.boundaries([4, 7]).level(0.025)
    assert short < 0.025


def test_the_interval_of_a_look_ends_at_0_where_its_p_reaches_5_percent() -> None:
    found = Looks((4, 8, 12)).boundaries([4, 8])
    half = -special.stdtrit(20.0, found.level(0.025))
    for size in (0.999, 1.001):
        effect = over_looks([Effect(0.0, 1.0, 10.0), Effect(size * half, 1.0, 20.0)], found)
        assert (effect.ci()[0] > 0) == (effect.p < 0.05) == (size > 1)
        assert effect.ci()[1] - effect.ci()[0] > 2.1 * special.stdtrit(20.0, 0.975)


def test_an_effect_that_has_changed_its_sign_since_shows_nothing() -> None:
    found = Looks((6, 12), 0.05, "pocock").boundaries([6, 12])
    assert over_looks([Effect(3.0, 1.0, 30.0), Effect(0.1, 1.0, 60.0)], found).p < 0.05
    assert over_looks([Effect(3.0, 1.0, 30.0), Effect(-0.1, 1.0, 60.0)], found).p == 1.0


def test_negligible_is_tested_over_the_looks_too() -> None:
    found = Looks((6, 12)).boundaries([6])
    near = [Effect(0.0, 0.1, 30.0)]
    assert equivalence_p(near, 0.2) < 0.05 < equivalence_p(near, 0.2, found)
    assert equivalence_p(near, 0.6, found) < 0.05


def test_blocks_lost_before_a_look_leave_a_verdict() -> None:
    y = simulate(np.random.default_rng(2), 6, (3.0, 0.0), noise=0.3)
    y[[3, 4, 5], 0] = np.nan
    looks = Looks((2, 4, 6))
    assert judge(Table(y), full_factorial("ab"), "m", 0.5, looks).fixes["a"].word == "helps"
    y[1, 0] = np.nan  # the first look has one block, the others two
    assert judge(Table(y), full_factorial("ab"), "m", 0.5, looks).fixes


def test_looks_to_come_are_worked_out_with_those_taken_and_change_nothing() -> None:
    rule, before = Looks((3, 5, 8, 11)), boundaries.cache_info().misses
    found = [rule.boundaries(rule.seeds[:taken], taken == 4).levels for taken in range(1, 5)]
    assert boundaries.cache_info().misses - before == 1
    for taken, levels in enumerate(found, 1):
        alone = boundaries(tuple(seeds / 11 for seeds in rule.seeds[:taken]), rule.spending)
        assert levels == pytest.approx(alone.levels, rel=1e-6)


@pytest.mark.parametrize("taken", [(2, 5), (3, 3), (5,), (8, 8, 8, 8), (2, 5, 7, 10)])
def test_looks_to_come_after_lost_blocks_change_nothing(taken: tuple[int, ...]) -> None:
    rule = Looks((3, 5, 8, 11))
    alone = boundaries(tuple(blocks / 11 for blocks in taken), rule.spending, len(taken) == 4)
    assert rule.boundaries(taken, len(taken) == 4).levels == pytest.approx(alone.levels, rel=1e-6)
