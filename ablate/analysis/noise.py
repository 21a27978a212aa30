"""Is the noise what the analysis takes it to be? Runs that stand out, and arms or fixes whose noise differs a lot.

Both are said, and change nothing: leaving out what stands out would make the rest look more certain than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analysis.effects import Array, holm, residual
from ablate.analysis.layout import Layout

#: Of no outlier or of equal noise, over the whole study.
ALPHA = 0.01
#: Noise of arms that differs less than this is not worth a word.
RATIO = 3.0
#: So with a fix on and off, pooled and in the median arm: one loud arm is not taken for a fix.
FIX_RATIO = 2.0


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


@dataclass(frozen=True)
class Differs:
    """What is unequal: arms, and fixes with the ratio of noise (standard deviations) with the fix on to that with it off."""

    arms: Unequal | None = None
    fixes: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.arms is not None or bool(self.fixes)


def differs(y: Array, layout: Layout) -> Differs:
    """Where noise is unequal: between arms one by one, and between those with a fix on and off, Holm over all these tests.

    Args:
        y: outcomes of complete blocks, [seeds, arms]; takes three of each.
        layout: the arms.
    """
    if min(y.shape) < 3:
        return Differs()
    arms, p_arms = _arms(y)
    tested = {fix: _by_fix(y, np.array([fix in arm for arm in layout.arms])) for fix in layout.fixes}
    p = holm({"": p_arms, **{fix: each[1] for fix, each in tested.items()}})
    loud = {fix: ratio for fix, (ratio, _) in tested.items() if ratio and p[fix] < ALPHA}
    return Differs(arms if p[""] < ALPHA else None, dict(sorted(loud.items(), key=lambda item: -abs(np.log(item[1])))))


def _arms(y: Array) -> tuple[Unequal | None, float]:
    """The noisiest and the quietest arm, where they differ 3-fold, and the p of Brown and Forsythe's test (1974)."""
    seeds, arms = y.shape
    left = residual(y)
    sd = np.sqrt((left.values**2).sum(axis=0) / (seeds - 1) / (1 - 1 / arms))
    away = np.abs(left.values - np.median(left.values, axis=0))
    between = seeds * ((away.mean(axis=0) - away.mean()) ** 2).sum() / (arms - 1)
    within = ((away - away.mean(axis=0)) ** 2).sum() / (arms * (seeds - 1))
    p = float(special.fdtrc(arms - 1, arms * (seeds - 1), between / within)) if within > 0 else 1.0
    most, least = int(sd.argmax()), int(sd.argmin())
    far = sd[most] > RATIO * sd[least]
    return (Unequal(most, least, float(sd[most]), float(sd[least])) if far else None), p


def _by_fix(y: Array, on: NDArray[np.bool_]) -> tuple[float, float]:
    """The ratio of noise with a fix on to that with it off, 0 where it is not worth a word, and p: F of two mean squares.

    Seeds and arms are taken out of each side by itself, so the two are independent; with Satterthwaite's degrees of freedom.

    Args:
        y: outcomes, [seeds, arms].
        on: the arms with the fix on, [arms].
    """
    if min(on.sum(), (~on).sum()) < 2:
        return 0.0, 1.0
    given, without = residual(y[:, on]), residual(y[:, ~on])
    least = (64 * float(np.finfo(float).eps) * float(np.abs(y).max())) ** 2
    if min(given.mean_square, without.mean_square) <= least:  # no noise but rounding: there is no ratio
        return 0.0, 1.0
    loud = given.mean_square > without.mean_square
    more, less = (given, without) if loud else (without, given)
    p = min(1.0, 2 * float(special.fdtrc(more.df, less.df, more.mean_square / less.mean_square)))
    left = y - y.mean(axis=0)
    each = ((left - np.median(left, axis=1, keepdims=True)) ** 2).sum(axis=0)  # medians, which one loud arm hardly moves
    typical = [np.sort(each[side]) for side in ((on, ~on) if loud else (~on, on))]
    lower, upper = typical[0][(len(typical[0]) - 1) // 2], typical[1][len(typical[1]) // 2]  # medians, the more cautious way
    worth = min(more.mean_square / less.mean_square, lower / upper if upper > 0 else np.inf) > FIX_RATIO**2
    return (float(np.sqrt(given.mean_square / without.mean_square)) if worth else 0.0), p
