"""Figures of curves: a panel an arm for a metric that can't be compared, a panel a metric for the others."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from ablate.design import Arm, Plan
from ablate.report.curves import Band, Curves
from ablate.report.style import ACCENT, FAINT, INK, LINES, TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped

#: With more arms than this only the ends, each fix alone and each fix left out get a panel.
MOST_PANELS = 16
#: Where the design has fewer of those, its first arms get the panels.
FEWEST_PANELS = 4


def panel_arms(plan: Plan) -> dict[str, str]:
    """Label → cell of the arms that get a panel, in standard order."""
    fixes = plan.fixes
    shown = {}
    for arm, cell in sorted(plan.arms.items(), key=lambda item: plan.arm_ids().index(item[1])):
        if len(plan.arms) <= MOST_PANELS or len(arm) <= 1 or len(arm) >= len(fixes) - 1:
            missing = [name for name in fixes if name not in arm]
            brief = len(fixes) > 3 and len(missing) == 1
            shown[f"all on but {missing[0]}" if brief else plan.cells[cell].label] = cell
    if len(shown) < FEWEST_PANELS:  # a fraction has few of them or none
        return {plan.cells[cell].label: cell for cell in plan.arm_ids()[:MOST_PANELS]}
    return shown


def panels(plan: Plan, curves: Curves, metric: str, chance: str | None, colour: str = ACCENT) -> Any:
    """A panel an arm: mean over seeds with its 95 % interval, chance level dashed, other arms in grey."""
    arms = panel_arms(plan)
    bands = {label: curves.band(cell, metric) for label, cell in arms.items()}
    levels = {label: curves.band(cell, chance) if chance else None for label, cell in arms.items()}
    columns = min(4, len(arms))
    rows = -(-len(arms) // columns)
    high = 1.04 if rows <= 2 else 0.95
    figure = new_figure(TEXT_WIDTH, rows * high + (rows - 1) * 0.32 + 0.72)
    all_axes = grid(figure, rows, columns, len(arms), (0.52, 0.06, 0.38, 0.34), (0.12, 0.32))
    limits = _limits([band for band in (*bands.values(), *levels.values()) if band])
    for index, (axes, label) in enumerate(zip(all_axes, arms, strict=True)):
        _panel(axes, label, bands, levels[label], colour)
        axes.set_ylim(*limits)
        axes.locator_params(nbins=5)
        axes.set_title(_wrapped(label, 24 if columns == 4 else 40), loc="left", pad=3, fontsize=7.5, linespacing=0.95)
        axes.tick_params(labelleft=index % columns == 0, labelbottom=index + columns >= len(arms))
        if index + columns >= len(arms):
            axes.set_xlabel("step", labelpad=2)
    figure.text(0.008, 0.5, clipped(metric, 36), rotation=90, va="center", fontsize=8)
    return figure


def _panel(axes: Any, label: str, bands: Mapping[str, Band | None], level: Band | None, colour: str) -> None:
    for other, band in bands.items():
        if band and other != label:
            axes.plot(band.steps, band.mean, color=FAINT, lw=0.6, zorder=1)
    band = bands[label]
    if band is None:
        axes.text(
            0.5,
            0.5,
            "no completed run",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color="#6B7280",
            bbox={"fc": "white", "ec": "none", "pad": 2},
        )
        return
    axes.fill_between(band.steps, band.low, band.high, color=colour, alpha=0.2, lw=0, zorder=2)
    axes.plot(band.steps, band.mean, color=colour, lw=1.2, zorder=3, **_marks(band))
    if level:
        axes.plot(level.steps, level.mean, color=colour, lw=0.8, ls=(0, (4, 2)), zorder=3)


def compact(plan: Plan, curves: Curves, metrics: Mapping[str, str | None]) -> Any:
    """A panel a metric: all off, all on and each fix alone over the other arms in grey.

    Args:
        metrics: metric → its chance level's metric, if it has one.
    """
    highlighted = _highlighted(plan)
    columns = _columns(len(metrics))
    rows = -(-len(metrics) // columns)
    width = TEXT_WIDTH if columns > 1 else 4.2
    per_row = _labels_per_row(highlighted, width)
    legend = 0.17 * -(-len(highlighted) // per_row)
    figure = new_figure(width, rows * 1.25 + (rows - 1) * 0.52 + 0.64 + legend)
    all_axes = grid(figure, rows, columns, len(metrics), (0.42, 0.06, 0.42 + legend, 0.22), (0.44, 0.52))
    for axes, (metric, chance) in zip(all_axes, metrics.items(), strict=True):
        found = {cell: curves.band(cell, metric) for cell in plan.arm_ids()}
        for cell, band in found.items():
            if band and cell not in highlighted:
                axes.plot(band.steps, band.mean, color=FAINT, lw=0.6, zorder=1)
        for cell, (_, line) in highlighted.items():
            band = found[cell]
            if band:
                axes.plot(band.steps, band.mean, **{"zorder": 3, **line, **_marks(band)})
        level = curves.band(next(iter(found)), chance) if chance else None
        if level:
            axes.plot(level.steps, level.mean, color=INK, lw=0.7, ls=":")
        axes.locator_params(nbins=5)
        axes.set_title(clipped(metric, 84 // columns), loc="left", pad=4)
        axes.set_xlabel("step", labelpad=2)
    _line_key(figure, highlighted, per_row)
    return figure


def _columns(count: int) -> int:
    """Three or four panels a row, whichever leaves fewer places empty."""
    return min(count, 3 if -count % 3 <= -count % 4 else 4)


def _highlighted(plan: Plan) -> dict[str, tuple[str, dict[str, Any]]]:
    """Cell → label and line of the arms that are told apart: the ends and each fix alone, as far as the design has them."""
    fixes = plan.fixes
    lines: dict[Arm, tuple[str, dict[str, Any]]] = {frozenset(): ("all off", {"color": INK, "lw": 1.2, "ls": (0, (3, 1.5))})}
    for name, colour in zip(fixes, (*LINES, *LINES, *LINES), strict=False):
        lines[frozenset({name})] = (f"{clipped(name, 28)} alone", {"color": colour, "lw": 1.0})
    if len(fixes) > 1:
        lines[frozenset(fixes)] = ("all on", {"color": INK, "lw": 2.0, "zorder": 2})
    lines = {arm: line for arm, line in lines.items() if arm in plan.arms}
    if len(plan.arms) <= len(LINES):  # few enough to tell each apart
        free = [colour for colour in LINES if colour not in {line["color"] for _, line in lines.values()}]
        for arm, colour in zip((arm for arm in plan.arms if arm not in lines), free, strict=False):
            lines[arm] = (clipped(plan.cells[plan.arms[arm]].label, 28), {"color": colour, "lw": 1.0})
    return {plan.arms[arm]: line for arm, line in lines.items()}


def _labels_per_row(highlighted: Mapping[str, tuple[str, dict[str, Any]]], width: float) -> int:
    """How many labels fit side by side in so many inches."""
    longest = max((len(label) for label, _ in highlighted.values()), default=0)
    return max(1, min(5, len(highlighted), int(width / (0.45 + 0.052 * longest))))


def _line_key(figure: Any, highlighted: Mapping[str, tuple[str, dict[str, Any]]], per_row: int) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=label, **line) for label, line in highlighted.values()]
    if not handles:
        return
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=per_row,
        borderaxespad=0.1,
        handlelength=1.9,
        columnspacing=1.3,
    )


def _marks(band: Band) -> dict[str, Any]:
    """Points are shown where a metric is logged rarely."""
    return {"marker": "o", "ms": 2.2} if len(band.steps) <= 12 else {}


def _limits(bands: list[Band]) -> tuple[float, float]:
    """The span of all means with part of the bands; outliers of a diverging run are cut."""
    if not bands:
        return 0.0, 1.0
    means = np.concatenate([band.mean for band in bands])
    edges = np.concatenate([np.concatenate([band.low, band.high]) for band in bands])
    inner_low, inner_high = np.percentile(means, [1, 99])
    spare = 3 * (inner_high - inner_low)
    low, high = max(edges.min(), inner_low - spare), min(edges.max(), inner_high + spare)
    margin = 0.04 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _wrapped(label: str, width: int) -> str:
    """An arm's name on at most two lines, broken behind a `+`."""
    lines = textwrap.wrap(label.replace("+", "+ "), width) or [label]
    lines = [line.replace("+ ", "+") for line in lines]
    if len(lines) > 2:
        lines = [lines[0], clipped("".join(lines[1:]), width)]
    return "\n".join(clipped(line, width + 4) for line in lines)
