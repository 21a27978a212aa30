"""The figure of where the time went: each worker's time in turn, and below it a bar a run, both by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.assess import Assessment
from ablate.profile import Profile, Stint
from ablate.report.forest_plot import names_width
from ablate.report.palette import INK, SOFT
from ablate.report.profile_part import FURTHER, MOST, lanes, named, percent
from ablate.report.style import TEXT_WIDTH, new_figure
from ablate.report.text import clipped, number

#: Hue belongs to the fixes: phases are told apart by grey, by hatches and by their order.
STYLES: Mapping[str, Mapping[str, str]] = {
    "imports": {"facecolor": "#A7B0BA"},
    "model": {"facecolor": "#DFE3E8"},
    "data": {"facecolor": "#8C97A3", "hatch": "//////", "edgecolor": "white"},
    "forward": {"facecolor": "#1F2933"},
    "backward": {"facecolor": "#6B7683"},
    "optimizer": {"facecolor": "#BCC4CD"},
    "evaluation": {"facecolor": "#F1F3F5", "hatch": "//////", "edgecolor": "#4A5560"},
    "logging": {"facecolor": "#4A5560"},
    "other": {"facecolor": "#D3D8DE", "hatch": "------", "edgecolor": "#8C97A3"},
}
#: A target's own.
OWN = ("#3B4652", "#B3BBC4", "#76818D", "#DADFE4")
#: Of a lane and its gap, of the legend's row, of an axis below its panel, inches; the room that bars may take.
LANE, LEGEND, AXIS, ROOM = 0.2, 0.17, 0.4, 6.1
#: A bar's greatest and least height, inches, and least height of a cell's, which has a label; of the gap between cells, in bars.
TALL, LOW, LABEL, GAP = 0.17, 0.035, 0.075, 0.5
#: Margin on the right, inches; characters of a name; inches of a legend's mark and of a character.
RIGHT, NAME, MARK, LETTER = 0.62, 26, 0.33, 0.055


#: What is drawn, in its order, and the phases that each stands for.
Names = Mapping[str, tuple[str, ...]]
#: A bar's lower edge, height and start, and its seconds by phase.
Row = tuple[float, float, float, Mapping[str, float]]


@dataclass(frozen=True)
class Bar:
    """Seconds by phase of a run, or the mean of a cell's."""

    label: str
    phases: Mapping[str, float]


def profile(found: Assessment) -> Any:
    """The figure; both panels have scales of their own, in seconds."""
    kept = found.profile
    assert kept is not None, "drawn only where there is a profile"
    shown, cells = list(lanes(kept))[:MOST], bars(found)[0]
    names = _stacked(kept)
    legend = _legend_rows(list(names))
    upper, lower = LANE * len(shown), _height(cells) * _units(cells)
    left = names_width([*(cell[0].label for cell in cells), *(name for name, *_ in shown)], NAME)
    figure = new_figure(TEXT_WIDTH, 0.06 + LEGEND * len(legend) + upper + AXIS + lower + AXIS)
    high = figure.get_size_inches()[1]
    top, bottom = (
        figure.add_axes((left / TEXT_WIDTH, y / high, (TEXT_WIDTH - left - RIGHT) / TEXT_WIDTH, size / high))
        for y, size in ((AXIS + lower + AXIS, upper), (AXIS, lower))
    )
    _workers(top, shown, names)
    _runs(bottom, cells, names)
    _legend(figure, legend, high)
    return figure


