"""Do a fix's matched pairs of arms agree? Where they don't, their mean describes none of them.

A full factorial says by its interactions on which other fix an effect depends. A design that lacks the squares for it (one fix at
a time: a fix alone, and beside all others) still shows *that* it depends: two pairs of one fix differ by more than noise. Such
pairs share no arm, so their difference is a contrast of four arms, tested on the residual of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ablate.analysis.effects import Array
from ablate.analysis.fractions import MOST_FACTORS, exists
from ablate.analysis.layout import Arm, Layout

if TYPE_CHECKING:
    from ablate.analysis.verdict import Family


@dataclass(frozen=True)
class Apart:
    """Two pairs of a fix that differ: the arms that it was added to, and what it added there, more first."""

    fix: str
    bases: tuple[Arm, Arm]
    effects: tuple[float, float]

    def said(self, layout: Layout) -> str:
        """`a adds +1.13 alone but −0.93 beside all others`."""
        (first, second), (more, less) = (_beside(base, self.fix, layout) for base in self.bases), self.effects
        return f"{self.fix} adds {more:+.3g} {first} but {less:+.3g} {second}".replace(" -", " −")


def disagreements(family: Family, y: Array, layout: Layout) -> Mapping[str, str]:
    """For each fix whose pairs differ, by an amount that matters: the two that differ most, in words.

    Holm's method over all differences tested; where each fix has two pairs, that is over the fixes.

    Args:
        family: tests contrasts as all others are tested, over the looks taken.
        y: outcomes of complete blocks, [seeds, arms].
    """
    wanted = {} if layout.fraction else dict(_differences(layout))
    if not wanted:
        return {}
    tested = family.test({f"{fix} {index}": weights for index, ((fix, *_), weights) in enumerate(wanted.items())})
    found: dict[str, Apart] = {}
    for (fix, one, other), (effect, _, word) in zip(wanted, tested.values(), strict=True):
        if word not in ("helps", "harms"):
            continue
        bases = (one, other) if effect.effect > 0 else (other, one)
        adds = [float(y[:, layout.named(base | {fix})].mean() - y[:, layout.named(base)].mean()) for base in bases]
        if fix not in found or adds[0] - adds[1] > found[fix].effects[0] - found[fix].effects[1]:
            found[fix] = Apart(fix, bases, (adds[0], adds[1]))
    return {fix: apart.said(layout) for fix, apart in found.items()}


def remedy(said: str, layout: Layout) -> str:
    """The warning: what a fix's pairs show, and which design would tell more."""
    count = len(layout.fixes)
    designs = "full_factorial or resolution V design" if exists(count, 5) else "full_factorial design"
    fewer = " of fewer fixes" if count > MOST_FACTORS else ""
    return f"{said}: what it does depends on the others; a {designs}{fewer} would say on which"


def _differences(layout: Layout) -> Iterator[tuple[tuple[str, Arm, Arm], Array]]:
    """(fix, base, other base) → weights, of the fixes whose pairs the design's interactions don't compare already."""
    there = set(layout.arms)
    for fix in layout.mains:
        bases = [arm - {fix} for arm in layout.arms if fix in arm and arm - {fix} in there]
        if _joined(bases):
            continue
        for one, other in combinations(bases, 2):
            weights = 0.0 * layout.mains[fix]
            for arm, weight in ((one | {fix}, 1), (one, -1), (other | {fix}, -1), (other, 1)):
                weights[layout.named(arm)] = weight
            yield (fix, one, other), weights


def _joined(bases: list[Arm]) -> bool:
    """Whether steps of one other fix lead from each pair to all others: each is a square, which an interaction tests."""
    reached, left = bases[:1], bases[1:]
    for base in reached:
        near = [other for other in left if len(base ^ other) == 1]
        reached += near
        left = [other for other in left if other not in near]
    return not left


def _beside(base: Arm, fix: str, layout: Layout) -> str:
    if not base:
        return "alone"
    if len(base) == len(layout.fixes) - 1:
        return "beside all others"
    return f"beside {'+'.join(name for name in layout.fixes if name in base)}"
