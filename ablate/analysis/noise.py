"""Is the noise what the analysis takes it to be? Runs that stand out, and arms whose noise differs a lot.

Both are said, and change nothing: leaving out what stands out would make the rest look more certain than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from ablate.analysis.effects import Array, residual

#: Of no outlier or of equal noise, over the whole study.
ALPHA = 0.01
#: Noise of arms that differs less than this is not worth a word.
RATIO = 3.0


@dataclass(frozen=True)
class Outlier:
    """A run that stands out: its row and column, and how many standard deviations it lies from what seed and arm would give."""

    seed: int
    arm: int
    distance: float


@dataclass(frozen=True)
class Unequal:
    """Noise that differs between arms: the columns of the noisiest and the quietest, and their standard deviations."""

    most: int
    least: int
    most_sd: float
    least_sd: float

    @property
    def ratio(self) -> float:
        """The noisiest over the quietest."""
        return self.most_sd / self.least_sd if self.least_sd else np.inf


def outliers(y: Array) -> list[Outlier]:
    """Runs whose externally studentised residual is too large for chance, Bonferroni over all runs; the farthest first.

    Takes three seeds and three arms: with two, the residuals of both are alike and no one run can be named.

    Args:
        y: outcomes of complete blocks, [seeds, arms].
    """
    seeds, arms = y.shape
    if seeds < 3 or arms < 3:
        return []
    left = residual(y)
    df = (seeds - 1) * (arms - 1)
    if left.mean_square <= (64 * np.finfo(float).eps * np.abs(y).max()) ** 2:  # no noise but rounding
        return []
    inner = left.values / np.sqrt(left.mean_square * df / y.size)  # internally studentised: at most √df
    outer = inner * np.sqrt((df - 1) / np.maximum(df - inner**2, 1e-12))
    p = np.minimum(1.0, y.size * 2 * special.stdtr(df - 1, -np.abs(outer)))
    found = [Outlier(int(seed), int(arm), float(inner[seed, arm])) for seed, arm in np.argwhere(p < ALPHA)]
    return sorted(found, key=lambda each: -abs(each.distance))


def unequal(y: Array) -> Unequal | None:
    """The noisiest and the quietest arm, where noise differs by Brown and Forsythe's test (1974) and at least 3-fold.

    Args:
        y: outcomes of complete blocks, [seeds, arms]; takes three of each.
    """
    seeds, arms = y.shape
    if seeds < 3 or arms < 3:
        return None
    left = residual(y)
    sd = np.sqrt((left.values**2).sum(axis=0) / (seeds - 1) / (1 - 1 / arms))
    away = np.abs(left.values - np.median(left.values, axis=0))
    between = seeds * ((away.mean(axis=0) - away.mean()) ** 2).sum() / (arms - 1)
    within = ((away - away.mean(axis=0)) ** 2).sum() / (arms * (seeds - 1))
    p = float(special.fdtrc(arms - 1, arms * (seeds - 1), between / within)) if within > 0 else 1.0
    most, least = int(sd.argmax()), int(sd.argmin())
    if p >= ALPHA or sd[most] <= RATIO * sd[least]:
        return None
    return Unequal(most, least, float(sd[most]), float(sd[least]))