def bars(found: Assessment) -> tuple[list[list[Bar]], str]:
    """The bars of each cell, in the plan's order, and what a bar is: a run, a cell's mean where runs are too many for a page."""
    of_cell: dict[str, list[Bar]] = {}
    profiled = {stint.run_id: stint for stint in found.profile.stints} if found.profile else {}
    for run in sorted((*found.plan.runs, *found.plan.checks), key=lambda run: run.seed):
        if run.id in profiled:
            of_cell.setdefault(run.cell.id, []).append(Bar(run.cell.label, profiled[run.id].phases))
    order = {cell: at for at, cell in enumerate(found.plan.cells)}
    cells = [of_cell[cell] for cell in sorted(of_cell, key=lambda cell: order.get(cell, len(order)))]
    if _fits(cells):
        return cells, "a bar a run"
    means = [[_mean(cell)] for cell in cells]
    most = int(ROOM / (LABEL * (1 + GAP)))
    if len(means) <= most:
        return means, "a bar a cell, the mean of its runs"
    return means[:most], f"a bar a cell, the mean of its runs, for the first {most} of {len(means)} cells"


def _units(cells: Sequence[Sequence[Bar]]) -> float:
    """Height of all bars and gaps, in bars."""
    return sum(map(len, cells)) + GAP * len(cells)


def _height(cells: Sequence[Sequence[Bar]]) -> float:
    return min(TALL, ROOM / max(1.0, _units(cells)))


def _fits(cells: Sequence[Sequence[Bar]]) -> bool:
    high = _height(cells)
    return high >= LOW and all(high * (len(cell) + GAP) >= LABEL for cell in cells)


def _mean(cell: Sequence[Bar]) -> Bar:
    names = {name for bar in cell for name in bar.phases}
    return Bar(cell[0].label, {name: float(np.mean([bar.phases.get(name, 0.0) for bar in cell])) for name in names})


def _stacked(kept: Profile) -> Names:
    """The phases that have a name of their own, and the rest as one."""
    own = named(kept)
    further = tuple(name for name in kept.names if name not in own)
    return {name: (name,) for name in own} | ({FURTHER: further} if further else {})


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Fill of each phase."""
    own = [name for name in names if name not in STYLES]
    drawn = {name: {"facecolor": OWN[own.index(name) % len(OWN)], "hatch": "xxxxxx", "edgecolor": "white"} for name in own}
    return {name: drawn.get(name) or {"edgecolor": "none", **STYLES[name]} for name in names}


def _segments(phases: Mapping[str, float], start: float, names: Names) -> Iterator[tuple[str, float, float]]:
    """(phase, from, to) of one bar."""
    for name, parts in names.items():
        end = start + sum(phases.get(part, 0.0) for part in parts)
        if end > start:
            yield name, start, end
        start = end


def _fill(axes: Any, rows: Sequence[Row], names: Names) -> None:
    """Draw bars of (bottom, height, start, phases), one path a phase: hundreds of bars stay a small file."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    boxes: dict[str, list[Any]] = {}
    for low, high, start, phases in rows:
        for name, left, right in _segments(phases, start, names):
            corners = [(left, low), (left, low + high), (right, low + high), (right, low)]
            boxes.setdefault(name, []).append(corners)
    styles = _styles(list(names))
    for name, found in boxes.items():
        path = Path.make_compound_path_from_polys(np.array(found))
        axes.add_patch(PathPatch(path, lw=0, zorder=2, **styles[name]))


def _workers(axes: Any, shown: Sequence[tuple[str, Any, Any]], names: Names) -> None:
    """A row a worker: its runs in turn, what is not profiled hollow, and beside it how long it had none."""
    rows = []
    for at, (_, phase, lane) in enumerate(shown):
        for stint in lane.stints:
            start = stint.start - phase.start
            rows.append((at - 0.36, 0.72, start, stint.phases))
            _edge(axes, at, start, stint)
        idle = percent(max(0.0, phase.wall - lane.busy), phase.wall)
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
        axes.annotate(f"idle {idle}", (1, at), xycoords=("axes fraction", "data"), color=SOFT, fontsize=6.5, **place)
    _fill(axes, rows, names)
    axes.set_xlim(0, max(phase.wall for _, phase, _ in shown))
    _named(axes, [(at, name) for at, (name, *_) in enumerate(shown)], len(shown), 7)
    axes.set_xlabel("seconds since the first training began", labelpad=2)


