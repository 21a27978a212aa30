"""Looking at a study before it is complete: the error rate is spent over the looks, and intervals are widened for it.

Alpha spending is Lan and DeMets' (Biometrika 1983); boundaries come from the recursion of Armitage, McPherson and Rowe (1969) for
normal scores, and are used on the scale of nominal p values (Jennison and Turnbull, Group Sequential Methods, ch. 7 and 11). A
*sequential p value* is the least error rate at which a boundary would have been crossed by now (Liu and Anderson 2008): it is a p
value whatever made the study stop, so Holm's method applies to it. The interval is the repeated confidence interval (Jennison and
Turnbull 1989), which covers at every look at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import special

from ablate.analysis.effects import LEVEL, Array, Effect

#: Error rates at which boundaries are worked out; p values between them are interpolated, and none below the first is told.
RATES = np.concatenate([10.0 ** np.arange(-10, -2), np.geomspace(0.01, 0.5, 24)])
#: Points of the density between looks, and how many standard deviations below 0 it begins.
POINTS, REACH = 101, 9.0


def _obrien_fleming(rate: float, fraction: float) -> float:
    """Error spent by a fraction of the information, most of it at the end; one-sided."""
    return 2 * float(special.ndtr(special.ndtri(rate / 2) / math.sqrt(fraction)))


def _pocock(rate: float, fraction: float) -> float:
    """Error spent by a fraction of the information, about evenly; one-sided."""
    return rate * math.log1p((math.e - 1) * fraction)


SPENDING: dict[str, Callable[[float, float], float]] = {"obrien_fleming": _obrien_fleming, "pocock": _pocock}


@dataclass(frozen=True)
class Looks:
    """When a study is looked at.

    Attributes:
        seeds: paired seeds at each look, growing; one look only is a study of fixed size.
        alpha: the error rate over all looks.
        spending: how it is spent.
    """

    seeds: tuple[int, ...]
    alpha: float = 0.05
    spending: str = "obrien_fleming"

    def boundaries(self, taken: Sequence[int]) -> Boundaries:
        """The boundaries of the looks taken so far, by their complete blocks."""
        return boundaries(tuple(min(1.0, blocks / self.seeds[-1]) for blocks in taken), self.spending)


@dataclass(frozen=True)
class Boundaries:
    """One-sided nominal levels of the looks.

    Attributes:
        levels: [rates, looks]; row r holds the levels that spend RATES[r] in all.
    """

    levels: Array

    def p(self, nominal: Sequence[float]) -> float:
        """The sequential p value of the nominal one-sided ones, one a look."""
        return min(self._rate(look, p) for look, p in enumerate(nominal))

    def level(self, rate: float) -> float:
        """The nominal one-sided level of the last look, where `rate` is spent in all."""
        column = np.log(self.levels[:, -1])
        return float(np.exp(np.interp(math.log(rate), np.log(RATES), column)))

    def _rate(self, look: int, nominal: float) -> float:
        if nominal >= self.levels[-1, look]:
            return 1.0
        floor = max(nominal, 1e-300)
        return float(np.exp(np.interp(math.log(floor), np.log(self.levels[:, look]), np.log(RATES))))


@lru_cache(maxsize=256)
def boundaries(fractions: tuple[float, ...], spending: str) -> Boundaries:
    """Boundaries for looks at these fractions of the information, each in (0, 1] and none below the one before."""
    spend = SPENDING[spending]
    return Boundaries(np.array([_levels(fractions, lambda fraction, r=rate: spend(r, fraction)) for rate in RATES]))  # type: ignore[misc]


def _levels(fractions: Sequence[float], spent: Callable[[float], float]) -> list[float]:
    """One-sided nominal level of each look, so that no more than `spent(fraction)` is spent by then.

    The density of the score S (variance: the fraction) among studies that go on is kept on a grid below the boundary.
    """
    from scipy import optimize  # slow to import, and needed by few studies

    levels: list[float] = []
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    grid, mass = np.zeros(1), np.ones(1)
    before, used = 0.0, 0.0
    for fraction in fractions:
        step = math.sqrt(max(fraction - before, 1e-12))
        left = max(spent(fraction) - used, 1e-300)

        def crossing(bound: float, grid: Array = grid, mass: Array = mass, step: float = step) -> float:
            """The probability that a study goes on until here and then lies above the bound."""
            return float(mass @ special.ndtr((grid - bound) / step))

        def miss(bound: float, left: float = left, crossing: Callable[[float], float] = crossing) -> float:
            return math.log(max(crossing(bound), 1e-320)) - math.log(left)

        top = 40.0 * math.sqrt(fraction)
        bound = float(optimize.brentq(miss, -top, top))
        levels.append(float(special.ndtr(-bound / math.sqrt(fraction))))
        low = -REACH * math.sqrt(fraction)
        points = low + (bound - low) * (nodes + 1) / 2
        density = np.exp(-0.5 * ((points[:, None] - grid) / step) ** 2) / (step * math.sqrt(2 * math.pi)) @ mass
        grid, mass = points, density * weights * (bound - low) / 2
        before, used = fraction, spent(fraction)
    return levels


def over_looks(history: Sequence[Effect], bounds: Boundaries) -> Effect:
    """The last look's estimate, with the p value over all looks and the level of its repeated confidence interval."""
    higher = bounds.p([effect.above(0.0) for effect in history])
    lower = bounds.p([effect.below(0.0) for effect in history])
    level = 1 - 2 * bounds.level((1 - LEVEL) / 2)
    return replace(history[-1], level=level, spent=min(1.0, 2 * min(higher, lower)))


def equivalence_p(history: Sequence[Effect], minimum: float, bounds: Boundaries | None = None) -> float:
    """p of two one-sided tests that the effect lies beyond ± minimum (Schuirmann 1987); over all looks, if several."""
    nominal = [max(effect.above(-minimum), effect.below(minimum)) for effect in history]
    return bounds.p(nominal) if bounds else nominal[-1]
