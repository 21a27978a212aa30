"""What a design can detect before it is run, and how wide its answers will be."""

from __future__ import annotations

import math

from scipy import special

from ablate.analysis.effects import Array, block_residual, t_quantile


def detectable_effect(fixes: int, seeds: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest main effect found with this power, in units of the noise (standard deviation) of a single run.

    Two-sided t on the pooled residual of the 2^k block design, at alpha / k: Holm's first step, the strictest, so the figure
    holds whichever fix has the effect. Solved from the noncentral t distribution.
    """
    arms = 2**fixes
    df = (arms - 1) * (seeds - 1)
    critical = t_quantile(1 - alpha / fixes / 2, df)
    noncentrality = float(special.nctdtrinc(df, 1 - power, critical))
    return noncentrality * math.sqrt(4 / (seeds * arms))


def noise(y: Array) -> float:
    """Standard deviation of a single run within its block and arm: the root of the residual mean square of `y`, [seeds, arms]."""
    return math.sqrt(block_residual(y)[0])
