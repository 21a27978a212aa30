"""Runs that diverged, as an outcome of their own: how many of each arm, and whether a fix makes them fewer or more.

The test is McNemar's, exact (McNemar 1947): of the pairs of runs that differ in one fix alone and of which exactly one diverged,
the number with the fix on is binomial with probability 1/2 where the fix makes no difference. As in the analysis of the outcome,
pairs of one seed are taken to be as independent as pairs of two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ablate.analysis.checks import arm_pairs
from ablate.analysis.effects import Array, holm
from ablate.analysis.layout import Layout


@dataclass(frozen=True)
class FixDivergence:
    """Diverged runs of one fix.

    Attributes:
        off, on: how many runs diverged with the fix off and on, of `off_runs` and `on_runs` that ended.
        pairs: pairs of runs, of one seed and alike in all other fixes, in which both ended.
        p: of no difference, by the exact paired test; None for a design without such pairs.
        p_adjusted: over the fixes, by Holm.
    """

    off: int
    on: int
    off_runs: int
    on_runs: int
    pairs: int
    p: float | None
    p_adjusted: float | None


@dataclass(frozen=True)
class Divergence:
    """Diverged runs of a design.

    Attributes:
        runs: how many, of `ended` that completed or diverged.
        arms: arm → how many.
    """

    runs: int
    ended: int
    arms: Mapping[str, int]
    fixes: Mapping[str, FixDivergence]

    @property
    def named(self) -> list[str]:
        """The arms in which a run diverged."""
        return [arm for arm, count in self.arms.items() if count]


def count_diverged(diverged: Array, layout: Layout) -> Divergence:
    """Count and test.

    Args:
        diverged: [seeds, arms]; 1 where the run diverged, 0 where it completed, NaN where there is none.
        layout: the arms.
    """
    per_arm = np.nansum(diverged, axis=0).astype(int).tolist()
    counted = {name: _of_fix(diverged, layout, name) for name in layout.fixes}
    family = holm({name: found.p for name, found in counted.items() if found.p is not None})
    fixes = {
        name: FixDivergence(c.off, c.on, c.off_runs, c.on_runs, c.pairs, c.p, family.get(name)) for name, c in counted.items()
    }
    return Divergence(sum(per_arm), int((~np.isnan(diverged)).sum()), dict(zip(layout.labels, per_arm, strict=True)), fixes)


def _of_fix(diverged: Array, layout: Layout, name: str) -> FixDivergence:
    on = np.array([name in arm for arm in layout.arms])
    pairs = [(offs[0], ons[0]) for _, offs, ons in arm_pairs(layout, name) if len(offs) == len(ons) == 1]
    off_runs, on_runs = (diverged[:, columns].ravel() for columns in (~on, on))
    columns = np.array(pairs, dtype=int).reshape(-1, 2)
    less = (diverged[:, columns[:, 1]] - diverged[:, columns[:, 0]]).ravel()
    paired = less[~np.isnan(less)]
    p = mcnemar(int((paired < 0).sum()), int((paired > 0).sum())) if pairs else None
    counts = [int(np.nansum(runs)) for runs in (off_runs, on_runs)]
    ended = [int((~np.isnan(runs)).sum()) for runs in (off_runs, on_runs)]
    return FixDivergence(counts[0], counts[1], ended[0], ended[1], len(paired), p, None)


def mcnemar(one: int, other: int) -> float:
    """Exact two-sided p of a split of discordant pairs, if either side were as likely."""
    total, least = one + other, min(one, other)
    tail: int = sum(math.comb(total, k) for k in range(least + 1))
    return min(1.0, math.ldexp(tail, 1 - total))
