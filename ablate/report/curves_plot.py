"""The figure of a metric that can't be compared: a panel an arm, and right below it the counterpart that can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.design import Arm, Plan
from ablate.report.curves import Band, Curves
from ablate.report.labels import alone, bracketed, folded, step_label
from ablate.report.palette import FAINT, INK, SOFT, fix_styles
from ablate.report.strokes import QUIET, mark_event, outer, wide
from ablate.report.style import TEXT_WIDTH, new_figure

#: With more arms than this only the ends, each fix alone and, where there is room, each fix left out get a panel.
MOST_PANELS = 16
#: Where the design has fewer of those, its first arms get the panels.
FEWEST_PANELS = 4
#: Inches: around the panels, between columns, from a metric's row to its twin's, and between the rows of arms.
LEFT, RIGHT, BOTTOM, TOP, ACROSS, TWIN, DOWN = 0.78, 0.06, 0.40, 0.34, 0.12, 0.09, 0.34


@dataclass(frozen=True)
class Row:
    """A metric of every panel's arm.

    Attributes:
        chance: the metric of its chance level, if it has one.
        high: inches of a panel.
    """

    metric: str
    chance: str | None
    high: float


def panel_arms(plan: Plan) -> dict[str, str]:
    """Label → cell of the arms that get a panel, in standard order."""
    picked = _picked(plan)
    if len(picked) < FEWEST_PANELS:  # a fraction has few of them or none
        return {alone(plan.fixes, plan.cells[cell].label): cell for cell in plan.arm_ids()[:MOST_PANELS]}
    shown = {}
    for arm in (arm for arm in plan.layout.arms if arm in picked):
        missing = [name for name in plan.fixes if name not in arm]
        brief = len(plan.fixes) > 3 and len(missing) == 1
        shown[f"all on but {missing[0]}" if brief else alone(plan.fixes, plan.cells[plan.arms[arm]].label)] = plan.arms[arm]
    return shown


def _picked(plan: Plan) -> list[Arm]:
    """All arms; of too many the ends, each fix alone and each left out; of too many of these no fix left out."""
    arms, count = plan.layout.arms, len(plan.fixes)
    if len(arms) <= MOST_PANELS:
        return list(arms)
    alone = [arm for arm in arms if len(arm) in (0, count)] + [arm for arm in arms if len(arm) == 1]
    out = [arm for arm in arms if len(arm) == count - 1]
    return [*alone, *out] if len(alone) + len(out) <= MOST_PANELS else alone[:MOST_PANELS]


def panels(plan: Plan, curves: Curves, metric: str, chance: str | None, twin: tuple[str, str | None] | None) -> Any:
    """A panel an arm: mean over seeds with its 95 % interval, chance level dashed, events marked, other arms in grey.

    Args:
        metric, chance: what is drawn, and the metric of its chance level.
        twin: the counterpart, drawn below it for the same arms, with its own chance level.
    """
    arms = panel_arms(plan)
    columns = min(4, len(arms))
    blocks = -(-len(arms) // columns)
    rows = _rows(blocks, metric, chance, twin)
    block = sum(row.high for row in rows) + TWIN * (len(rows) - 1)
    figure = new_figure(TEXT_WIDTH, TOP + blocks * block + (blocks - 1) * DOWN + BOTTOM)
    for depth, row in enumerate(rows):
        down = sum(above.high + TWIN for above in rows[:depth])
        drawn = _axes(figure, len(arms), columns, (down, row.high, block + DOWN))
        _draw(plan, curves, row, arms, drawn)
        for index, axes in enumerate(drawn):
            last = index + columns >= len(arms) and depth == len(rows) - 1
            outer(axes, index % columns == 0, last)
            if last:
                axes.set_xlabel(step_label(plan), labelpad=2)
            if index % columns == 0:
                unit = bracketed(plan, row.metric, "\n")
                axes.set_ylabel(f"{_short(row.metric, int(row.high / 0.05))}{unit}", fontsize=7)
                axes.yaxis.set_label_coords(-0.30 / wide(axes), 0.5)
            if depth == 0:
                label = list(arms)[index]
                axes.set_title(folded(label, 24 if columns > 2 else 40, 2), loc="left", pad=3, fontsize=7.5, linespacing=0.95)
    return figure


def _short(metric: str, width: int) -> str:
    """A metric's name on two lines, without its group where it has no room for it."""
    lines = folded(metric, width, 2)
    return folded(metric.rpartition("/")[2], width, 2) if "…" in lines else lines


