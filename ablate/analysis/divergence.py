"""Runs that diverged, as an outcome of their own: how many of each arm, and whether a fix makes them fewer or more.

The test is an exact sign test over seeds. Runs that differ in one fix alone are compared within each seed; but a seed may make
all of its arms diverge, so pairs of one seed are not independent. So each seed counts once: by the number of its pairs in which
the run with the fix on diverged, less that in which the one with it off did. Of the seeds where this isn't 0, either sign is as
likely where the fix makes no difference. With fewer than six such seeds p can't be below 0.05.
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
        p: of no difference, by the exact sign test over seeds; None for a design without such pairs.
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
    pairs = [(without, given) for _, without, given in arm_pairs(layout, name)]
    off_runs, on_runs = (diverged[:, columns].ravel() for columns in (~on, on))
    columns = np.array(pairs, dtype=int).reshape(-1, 2)
    more = diverged[:, columns[:, 1]] - diverged[:, columns[:, 0]]  # [seeds, pairs]
    by_seed = np.nansum(more, axis=1)
    p = sign_test(int((by_seed < 0).sum()), int((by_seed > 0).sum())) if pairs else None
    counts = [int(np.nansum(runs)) for runs in (off_runs, on_runs)]
    ended = [int((~np.isnan(runs)).sum()) for runs in (off_runs, on_runs)]
    return FixDivergence(counts[0], counts[1], ended[0], ended[1], int((~np.isnan(more)).sum()), p, None)


def sign_test(one: int, other: int) -> float:
    """Exact two-sided p of a split of seeds, if either side were as likely."""
    total, least = one + other, min(one, other)
    tail: int = sum(math.comb(total, k) for k in range(least + 1))
    return min(1.0, math.ldexp(tail, 1 - total))
