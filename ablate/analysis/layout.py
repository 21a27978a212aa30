"""The arms of a design and what they can tell apart: each effect as a weighted sum of the arms' means.

Where arms come in *matched pairs* (two arms that differ in one fix alone), a fix's effect is the mean over its pairs of on less
off: no assumption about interactions is made. The full factorial, one fix at a time and named arms are all read so. A
fractional factorial has no such pairs; there an effect is the orthogonal contrast of Box, Hunter and Hunter (Statistics for
Experimenters, ch. 12), which is the sum of an effect and all of its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from math import factorial

import numpy as np

from ablate.analysis.effects import Array

Arm = frozenset[str]


@dataclass(frozen=True)
class Layout:
    """A design's arms.

    Attributes:
        fixes: the k fixes.
        arms: the fixes that are on in each arm, in the order of the outcomes' columns.
        fraction: whether effects are orthogonal contrasts (of a fractional factorial) rather than means over matched pairs.
    """

    fixes: tuple[str, ...]
    arms: tuple[Arm, ...]
    fraction: bool = False

    @cached_property
    def mains(self) -> Mapping[str, Array]:
        """Weights of each fix's main effect, [arms]; nothing for a fix that the arms can't tell."""
        found = {name: self._contrast((name,)) if self.fraction else self._pairs(name) for name in self.fixes}
        return {name: weights for name, weights in found.items() if weights is not None}

    @cached_property
    def interactions(self) -> Mapping[str, Array]:
        """Weights of how much one fix's effect grows when the other is turned on. Aliased pairs are one: `a*b = c*d`."""
        if not self.fraction:
            found = {f"{a}*{b}": self._squares(a, b) for a, b in combinations(self.fixes, 2)}
            return {name: weights for name, weights in found.items() if weights is not None}
        chains: dict[bytes, list[str]] = {}
        for pair in combinations(self.fixes, 2):
            chains.setdefault(self._signs(pair).tobytes(), []).append("*".join(pair))
        first = {" = ".join(names): tuple(names[0].split("*")) for names in chains.values()}
        return {name: 2 * self._contrast(pair) for name, pair in first.items()}

    def alone(self, fix: str) -> Array | None:
        """Weights of the fix added to all off; None where one of the two arms is not there."""
        return self._difference(frozenset({fix}), frozenset())

    def removed(self, fix: str) -> Array | None:
        """Weights of all on less all on without the fix; None where one of the two arms is not there."""
        full = frozenset(self.fixes)
        return self._difference(full, full - {fix})

    @cached_property
    def shares(self) -> Mapping[str, Array] | None:
        """Weights of each fix's Shapley share of all on less all off; None unless every combination is there.

        The value of a coalition is the outcome of its arm (Shapley 1953): the mean, over all orders in which fixes can be turned
        on, of what turning this one on adds.
        """
        count = len(self.fixes)
        if len(self.arms) < 2**count:
            return None
        orders = [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
        found = {}
        for fix in self.fixes:
            weights = np.zeros(len(self.arms))
            for index, arm in enumerate(self.arms):
                weights[index] = orders[len(arm) - 1] if fix in arm else -orders[len(arm)]
            found[fix] = weights
        return found

    def simple(self, fix: str, other: str, on: bool) -> Array | None:
        """Weights of the fix's effect among the arms with another fix on (or off); None where they can't tell."""
        if not self.fraction:
            return self._pairs(fix, {other: on})
        weights = self.mains[fix] + (1 if on else -1) * self._contrast((fix, other))
        return np.asarray(np.where(np.abs(weights) > 1e-12, weights, 0.0))

    def named(self, arms: Iterable[str]) -> int:
        """The column of an arm."""
        return self._column[frozenset(arms)]

    @cached_property
    def labels(self) -> list[str]:
        """Each arm as a person reads it."""
        return [arm_label(arm, self.fixes) for arm in self.arms]

    @cached_property
    def _column(self) -> Mapping[Arm, int]:
        return {arm: index for index, arm in enumerate(self.arms)}

    def _signs(self, names: Iterable[str]) -> Array:
        """+1 or -1 for each arm: the product over the fixes named of on (+1) and off (-1)."""
        return np.asarray(np.prod([[1.0 if name in arm else -1.0 for arm in self.arms] for name in names], axis=0))

    def _contrast(self, names: Iterable[str]) -> Array:
        return 2 * self._signs(names) / len(self.arms)

    def _pairs(self, fix: str, held: Mapping[str, bool] | None = None) -> Array | None:
        """Mean over pairs of arms that differ in the fix alone, among those where the held fixes are so."""
        pairs = [
            (self._column[arm], self._column[arm - {fix}])
            for arm in self.arms
            if fix in arm and arm - {fix} in self._column and all((other in arm) is on for other, on in (held or {}).items())
        ]
        return self._mean_of_pairs(pairs) if pairs else None

    def _squares(self, a: str, b: str) -> Array | None:
        """Mean over squares of arms that differ in two fixes alone of (both - one) - (other - none)."""
        weights = np.zeros(len(self.arms))
        count = 0
        for arm in (arm for arm in self.arms if {a, b} <= arm):
            corners = (arm, arm - {a}, arm - {b}, arm - {a, b})
            if all(corner in self._column for corner in corners):
                count += 1
                for corner, sign in zip(corners, (1, -1, -1, 1), strict=True):
                    weights[self._column[corner]] += sign
        return weights / count if count else None

    def _difference(self, better: Arm, worse: Arm) -> Array | None:
        if better not in self._column or worse not in self._column:
            return None
        return self._mean_of_pairs([(self._column[better], self._column[worse])])

    def _mean_of_pairs(self, pairs: list[tuple[int, int]]) -> Array:
        weights = np.zeros(len(self.arms))
        for plus, minus in pairs:
            weights[plus] += 1 / len(pairs)
            weights[minus] -= 1 / len(pairs)
        return weights


def arm_label(arm: Iterable[str], fixes: Sequence[str]) -> str:
    """`all off`, `all on`, or the fixes that are on, joined by `+` in the study's order."""
    on = [name for name in fixes if name in set(arm)]
    if not on:
        return "all off"
    return "all on" if len(on) == len(fixes) and len(fixes) > 1 else "+".join(on)


@lru_cache(maxsize=64)
def layout(fixes: tuple[str, ...], arms: tuple[Arm, ...], fraction: bool = False) -> Layout:
    """The layout of these arms; the same object for the same arms, so that its weights are worked out once."""
    return Layout(fixes, arms, fraction)


def full_factorial(fixes: Iterable[str]) -> Layout:
    """All on/off combinations in standard (Yates) order: the first fix varies fastest."""
    names = tuple(fixes)
    arms = (frozenset(name for bit, name in enumerate(names) if arm >> bit & 1) for arm in range(2 ** len(names)))
    return layout(names, tuple(arms))
