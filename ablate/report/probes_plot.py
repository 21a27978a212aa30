"""The figure of probes: what the target declares as worth watching, a row a probe and a column an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.assess import Assessment
from ablate.design import Arm, Plan
from ablate.report.arms_plot import named_arms
from ablate.report.curves import Curves
from ablate.report.curves_plot import events, limits, marks, step_limits
from ablate.report.labels import bracketed, folded, step_label
from ablate.report.palette import FAINT, INK, SOFT, fix_styles
from ablate.report.strokes import arm_line, mark_event, outer, wide
from ablate.report.style import TEXT_WIDTH, grid, new_figure

#: Columns: all off, so many fixes alone, and all on.
MOST_ALONE = 3


def shown_probes(found: Assessment, curves: Curves) -> dict[str, tuple[str, ...]]:
    """Panel title → the metrics in it, of the probes that an arm of the study logged."""
    rows: dict[str, tuple[str, ...]] = {}
    cells = found.plan.arm_ids()
    for name, about in found.plan.target.declaration.metrics.items():
        if about.probe and any(curves.band(cell, name) for cell in cells):
            rows[about.probe] = (*rows.get(about.probe, ()), name)
    return rows


def probes(found: Assessment, curves: Curves) -> Any:
    """A row a probe, a column an arm."""
    plan, rows = found.plan, shown_probes(found, curves)
    arms = named_arms(plan, found.verdict.ranking or plan.fixes, MOST_ALONE)
    count = len(rows) * len(arms)
    figure = new_figure(TEXT_WIDTH, 0.62 * len(rows) + 0.12 * (len(rows) - 1) + 0.68)
    all_axes = grid(figure, len(rows), len(arms), count, (1.5, 0.06, 0.38, 0.3), (0.1, 0.12))
    for row, (title, metrics) in enumerate(rows.items()):
        drawn = all_axes[row * len(arms) : (row + 1) * len(arms)]
        _row(drawn, plan, curves, metrics, arms, row == len(rows) - 1)
        label = f"{folded(title, 21, 2)}" + bracketed(plan, metrics[0], "\n")
        drawn[0].set_ylabel(label, rotation=0, ha="left", va="center", fontsize=7)
        drawn[0].yaxis.set_label_coords(-1.44 / (drawn[0].get_position().width * TEXT_WIDTH), 0.5)
    for axes, (name, arm) in zip(all_axes, arms.items(), strict=False):
        title = folded(name, int(wide(axes) / 0.055), 2)
        axes.set_title(title, loc="left", pad=4, fontsize=7.5, color=_colour(plan, arm), linespacing=0.95)
    for axes in all_axes[-len(arms) :]:
        axes.set_xlabel(step_label(plan), labelpad=2)
    return figure


def _colour(plan: Plan, arm: Arm) -> str:
    colour = str(arm_line(arm, fix_styles(plan.fixes))["color"])
    return {FAINT: SOFT, SOFT: SOFT}.get(colour, colour) if arm else INK


def _row(drawn: Sequence[Any], plan: Plan, curves: Curves, metrics: Sequence[str], arms: Mapping[str, Arm], bottom: bool) -> None:
    cells = [plan.arms[arm] for arm in arms.values()]
    bands = {(cell, metric): curves.band(cell, metric) for cell in cells for metric in metrics}
    known = [band for band in bands.values() if band]
    for index, (axes, cell, arm) in enumerate(zip(drawn, cells, arms.values(), strict=True)):
        if known:
            axes.set_xlim(*step_limits(known))
        axes.set_ylim(*limits(known))
        axes.locator_params(nbins=3)
        outer(axes, index == 0, bottom)
        colour = _colour(plan, arm)
        for metric in metrics:
            if band := bands[cell, metric]:
                axes.fill_between(band.steps, band.low, band.high, color=colour, alpha=0.2, lw=0, zorder=2)
                axes.plot(band.steps, band.mean, color=colour, lw=1.0, zorder=3, **marks(band))
        for event in events(plan):
            mark_event(axes, curves.start(cell, event))