def _edge(axes: Any, at: float, start: float, stint: Stint) -> None:
    """Where a run begins; the outline of one that was not profiled."""
    axes.plot([start, start], [at - 0.36, at + 0.36], color="white", lw=0.5, zorder=3, solid_capstyle="butt")
    if not stint.phases:
        x = [start, start, start + stint.seconds, start + stint.seconds, start]
        axes.plot(x, [at - 0.36, at + 0.36, at + 0.36, at - 0.36, at - 0.36], color=SOFT, lw=0.5, zorder=3)


def _runs(axes: Any, cells: Sequence[Sequence[Bar]], names: Names) -> None:
    """A bar a run, those of a cell beside each other and named once."""
    rows, labels, at = [], [], GAP / 2
    for cell in cells:
        labels.append((at + len(cell) / 2, cell[0].label))
        rows += [(at + row + 0.06, 0.88, 0.0, bar.phases) for row, bar in enumerate(cell)]
        at += len(cell) + GAP
    _fill(axes, rows, names)
    longest = max((sum(bar.phases.values()) for cell in cells for bar in cell), default=1.0)
    axes.set_xlim(0, 1.02 * longest)
    least = min((len(cell) + GAP for cell in cells), default=1.0)
    _named(axes, labels, at - GAP / 2, min(7.0, 72 * 0.82 * _height(cells) * least), shift=0.0)
    axes.set_xlabel("seconds in a run", labelpad=2)


def _named(axes: Any, labels: Sequence[tuple[float, str]], rows: float, size: float, shift: float = 0.5) -> None:
    axes.set_ylim(rows - shift, -shift)
    axes.set_yticks([at for at, _ in labels], [clipped(name, NAME) for _, name in labels], fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _legend_rows(names: Sequence[str]) -> list[list[str]]:
    """The names as they fit beside each other."""
    rows, wide = list[list[str]](), TEXT_WIDTH
    for name in names:
        size = MARK + LETTER * len(clipped(name, NAME))
        if wide + size > TEXT_WIDTH:
            rows.append([])
            wide = 0.0
        rows[-1].append(name)
        wide += size
    return rows


def _legend(figure: Any, rows: Sequence[Sequence[str]], high: float) -> None:
    """The phases in the order of the bars."""
    from matplotlib.patches import Patch

    styles = _styles([name for row in rows for name in row])
    for at, row in enumerate(rows):
        handles = [Patch(label=clipped(name, NAME), lw=0, **styles[name]) for name in row]
        corner = (0.0, 1 - (0.02 + LEGEND * at) / high)
        place = {"loc": "upper left", "bbox_to_anchor": corner, "borderaxespad": 0, "borderpad": 0, "ncols": len(row)}
        looks = {"handlelength": 1.3, "handleheight": 0.9, "columnspacing": 1.1, "handletextpad": 0.4, "fontsize": 7}
        figure.legend(handles=handles, labelcolor=INK, **looks, **place)


def profile_caption(found: Assessment) -> str:
    """What is drawn."""
    return (
        "Above, each worker's time, its runs in turn: what is left white it was idle, or had an attempt in hand that failed and "
        f"was made again. Below, {bars(found)[1]}, by cell and seed, checks included. Within a run the phases are summed, and "
        "stand in the legend's order, not in that of time."
    )


def profile_alt(found: Assessment) -> str:
    """The figure in words and numbers."""
    kept = found.profile
    assert kept is not None, "drawn only where there is a profile"
    parts = [f"{name} {percent(kept.totals[name], kept.capacity)}" for name in named(kept)]
    longest = max(sum(stint.phases.values()) for stint in kept.stints)
    said = ", ".join([*parts, f"idle {percent(kept.idle, kept.capacity)}"])
    return f"Where the workers' time went: {said}. The longest of {len(kept.stints)} runs took {number(longest)} seconds."
