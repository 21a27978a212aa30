"""Effects of a balanced 2^k factorial with seeds as blocks: arrays in, `Effect`s out.

The model is the randomised complete block ANOVA (Montgomery, Design and Analysis of Experiments, ch. 4 and 6)::

    y[seed, arm] = mean + block[seed] + arm effect + noise

The 2^k - 1 contrasts of the arms are orthogonal; each is tested against the pooled residual with
(2^k - 1)(n - 1) degrees of freedom. `y` holds the outcome with arms in standard (Yates) order, first fix fastest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """An estimate with its standard error: `effect` is in the outcome's unit, positive is better."""

    effect: float
    error: float
    df: float

    def ci(self, level: float = 0.95) -> tuple[float, float]:
        """The two-sided interval by Student's t."""
        half = self.error * t_quantile(0.5 + level / 2, self.df)
        return self.effect - half, self.effect + half

    @property
    def p(self) -> float:
        """Two-sided p of no effect. With no noise at all, 1 for an effect of exactly 0 and 0 otherwise."""
        if self.error == 0:
            return float(self.effect == 0)
        return float(2 * special.stdtr(self.df, -abs(self.effect) / self.error))


def t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t."""
    return float(special.stdtrit(df, p))


def signs(count: int) -> Array:
    """+1 where a fix is on and -1 where it is off, [2^count arms, count fixes], in standard order."""
    arms = np.arange(2**count)[:, None]
    return np.where((arms >> np.arange(count)) & 1, 1.0, -1.0)


def block_residual(y: Array) -> tuple[float, int]:
    """Mean square of the residual of the additive seed + arm model, and its degrees of freedom.

    Args:
        y: outcomes, [seeds, arms].
    """
    seeds, arms = y.shape
    residual = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    df = (seeds - 1) * (arms - 1)
    return float((residual**2).sum() / df), df


def factorial_effects(y: Array, names: Sequence[str]) -> tuple[dict[str, Effect], dict[str, Effect]]:
    """Main effects and two-way interactions.

    A main effect is the mean of the arms with the fix on less that of the arms with it off. An interaction `A*B` is how
    much A's effect grows when B is turned on: (effect of A with B on) less (effect of A with B off).

    Args:
        y: outcomes, [seeds, 2^k arms in standard order], more is better.
        names: the k fixes.
    """
    seeds, arms = y.shape
    mean_square, df = block_residual(y)
    sign, means = signs(len(names)), y.mean(axis=0)
    error = float(np.sqrt(4 * mean_square / (seeds * arms)))
    rounding = 64 * np.finfo(float).eps * float(np.abs(y).max())  # of noise-free outcomes: neither noise nor an effect

    def effect(contrast: Array, scale: float) -> Effect:
        value, spread = float(2 * scale * (contrast @ means) / arms), scale * error
        return Effect(value if abs(value) > rounding else 0.0, spread if spread > rounding else 0.0, df)

    mains = {name: effect(sign[:, i], 1) for i, name in enumerate(names)}
    pairs = {f"{names[i]}*{names[j]}": effect(sign[:, i] * sign[:, j], 2) for i, j in combinations(range(len(names)), 2)}
    return mains, pairs


def paired_difference(better: Array, worse: Array) -> Effect:
    """Mean of paired differences over seeds, both [seeds], with its own standard error (n - 1 degrees of freedom)."""
    found = mean_effect(better - worse)
    rounding = 64 * np.finfo(float).eps * float(max(np.abs(better).max(), np.abs(worse).max()))
    return replace(found, effect=found.effect if abs(found.effect) > rounding else 0.0)


def mean_effect(values: Array) -> Effect:
    """The mean of one value a seed, [seeds], as an effect."""
    count = len(values)
    return Effect(float(values.mean()), float(values.std(ddof=1) / np.sqrt(count)), count - 1)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p values (Holm 1979), within the family given."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda key: p[key])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}
