"""Effects as contrasts of arms with seeds as blocks: arrays in, `Effect`s out.

The model is the randomised complete block ANOVA (Montgomery, Design and Analysis of Experiments, ch. 4 and 6)::

    y[seed, arm] = mean + block[seed] + arm effect + noise

`y` holds the outcome, [seeds, arms]; a contrast is a weight an arm, [arms], all of one size or 0. Each contrast is tested against
the pooled residual of the arms it weighs: all arms for a main effect of a factorial, two for a paired difference. Unequal
noise between arms leaves that standard error unbiased and takes degrees of freedom (Satterthwaite 1946).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """An estimate with its standard error: `effect` is in the outcome's unit, positive is better.

    Attributes:
        df: degrees of freedom of the error.
        level: of its interval; above 95 % where the study may have stopped early (a repeated confidence interval).
        spent: the p value over all looks, where there were several.
    """

    effect: float
    error: float
    df: float
    level: float = LEVEL
    spent: float | None = None

    def ci(self, level: float | None = None) -> tuple[float, float]:
        """The two-sided interval by Student's t."""
        half = self.error * t_quantile(0.5 + (level or self.level) / 2, self.df)
        return self.effect - half, self.effect + half

    @property
    def p(self) -> float:
        """Two-sided p of no effect."""
        return min(1.0, 2 * min(self.below(0.0), self.above(0.0))) if self.spent is None else self.spent

    def above(self, value: float) -> float:
        """One-sided p against an effect of at most `value`. Without any noise it is a sign test's, of df + 1 that agree."""
        if self.error == 0:
            return 1.0 if self.effect <= value else float(0.5 ** (self.df + 1))
        return float(special.stdtr(self.df, (value - self.effect) / self.error))

    def below(self, value: float) -> float:
        """One-sided p against an effect of at least `value`. Without any noise it is a sign test's, of df + 1 that agree."""
        if self.error == 0:
            return 1.0 if self.effect >= value else float(0.5 ** (self.df + 1))
        return float(special.stdtr(self.df, (self.effect - value) / self.error))


def decimals(effect: Effect) -> int:
    """Decimals that give the interval's half width two digits: an effect shows no more than is known."""
    low, high = effect.ci()
    scale = (high - low) / 2 or abs(effect.effect)
    if not math.isfinite(scale) or scale == 0:
        return 2
    return min(6, max(0, 1 - math.floor(math.log10(scale))))


def t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t."""
    return float(special.stdtrit(df, p))


@dataclass(frozen=True)
class Residual:
    """What is left of some arms' outcomes once seeds and arms are taken out.

    Attributes:
        values: [seeds, arms].
        mean_square: their pooled mean square; the mean of the arms' noise variances.
        df: Satterthwaite's degrees of freedom, between seeds - 1 and (seeds - 1)(arms - 1).
    """

    values: Array
    mean_square: float
    df: float

    @property
    def variances(self) -> Array:
        """Each arm's own noise variance, [arms], unbiased but for the cut at 0. Takes three arms."""
        seeds, arms = self.values.shape
        own = (self.values**2).sum(axis=0) / (seeds - 1)
        return np.asarray(np.maximum(0.0, (own - self.mean_square / arms) / (1 - 2 / arms)))


def residual(y: Array) -> Residual:
    """The residual of the additive seed + arm model.

    The noise v of each arm gives the sum of squares a mean of (seeds - 1) tr(P V) and a variance of 2 (seeds - 1) tr(P V P V),
    where P takes the mean over arms out; Satterthwaite's df match both. A variance's square is estimated as s⁴ (n - 1)/(n + 1),
    without which its estimate, and so the loss of degrees of freedom, is too large. The square of the mean square is too large
    likewise, by 1 + 2/df, and without it 2 degrees fewer are left: exactly seeds - 1 where one arm has all the noise.

    Args:
        y: outcomes, [seeds, arms].
    """
    seeds, arms = y.shape
    left = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    most = (seeds - 1) * (arms - 1)
    mean_square = float((left**2).sum() / most)
    pooled = Residual(left, mean_square, most)
    if arms < 3 or mean_square == 0:
        return pooled
    total = arms * mean_square
    fourth = float((pooled.variances**2).sum()) * (seeds - 1) / (seeds + 1)
    spread = fourth * (1 - 2 / arms) + (total / arms) ** 2
    df = (seeds - 1) * (total * (1 - 1 / arms)) ** 2 / spread - 2
    return Residual(left, mean_square, float(np.clip(df, seeds - 1, most)))


def contrasts(y: Array, weights: Mapping[str, Array]) -> dict[str, Effect]:
    """The effects of some contrasts.

    Args:
        y: outcomes, [seeds, arms], more is better.
        weights: name → a weight an arm, [arms], which sum to 0; those that are not 0 all of one size.
    """
    rounding = rounding_of(y)
    residuals: dict[bytes, Residual] = {}
    means = y.mean(axis=0)
    found = {}
    for name, weight in weights.items():
        used = weight != 0
        key = used.tobytes()
        if key not in residuals:
            residuals[key] = residual(y[:, used])
        left = residuals[key]
        error = float(np.sqrt(weight @ weight * left.mean_square / len(y)))
        found[name] = _clean(float(weight @ means), error, left.df, rounding)
    return found


def contrast(y: Array, weight: Array) -> Effect:
    """The effect of one contrast, as in `contrasts`."""
    return contrasts(y, {"": weight})[""]


def mean_effect(values: Array) -> Effect:
    """The mean of one value a seed, [seeds], as an effect, with its own standard error (n - 1 degrees of freedom)."""
    count = len(values)
    return Effect(float(values.mean()), float(values.std(ddof=1) / np.sqrt(count)), count - 1)


def rounding_of(y: Array) -> float:
    """Below this a figure made of `y` is rounding: of noise-free outcomes, neither noise nor an effect."""
    return 64 * float(np.finfo(float).eps) * float(np.abs(y).max())


def _clean(effect: float, error: float, df: float, rounding: float) -> Effect:
    return Effect(effect if abs(effect) > rounding else 0.0, error if error > rounding else 0.0, df)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p values (Holm 1979), within the family given."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda key: p[key])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}


def adjusted(effects: Mapping[str, Effect]) -> dict[str, float]:
    """Holm's adjusted p values of a family of effects."""
    return holm({name: effect.p for name, effect in effects.items()})


def per_seed(y: Array, weights: Sequence[float] | Array) -> Array:
    """A contrast of each seed by itself, [seeds]; weights need not be of one size."""
    return np.asarray(y @ np.asarray(weights, dtype=float))