def _rows(blocks: int, metric: str, chance: str | None, twin: tuple[str, str | None] | None) -> list[Row]:
    """The rows of a block, so high that all blocks fit on a page."""
    high = {1: 1.25, 2: 1.1, 3: 0.95, 4: 0.8}[blocks]
    first = Row(metric, chance, high)
    return [first, Row(*twin, round(0.8 * high, 3))] if twin else [first]


def _axes(figure: Any, count: int, columns: int, place: tuple[float, float, float]) -> list[Any]:
    """Axes in reading order; place: from the block's top, a panel's height, from block to block, inches."""
    width, height = figure.get_size_inches()
    down, high, step = place
    wide = (width - LEFT - RIGHT - ACROSS * (columns - 1)) / columns
    found = []
    for index in range(count):
        row, column = divmod(index, columns)
        x, y = LEFT + column * (wide + ACROSS), height - TOP - down - high - row * step
        found.append(figure.add_axes((x / width, y / height, wide / width, high / height)))
    return found


def _draw(plan: Plan, curves: Curves, row: Row, arms: Mapping[str, str], drawn: list[Any]) -> None:
    bands = {cell: curves.band(cell, row.metric) for cell in arms.values()}
    levels = {cell: curves.band(cell, row.chance) if row.chance else None for cell in arms.values()}
    known = [band for band in (*bands.values(), *levels.values()) if band]
    colours = _colours(plan)
    told: set[str] = set()
    for axes, cell in zip(drawn, arms.values(), strict=True):
        if known:
            axes.set_xlim(*step_limits(known))
        axes.set_ylim(*limits(known))
        axes.locator_params(nbins=4)
        if bands[cell] is None:
            _absent(axes)
            continue
        _panel(axes, bands, cell, colours[cell])
        if level := levels[cell]:
            axes.plot(level.steps, level.mean, color=QUIET, lw=0.8, ls=(0, (4, 2)), zorder=3)
            if "chance" not in told:
                axes.annotate(
                    "chance", (level.steps[-1], level.mean[-1]), xytext=(0, 2), textcoords="offset points", ha="right",
                    va="bottom", fontsize=6.5, color=SOFT,
                )  # fmt: skip
                told.add("chance")
        for event, text in events(plan).items():
            at = curves.start(cell, event)
            mark_event(axes, at, text if at is not None and event not in told and row.chance else "")
            told |= {event} if at is not None else set()


def _colours(plan: Plan) -> dict[str, str]:
    """Cell → its line's colour: an arm of one fix has that fix's."""
    styles = fix_styles(plan.fixes)
    found = {}
    for arm, cell in plan.arms.items():
        (one,) = arm if len(arm) == 1 else ("",)
        found[cell] = styles[one].colour if one else INK if len(arm) == len(styles) else SOFT
    return found


def _panel(axes: Any, bands: Mapping[str, Band | None], cell: str, colour: str) -> None:
    for other, band in bands.items():
        if band and other != cell:
            axes.plot(band.steps, band.mean, color=FAINT, lw=0.5, zorder=1)
    band = bands[cell]
    assert band is not None
    axes.fill_between(band.steps, band.low, band.high, color=colour, alpha=0.22, lw=0, zorder=2)
    axes.plot(band.steps, band.mean, color=colour, lw=1.3, zorder=3, **marks(band))


def _absent(axes: Any) -> None:
    axes.text(0.5, 0.5, "no completed run", transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=7)


def events(plan: Plan) -> dict[str, str]:
    """Metric → what happens at the first step at which it is above 0, as the target declares it."""
    return {name: about.event for name, about in plan.target.declaration.metrics.items() if about.event}


def marks(band: Band) -> dict[str, Any]:
    """Points are shown where a metric is logged rarely."""
    return {"marker": "o", "ms": 2.2} if len(band.steps) <= 12 else {}


def step_limits(bands: list[Band]) -> tuple[float, float]:
    """The steps that any of the bands has, and a little room."""
    low, high = min(band.steps[0] for band in bands), max(band.steps[-1] for band in bands)
    margin = 0.03 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def limits(bands: list[Band]) -> tuple[float, float]:
    """The span of all means with part of the bands; outliers of a diverging run are cut."""
    if not bands:
        return 0.0, 1.0
    means = np.concatenate([band.mean for band in bands])
    edges = np.concatenate([np.concatenate([band.low, band.high]) for band in bands])
    inner_low, inner_high = np.percentile(means, [1, 99])
    spare = 3 * (inner_high - inner_low)
    low, high = max(edges.min(), inner_low - spare), min(edges.max(), inner_high + spare)
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)
