"""What a design can detect before it is run, and how many seeds would show what it could not."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from ablate.analysis.effects import Array, Effect, residual, t_quantile
from ablate.analysis.layout import Layout

POWER = 0.8
#: More paired seeds than this are not worth naming.
MOST_SEEDS = 100_000


def detectable_effect(layout: Layout, seeds: int, power: float = POWER, alpha: float = 0.05) -> float:
    """The smallest main effect found with this power, in units of the noise (standard deviation) of a single run.

    Two-sided t on the residual of the arms that an effect weighs, at alpha / k: Holm's first step, the strictest, so the figure
    holds whichever fix has the effect. Solved from the noncentral t distribution; of the fixes the one told worst counts.
    """
    return max(_detectable(weights, seeds, power, alpha / len(layout.mains)) for weights in layout.mains.values())


def _detectable(weights: Array, seeds: int, power: float, alpha: float) -> float:
    df = _df(weights, seeds)
    noncentrality = float(special.nctdtrinc(df, 1 - power, t_quantile(1 - alpha / 2, df)))
    return noncentrality * math.sqrt(float(weights @ weights) / seeds)


def _df(weights: Array, seeds: int) -> float:
    """Residual degrees of freedom of a contrast under equal noise."""
    return float((np.count_nonzero(weights) - 1) * (seeds - 1))


def noise(y: Array) -> float:
    """Standard deviation of a single run within its block and arm: the root of the residual mean square of `y`, [seeds, arms]."""
    return math.sqrt(residual(y).mean_square)


def seeds_for(weights: Array, size: float, alpha: float, power: float = POWER) -> int | None:
    """Paired seeds with which an effect of `size`, in units of a run's noise, is found with this power; None beyond MOST_SEEDS.

    Args:
        weights: the contrast, [arms].
        size: the effect ÷ the noise of a single run.
        alpha: two-sided, for this one test.
    """
    if size <= 0:
        return None
    known = (t_quantile(1 - alpha / 2, 1e9) + t_quantile(power, 1e9)) / size
    low = max(2, math.floor(known**2 * float(weights @ weights)))  # with the noise known: never more than it takes
    for seeds in range(min(low, MOST_SEEDS + 1), MOST_SEEDS + 1):
        if _detectable(weights, seeds, power, alpha) <= size:
            return seeds
    return None


def seeds_needed(effect: Effect, weights: Array, seeds: int, minimum: float, alpha: float) -> int | None:
    """Paired seeds that would show an effect of a fix that so many could not decide, going by the noise just measured.

    With them an effect as large as the smallest worth having, or as the one just seen where that is larger, is found with 80 %
    power; nothing is promised of a smaller one.

    Args:
        effect: as measured over `seeds` blocks.
        weights: its contrast, [arms].
        minimum: the smallest effect worth having.
        alpha: two-sided, for this one test.
    """
    run_noise = effect.error * math.sqrt(seeds / float(weights @ weights))
    size = max(abs(effect.effect), minimum)
    found = seeds_for(weights, size / run_noise, alpha) if run_noise > 0 and size > 0 else None
    return None if found is None else max(found, seeds + 1)
