"""What a fix does alone, what its removal costs, and its Shapley share of the whole improvement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.analysis.effects import LEVEL, Array, Effect, contrast, mean_effect, per_seed, residual, rounding_of
from ablate.analysis.layout import Layout


@dataclass(frozen=True)
class Attribution:
    """One fix's part in all on less all off; None where the design lacks the arms.

    Attributes:
        alone: the fix added to all off, a paired difference of two arms.
        removed: all on less all on without the fix, a paired difference of two arms.
        share: its Shapley share, the mean over seeds of each seed's share.
    """

    alone: Effect | None
    removed: Effect | None
    share: Effect | None


@dataclass(frozen=True)
class Ends:
    """The outcome without any fix and with every one, each mean over seeds.

    Attributes:
        off, on: in the metric's own direction.
        difference: of on less off, positive is better; the fixes' shares sum to it.
    """

    off: Effect
    on: Effect
    difference: Effect


def ends_of(y: Array, layout: Layout, sign: float, level: float = LEVEL) -> Ends | None:
    """All off and all on; None where the design lacks either.

    Args:
        y: outcomes, [seeds, arms], more is better.
        layout: the arms.
        sign: -1 where less of the metric is better.
        level: of the intervals.
    """
    arms = (frozenset[str](), frozenset(layout.fixes))
    if not all(arm in layout.arms for arm in arms):
        return None
    off, on = (y[:, layout.named(arm)] for arm in arms)
    return Ends(*(replace(mean_effect(values), level=level) for values in (sign * off, sign * on, on - off)))


def attribute(y: Array, layout: Layout, level: float = LEVEL) -> Mapping[str, Attribution]:
    """Alone, removed and share of every fix.

    Args:
        y: outcomes, [seeds, arms].
        layout: the arms.
        level: of the intervals.
    """
    found = {}
    for fix in layout.fixes:
        parts = [contrast(y, weights) if weights is not None else None for weights in (layout.alone(fix), layout.removed(fix))]
        share = mean_effect(per_seed(y, layout.shares[fix])) if layout.shares else None
        weighed = (layout.alone(fix), layout.removed(fix), layout.shares[fix] if layout.shares else None)
        found[fix] = Attribution(*(_told(y, part, w, level) for part, w in zip((*parts, share), weighed, strict=True)))
    return found


def _told(y: Array, effect: Effect | None, weights: Array | None, level: float) -> Effect | None:
    """An effect at its level. Where the few seeds agree to the last digit by chance (an outcome counted in steps), though runs
    do differ, the noise of all arms stands in: an interval of width 0 would claim what two seeds can't show."""
    if effect is None or weights is None:
        return None
    if abs(effect.effect) <= rounding_of(y):
        effect = replace(effect, effect=0.0)
    if effect.error <= rounding_of(y) and effect.effect != 0:
        pooled = residual(y)
        effect = replace(effect, error=float((weights @ weights * pooled.mean_square / len(y)) ** 0.5), df=pooled.df)
    return replace(effect, level=level)
