"""The figure of symptoms: what was reported and what is observed, on the range that chance allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis.symptoms import SymptomResult
from ablate.report.style import ACCENT, CAUTION, INK, new_figure
from ablate.report.text import clipped, number
from ablate.statements import Share

#: Where a mark further off than this is drawn, as an arrow; in half widths of the range from its middle.
EDGE = 3.0
CAPTION = (
    "Bar: the range that chance allows, each on its own scale. Ring: reported (several where several were printed). Dot: "
    "observed here, blue where the two are consistent. An arrow marks what lies further off."
)


@dataclass(frozen=True)
class Strip:
    """A row of the figure: a range with what was reported and observed, in the symptom's unit."""

    label: str
    low: float
    high: float
    reported: tuple[float, ...]
    observed: tuple[float, ...]
    consistent: bool
    counts: bool = True

    def written(self, value: float) -> str:
        """A value of this row as text; counts are whole."""
        return f"{value:.0f}" if self.counts else number(value)


def strips(results: Sequence[SymptomResult]) -> list[Strip]:
    """The rows: symptoms that have a range, a table of values as a row a value."""
    return [strip for result in results for strip in _strips(result)]


def _strips(result: SymptomResult) -> Iterator[Strip]:
    told, seen, bounds, agrees = result.symptom.reported, result.observed, result.interval, result.agreement == "consistent"
    name = result.symptom.name
    if isinstance(bounds, dict) and isinstance(told, dict) and isinstance(seen, dict):
        ratio = sum(seen.values()) / sum(told.values())
        for value, (low, high) in bounds.items():
            count = seen.get(value, 0)
            label = f"{name}: {value:g}"
            yield Strip(label, low, high, (told.get(value, 0) * ratio,), (count,), low <= count <= high)
    elif isinstance(bounds, tuple) and isinstance(told, Share) and isinstance(seen, Share):
        yield Strip(name, *bounds, (told.count * seen.of / told.of,), (seen.count,), agrees)
    elif isinstance(bounds, tuple) and isinstance(told, int | float | list) and isinstance(seen, tuple):
        yield Strip(name, *bounds, tuple(told) if isinstance(told, list) else (told,), seen, agrees, False)


def ranges(rows: Sequence[Strip], width: float) -> Any:
    """A row a range, the range from -1 to 1."""
    figure = new_figure(width, 0.155 * len(rows) + 0.12)
    axes = figure.add_axes((0.36, 0.02, 0.5, 0.96))
    for place, row in enumerate(rows):
        _row(axes, place, row)
    axes.set(xlim=(-EDGE - 0.25, EDGE + 0.25), ylim=(len(rows) - 0.4, -0.6), xticks=[], yticks=range(len(rows)))
    axes.set_yticklabels([clipped(row.label, 46) for row in rows])
    axes.tick_params(axis="y", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _row(axes: Any, place: int, row: Strip) -> None:
    middle, half = (row.low + row.high) / 2, (row.high - row.low) / 2 or 1.0
    colour = ACCENT if row.consistent else CAUTION
    axes.barh(place, 2, left=-1, height=0.5, color="#E3E7EC", zorder=1)
    for x, bound, align in ((-1.06, row.low, "right"), (1.06, row.high, "left")):
        axes.text(x, place, row.written(bound), ha=align, va="center", fontsize=6.5, color="#7B8794")
    for values, fill, edge, size in ((row.reported, "none", INK, 4.5), (row.observed, colour, colour, 4.5)):
        for value in values:
            away = (value - middle) / half
            marker = "o" if abs(away) <= EDGE else ">" if away > 0 else "<"
            x = max(-EDGE, min(EDGE, away))
            axes.plot(x, place, marker, mfc=fill, mec=edge, ms=size, mew=0.9, zorder=3, clip_on=False)
    low, high = row.written(min(row.observed)), row.written(max(row.observed))
    said = low if low == high else f"{low} to {high}"
    axes.text(EDGE + 0.35, place, said, va="center", fontsize=7, color=colour)
