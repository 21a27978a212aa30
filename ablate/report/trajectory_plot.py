"""The figure of effects as training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.report.labels import effect_label, folded, step_label
from ablate.report.palette import FixStyle, fix_styles
from ablate.report.strokes import columns_of, minimum_band, outer, span, titled
from ablate.report.style import TEXT_WIDTH, grid, new_figure

CAPTION = (
    "Main effect on the outcome as training goes on, with its 95 % interval at each step by itself; the "
    "shaded strip holds effects too small to matter. The verdict rests on the final outcome alone."
)


def trajectory(found: Assessment) -> Any:
    """Each fix's main effect, with its 95 % interval, at every step where all arms logged the outcome."""
    points = {name: found.trajectory[name] for name in found.verdict.ranking or found.plan.fixes if name in found.trajectory}
    minimum, styles = found.plan.study.outcome.minimum_effect, fix_styles(found.plan.fixes)
    columns = columns_of(len(points), 4)
    rows = -(-len(points) // columns)
    width = TEXT_WIDTH if columns >= 3 else 2.3 * columns + 0.94
    figure = new_figure(width, 1.25 * rows + 0.36 * (rows - 1) + 0.64)
    all_axes = grid(figure, rows, columns, len(points), (0.8, 0.1, 0.42, 0.24), (0.16, 0.36))
    low, high = span([effect for series in points.values() for _, effect in series], minimum)
    for index, (axes, (name, series)) in enumerate(zip(all_axes, points.items(), strict=True)):
        _path(axes, series, styles[name])
        minimum_band(axes, minimum, across=False)
        axes.set_ylim(low, high)
        axes.locator_params(axis="y", nbins=5)
        word = found.verdict.fixes[name].word if name in found.verdict.fixes else ""
        titled(axes, name, styles[name], word)
        outer(axes, index % columns == 0, index + columns >= len(points))
        if index % columns == 0:
            axes.set_ylabel(folded(effect_label(found.plan), 26, 2), fontsize=7.5)
        if index + columns >= len(points):
            axes.set_xlabel(step_label(found.plan), labelpad=2)
    return figure


def _path(axes: Any, series: Sequence[tuple[int, Effect]], style: FixStyle) -> None:
    steps = [step for step, _ in series]
    ends = np.array([effect.ci() for _, effect in series])
    axes.fill_between(steps, ends[:, 0], ends[:, 1], color=style.colour, alpha=0.2, lw=0)
    mark = {"marker": style.mark, "ms": 3.2} if len(steps) <= 25 else {}
    axes.plot(steps, [effect.effect for _, effect in series], color=style.colour, ls=style.line, lw=1.3, **mark)
    if len(steps) <= 6:
        axes.set_xticks(steps)
