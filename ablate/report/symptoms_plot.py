"""The figure of symptoms: what was reported and what is observed, on the range that chance allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis.symptoms import SymptomResult
from ablate.report.palette import CAUTION, INK, SOFT
from ablate.report.strokes import STRIP
from ablate.report.style import new_figure
from ablate.report.text import MINUS, clipped, number
from ablate.statements import Share

#: Where a mark further off than this is drawn, as an arrow; in half widths of the range from its middle.
EDGE = 1.6
#: Inches for the names left of the strips, and for the numbers right of them.
NAMES, NUMBERS = 2.45, 1.95
#: Where the columns of numbers end, inches right of the strips.
OBSERVED, ALLOWED = 0.8, 1.95
CAPTION = (
    "Bar: the range that chance allows, each on its own scale. Ring: reported (several where several were printed). Dot: "
    "observed here, red where the two differ. An arrow marks what lies further off."
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
    """A row a range, drawn from -1 to 1; the numbers stand in columns of their own."""
    figure = new_figure(width, 0.15 * len(rows) + 0.42)
    height = figure.get_size_inches()[1]
    wide = width - NAMES - NUMBERS
    axes = figure.add_axes((NAMES / width, 0.22 / height, wide / width, 0.15 * len(rows) / height))
    for place, row in enumerate(rows):
        _row(axes, place, row)
    axes.set(xlim=(-EDGE - 0.15, EDGE + 0.15), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [clipped(row.label, 52) for row in rows], fontsize=7)
    axes.set_xticks([0], ["what chance allows"])
    axes.tick_params(axis="both", length=0, pad=2)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for x, text, align in ((OBSERVED, "observed", "right"), (ALLOWED, "chance allows", "right")):
        axes.annotate(
            text, (1 + x / wide, -0.5), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
            ha=align, va="bottom", fontsize=6.5, color=SOFT, annotation_clip=False,
        )  # fmt: skip
    return figure


def _row(axes: Any, place: int, row: Strip) -> None:
    middle, half = (row.low + row.high) / 2, (row.high - row.low) / 2 or 1.0
    colour = INK if row.consistent else CAUTION
    axes.barh(place, 2, left=-1, height=0.52, color=STRIP, zorder=1)
    for values, fill, edge, size in ((row.reported, "white", INK, 4.5), (row.observed, colour, colour, 4.2)):
        for value in values:
            away = (value - middle) / half
            marker = "o" if abs(away) <= EDGE else ">" if away > 0 else "<"
            x = max(-EDGE, min(EDGE, away))
            axes.plot(x, place, marker, mfc=fill, mec=edge, ms=size, mew=0.9, zorder=3, clip_on=False)
    wide = axes.get_position().width * axes.figure.get_size_inches()[0]
    columns = ((OBSERVED, _between(row, row.observed), colour), (ALLOWED, _between(row, (row.low, row.high)), SOFT))
    for x, text, ink in columns:
        axes.annotate(
            text, (1 + x / wide, place), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7, color=ink,
            annotation_clip=False,
        )  # fmt: skip


def _between(row: Strip, values: Sequence[float]) -> str:
    low, high = row.written(min(values)).replace("-", MINUS), row.written(max(values)).replace("-", MINUS)
    return low if low == high else f"{low} to {high}"
