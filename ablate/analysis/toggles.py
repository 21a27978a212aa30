"""Whether a fix still helps at another value of a knob: its effect at each swept value, and a test that it is one effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from ablate.analysis.effects import Array, Effect, adjusted, holm, residual
from ablate.analysis.sequential import equivalence_p
from ablate.analysis.sweeps import block_means, blocks, listed, noise_floor
from ablate.analysis.verdict import ALPHA, word

#: What is said of the values at which a fix has a verdict.
PHRASES = {
    "helps": "helps at {}",
    "harms": "harms at {}",
    "negligible": "is too small to matter at {}",
    "inconclusive": "can't be told at {}",
}


@dataclass(frozen=True)
class TogglePoint:
    """A fix's effect while the knob is at a value; positive is better. `word` is as for a fix, by Holm over the values."""

    value: float
    effect: Effect
    word: str


@dataclass(frozen=True)
class Toggle:
    """A fix's effect against a knob.

    Attributes:
        points: by value; empty where two complete seeds are wanting.
        swept: how many values the knob was swept over, those included at which the fix was not turned.
        note: what the sentence adds, with its `; ` before it.
        p_same: of the effect being the same at every value, by Holm over the sweep's fixes; None for fewer than two values.
    """

    fix: str
    param: str
    points: tuple[TogglePoint, ...]
    p_same: float | None
    swept: int
    note: str = ""

    @property
    def sentence(self) -> str:
        """`memory_bank helps at 50 and 100 and can't be told at 5; the effect depends on it (p = 0.01)`."""
        if not self.points:
            return f"what {self.fix} does can't be told: fewer than two complete seeds{self.note}"
        places: dict[str, list[str]] = {}
        for point in self.points:
            places.setdefault(point.word, []).append(f"{point.value:.4g}")
        said = listed([PHRASES[word].format(listed(at)) for word, at in places.items()])
        if len(places) == 1 and len(self.points) == self.swept:
            (only,) = places
            said = PHRASES[only].format("any swept value" if only == "inconclusive" else "every swept value")
        return f"{self.fix} {said}{self._same(differ=len(places) > 1)}{self.note}"

    def _same(self, differ: bool) -> str:
        """What the test adds; nothing where it says what the words do."""
        if self.p_same is None or (self.p_same >= ALPHA and not differ):
            return ""
        p = "p < 0.001" if self.p_same < 0.001 else f"p = {self.p_same:.{3 if self.p_same < 0.1 else 2}f}"
        if self.p_same < ALPHA:
            return f"; its effect depends on {self.param} ({p})"
        return f"; that its effect depends on {self.param} is not shown ({p})"


def toggles(param: str, at: Sequence[float], differences: Mapping[str, Array], minimum: float) -> dict[str, Toggle]:
    """Each fix's effect at the swept values.

    Args:
        param: the knob.
        at: the swept values.
        differences: fix → on less off at each value, [seeds, values], more is better; NaN where there is no pair.
        minimum: the smallest effect worth having.
    """
    found = {fix: _toggle(fix, param, at, d, minimum) for fix, d in differences.items()}
    p = holm({fix: toggle.p_same for fix, toggle in found.items() if toggle.p_same is not None})
    return {fix: replace(toggle, p_same=p.get(fix)) for fix, toggle in found.items()}


def _toggle(fix: str, param: str, at: Sequence[float], differences: Array, minimum: float) -> Toggle:
    rows, columns = blocks(differences)
    d = differences[rows][:, columns]
    if len(d) < 2:
        return Toggle(fix, param, (), None, len(at))
    effects = dict(zip((float(value) for value, kept in zip(at, columns, strict=True) if kept), block_means(d), strict=True))
    p = adjusted({str(value): effect for value, effect in effects.items()})
    near = {value: equivalence_p([effect], minimum) if minimum else 1.0 for value, effect in effects.items()}
    points = (TogglePoint(v, effect, word(effect.effect, p[str(v)], near[v])) for v, effect in effects.items())
    return Toggle(fix, param, tuple(points), same_p(d) if len(effects) > 1 else None, len(at))


def same_p(d: Array) -> float:
    """The p of a fix's effect being the same at every value: the F test of value × fix within seeds.

    Both degrees of freedom shrink together where values differ in their noise (Box 1954).

    Args:
        d: on less off, [seeds, values].
    """
    seeds, count = d.shape
    left, means = residual(d), d.mean(axis=0)
    between = seeds * float(means.var(ddof=1))
    if np.sqrt(left.mean_square) <= noise_floor(d):
        return float(np.ptp(means) <= noise_floor(d))
    shrink = left.df / ((seeds - 1) * (count - 1))
    return float(special.fdtrc(shrink * (count - 1), left.df, between / left.mean_square))
