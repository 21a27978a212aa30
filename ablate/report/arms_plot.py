"""The figure of curves that can be compared: a panel a metric, the arms that matter named beside their lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablate.design import Arm, Plan
from ablate.report.curves import Curves
from ablate.report.curves_plot import limits, marks, step_limits
from ablate.report.labels import bracketed, folded, step_label
from ablate.report.palette import FAINT, INK, SOFT, fix_styles
from ablate.report.strokes import arm_line, end_labels
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped

#: Fixes whose arm is named: the first of the ranking.
MOST_NAMED = 5
#: Characters of an arm's name.
LONGEST = 22


def named_arms(plan: Plan, ranking: Sequence[str], most: int = MOST_NAMED) -> dict[str, Arm]:
    """Name → arm of those that are told apart: all off, the first fixes alone, all on; as far as the design has them."""
    wanted: dict[str, Arm] = {"all off": frozenset()}
    wanted |= {f"{clipped(name, LONGEST)} alone": frozenset({name}) for name in ranking[:most]}
    if len(plan.fixes) > 1:
        wanted["all on"] = frozenset(plan.fixes)
    found = {name: arm for name, arm in wanted.items() if arm in plan.arms}
    if len(found) >= 2:
        return found
    return {clipped(plan.cells[plan.arms[arm]].label, LONGEST + 6): arm for arm in plan.layout.arms[:FEWEST]}


#: Arms named where the design has hardly one of those.
FEWEST = 4


def arms(plan: Plan, curves: Curves, metrics: Sequence[str], ranking: Sequence[str]) -> Any:
    """A panel a metric: the named arms' means over seeds, the others in grey.

    Args:
        metrics: what is drawn.
        ranking: the fixes, the ones to be named first.
    """
    named = named_arms(plan, ranking)
    columns = min(2, len(metrics))
    rows = -(-len(metrics) // columns)
    room = 0.36 + 0.05 * max(len(name) for name in named)
    width = TEXT_WIDTH if columns > 1 else min(TEXT_WIDTH, 3.4 + room)
    high = max(1.35, 0.125 * len(named) + 0.2)
    figure = new_figure(width, rows * high + (rows - 1) * 0.5 + 0.5)
    all_axes = grid(figure, rows, columns, len(metrics), (0.6, room, 0.4, 0.1), (room + 0.62, 0.5))
    for axes, metric in zip(all_axes, metrics, strict=True):
        _panel(axes, plan, curves, metric, named)
        axes.set_ylabel(folded(f"{metric}{bracketed(plan, metric)}", int(high / 0.058), 2), fontsize=7)
        axes.set_xlabel(step_label(plan), labelpad=2)
    return figure


def _panel(axes: Any, plan: Plan, curves: Curves, metric: str, named: dict[str, Arm]) -> None:
    styles = fix_styles(plan.fixes)
    bands = {arm: curves.band(cell, metric) for arm, cell in plan.arms.items()}
    known = [band for band in bands.values() if band]
    axes.set_xlim(*step_limits(known))
    axes.set_ylim(*limits(known))
    axes.locator_params(nbins=5)
    for arm, band in bands.items():
        if band and arm not in named.values():
            axes.plot(band.steps, band.mean, color=FAINT, lw=0.6, zorder=1)
    labels = []
    for name, arm in named.items():
        if band := bands[arm]:
            line = arm_line(arm, styles)
            if line["color"] == FAINT:  # of a fraction: an arm of several fixes
                line |= {"color": SOFT, "lw": 1.0, "zorder": 2}
            axes.plot(band.steps, band.mean, **line, **marks(band))
            labels.append((float(band.mean[-1]), name, INK if line["color"] == SOFT and arm else line["color"]))
    end_labels(axes, labels)
