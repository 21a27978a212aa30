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
from itertools import pairwise

import numpy as np
from scipy import special

from ablate.analysis.effects import LEVEL, Array, Effect

#: Error rates at which boundaries are worked out; p values between them are interpolated, and none below the first is told.
RATES = np.concatenate([10.0 ** np.arange(-10, -4), np.geomspace(1e-4, 0.01, 16, endpoint=False), np.geomspace(0.01, 0.5, 24)])
#: How many standard deviations of the score its density is followed below and above 0, and by how many points at least.
REACH, POINTS = 10.0, 81


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

    def boundaries(self, taken: Sequence[int], last: bool = False) -> Boundaries:
        """The boundaries of the looks taken so far.

        They don't depend on looks to come, but are worked out with these, once for all looks as long as no block is lost.

        Args:
            taken: complete blocks at each.
            last: whether the last of them is the last there will be: it spends all that is left, though blocks were lost.
        """
        planned, done = self.seeds, len(taken)
        lost = max(0, planned[min(done, len(planned)) - 1] - taken[-1])
        rest = () if last else tuple(seeds - lost for seeds in planned[done:])
        fractions = tuple(min(1.0, blocks / planned[-1]) for blocks in (*taken, *rest))
        whole = boundaries(fractions, self.spending, last and fractions[-1] < 1)
        return Boundaries(whole.levels[:, :done])

    @property
    def levels(self) -> list[float]:
        """The two-sided nominal p below which one fix by itself is decided at each look, if no block is lost."""
        planned = self.boundaries(self.seeds, last=True)
        return [2 * planned.level(self.alpha / 2, look) for look in range(len(self.seeds))]


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

    def level(self, rate: float, look: int = -1) -> float:
        """The nominal one-sided level of a look, the last unless told, where `rate` is spent in all."""
        column = np.log(self.levels[:, look])
        return float(np.exp(np.interp(math.log(rate), np.log(RATES), column)))

    def _rate(self, look: int, nominal: float) -> float:
        if nominal >= self.levels[-1, look]:
            return 1.0
        floor = max(nominal, 1e-300)
        return float(np.exp(np.interp(math.log(floor), np.log(self.levels[:, look]), np.log(RATES))))


@lru_cache(maxsize=1024)
def boundaries(fractions: tuple[float, ...], spending: str, last: bool = False) -> Boundaries:
    """Boundaries for looks at these fractions of the information, each in (0, 1] and none below the one before.

    The density of the score (its variance: the fraction) among studies that go on is kept on a grid below the boundary, for
    all RATES at once.

    Args:
        last: whether the last look spends all that is left, whatever its fraction.
    """
    spend = SPENDING[spending]
    spent = np.array([[spend(rate, fraction) for fraction in fractions] for rate in RATES])
    if last:
        spent[:, -1] = RATES
    levels = np.empty_like(spent)
    grid, mass = np.zeros((len(RATES), 1)), np.ones((len(RATES), 1))
    before, used = 0.0, np.zeros(len(RATES))
    for look, fraction in enumerate(fractions):
        if fraction <= before:  # no block was added: the same figures, which cross what they crossed before
            levels[:, look] = levels[:, look - 1]
            continue
        step = math.sqrt(fraction - before)
        bound = _bound(grid, mass, step, np.maximum(spent[:, look] - used, 1e-300), 40 * math.sqrt(fraction))
        levels[:, look] = special.ndtr(-bound / math.sqrt(fraction))
        if look + 1 < len(fractions):
            finest = min(step, *(math.sqrt(b - a) for a, b in pairwise((fraction, *fractions[look + 1 :])) if b > a), 1.0)
            grid, mass = _go_on(grid, mass, step, bound, math.sqrt(fraction), finest)
        before, used = fraction, spent[:, look]
    return Boundaries(levels)


def _bound(grid: Array, mass: Array, step: float, left: Array, top: float) -> Array:
    """The bounds that a study crosses now, having gone on until here, with probability `left`, [rates]; by bisection.

    Args:
        grid, mass: where the score was at the look before, and how likely, [rates, points].
        step: standard deviation of what was added since.
        top: beyond which no bound lies.
    """
    low, high = np.full(len(left), -top), np.full(len(left), top)
    for _ in range(50):
        middle = (low + high) / 2
        crossing = (mass * special.ndtr((grid - middle[:, None]) / step)).sum(axis=1)
        low, high = np.where(crossing > left, middle, low), np.where(crossing > left, high, middle)
    return np.asarray((low + high) / 2)


def _go_on(grid: Array, mass: Array, step: float, bound: Array, deviation: float, finest: float) -> tuple[Array, Array]:
    """The score's grid and mass among studies that go on below the bound; fine enough for the shortest step there will be."""
    count = min(1001, max(POINTS, math.ceil(4 * REACH * deviation / finest)))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    low = -REACH * deviation
    half = (np.clip(bound, low, REACH * deviation) - low) / 2
    points = low + half[:, None] * (nodes + 1)
    density = np.empty_like(points)
    for row in range(len(points)):  # a row at a time: the whole would be rates × points × points
        kernel = np.exp(-0.5 * ((points[row][:, None] - grid[row]) / step) ** 2)
        density[row] = kernel @ mass[row] / (step * math.sqrt(2 * math.pi))
    return points, density * weights * half[:, None]


def over_looks(history: Sequence[Effect], bounds: Boundaries) -> Effect:
    """The last look's estimate, with the p value over all looks and the level of its repeated confidence interval.

    What an earlier look showed stands, unless the estimate has changed its sign since: then nothing is shown.
    """
    now = history[-1]
    higher = bounds.p([effect.above(0.0) for effect in history])
    lower = bounds.p([effect.below(0.0) for effect in history])
    shown = higher if now.effect > 0 else lower if now.effect < 0 else 1.0
    return replace(now, level=1 - 2 * bounds.level((1 - LEVEL) / 2), spent=min(1.0, 2 * shown))


def equivalence_p(history: Sequence[Effect], minimum: float, bounds: Boundaries | None = None) -> float:
    """p of two one-sided tests that the effect lies beyond ± minimum (Schuirmann 1987); over all looks, if several.

    What an earlier look showed stands, unless the estimate lies beyond now.
    """
    if abs(history[-1].effect) >= minimum:
        return 1.0
    nominal = [max(effect.above(-minimum), effect.below(minimum)) for effect in history]
    return bounds.p(nominal) if bounds else nominal[-1]
