"""The figure of paired seeds: what each seed gave without a fix and with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablate.analysis.effects import Array
from ablate.assess import Assessment
from ablate.report.labels import folded, metric_label
from ablate.report.palette import SOFT, FixStyle, fix_styles
from ablate.report.strokes import columns_of, outer, padded, titled
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import plural
from ablate.tables import design_table

CAPTION = (
    "A thin line is a seed: the mean over the arms without the fix, and over the same arms with it. Thick: the mean over seeds. "
    "Lines that all lean one way are what makes an effect sure; how far apart they lie is the seeds' own difference."
)


def seed_pairs(found: Assessment) -> dict[str, Array]:
    """Fix → each complete seed's outcome without and with it, [seeds, 2], in the outcome's own unit and direction; best first.

    Off and on are means over the arms that the main effect weighs, so their mean difference is that effect.
    """
    layout = found.plan.layout
    table = design_table(found.plan, found.records, found.plan.study.outcome)
    y = table.sign * table.complete()
    if not len(y):
        return {}
    parts = {name: layout.mains[name] for name in found.verdict.ranking if name in layout.mains}
    return {name: np.column_stack([y @ np.maximum(-w, 0), y @ np.maximum(w, 0)]) for name, w in parts.items()}


def pairs(found: Assessment) -> Any:
    """A panel a fix."""
    drawn, styles = seed_pairs(found), fix_styles(found.plan.fixes)
    columns = columns_of(len(drawn), 6)
    rows = -(-len(drawn) // columns)
    width = min(TEXT_WIDTH, 0.8 + 1.75 * columns)
    figure = new_figure(width, 1.35 * rows + 0.7 * (rows - 1) + 0.68)
    all_axes = grid(figure, rows, columns, len(drawn), (0.66, 0.1, 0.42, 0.26), (0.16, 0.7))
    every = np.concatenate(list(drawn.values()))
    limits = padded(float(every.min()), float(every.max()))
    better = found.plan.study.outcome.sign
    for index, (axes, (name, values)) in enumerate(zip(all_axes, drawn.items(), strict=True)):
        _panel(axes, values, styles[name])
        axes.set_ylim(*limits)
        axes.locator_params(axis="y", nbins=5)
        titled(axes, name, styles[name])
        axes.set_xlabel(clearly(values, better), fontsize=7, color=SOFT, labelpad=2)
        outer(axes, index % columns == 0)
        if index % columns == 0:
            axes.set_ylabel(folded(metric_label(found.plan, found.plan.study.outcome.metric), 24, 3))
    return figure


def clearly(values: Array, sign: float) -> str:
    """`5 of 6 seeds gain`: how many seeds are better with the fix."""
    gain = int((sign * (values[:, 1] - values[:, 0]) > 0).sum())
    return f"{gain} of {plural(len(values), 'seed')} {'gains' if gain == 1 else 'gain'}"


def _panel(axes: Any, values: Array, style: FixStyle) -> None:
    for off, on in values:
        axes.plot([0, 1], [off, on], color=style.colour, lw=0.7, alpha=0.5, marker=style.mark, ms=2.2, mew=0)
    axes.plot([0, 1], values.mean(axis=0), color=style.colour, lw=2.6, marker=style.mark, ms=5, solid_capstyle="round")
    axes.set_xlim(-0.25, 1.25)
    axes.set_xticks([0, 1], ["off", "on"])
