"""Colours and marks that stand for the same thing on every page: a fix keeps its own in all figures, tables and documents.

Hue belongs to the fixes alone. Verdicts are told apart by their words and signs, the ends of the design by ink.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Found by search: each has a contrast of at least 3 to 1 on white, and any two are at least 15 apart (CIEDE2000) to normal
#: eyes and to those without long, middle or short cones (Machado et al. 2009); tests/report/test_palette.py computes it.
HUES = ("#2244CC", "#DD5511", "#118888", "#663333", "#AA77FF", "#BB8877", "#554466", "#AA1100")
#: matplotlib's marks. With more fixes than hues the hues come round with other marks and dashes.
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHES: tuple[tuple[float, ...], ...] = ((), (5.0, 2.0), (1.5, 1.5))

INK, SOFT, FAINT = "#1F2933", "#5B6572", "#C9CED6"
#: What a reader must not miss, and a fix that harms.
CAUTION = "#9C1C1C"
#: Colour and sign of the verdict's words.
WORDS = {"helps": INK, "harms": CAUTION, "negligible": "#6B7280", "inconclusive": "#7A5B00"}
SIGNS = {"helps": "▲", "harms": "▼", "negligible": "=", "inconclusive": "?"}


@dataclass(frozen=True)
class FixStyle:
    """How a fix is drawn.

    Attributes:
        colour: `#RRGGBB`.
        mark: matplotlib's marker.
        dash: lengths of ink and gap, points; empty for a solid line.
    """

    colour: str
    mark: str
    dash: tuple[float, ...]

    @property
    def line(self) -> str | tuple[float, tuple[float, ...]]:
        """matplotlib's line style."""
        return (0.0, self.dash) if self.dash else "-"


def fix_styles(fixes: Iterable[str]) -> dict[str, FixStyle]:
    """Each fix's style, by its place in the study file. No two are alike below 24 fixes."""
    count = len(HUES)
    return {
        name: FixStyle(HUES[i % count], MARKS[(i + i // count) % len(MARKS)], DASHES[i // count % len(DASHES)])
        for i, name in enumerate(fixes)
    }
