"""The figure of the looks: each fix's effect with its interval at each look that was taken."""

from __future__ import annotations

from typing import Any

from ablate.analysis.verdict import FixVerdict
from ablate.assess import Assessment
from ablate.report.labels import effect_label, folded
from ablate.report.palette import FixStyle, fix_styles
from ablate.report.strokes import columns_of, dot, minimum_band, outer, span, titled, upright
from ablate.report.style import TEXT_WIDTH, grid, new_figure

LOOKS = (
    "Main effect of each fix at each look, over all seeds until then, with the interval that holds whatever look the study stops "
    "at (repeated confidence interval). Hollow: that look had not decided it. The shaded strip holds effects too small to matter."
)


def looks(found: Assessment) -> Any:
    """A panel a fix: its effect at each look, by paired seeds."""
    taken = [look for look in found.stage.taken if look.verdict.fixes]
    names, minimum, styles = found.verdict.ranking, found.plan.study.outcome.minimum_effect, fix_styles(found.plan.fixes)
    columns = columns_of(len(names), 4)
    rows = -(-len(names) // columns)
    width = TEXT_WIDTH if columns >= 3 else 2.3 * columns + 0.94
    figure = new_figure(width, 1.25 * rows + 0.36 * (rows - 1) + 0.64)
    all_axes = grid(figure, rows, columns, len(names), (0.8, 0.1, 0.42, 0.24), (0.16, 0.36))
    low, high = span([look.verdict.fixes[name].effect for name in names for look in taken], minimum)
    for index, (axes, name) in enumerate(zip(all_axes, names, strict=True)):
        minimum_band(axes, minimum, across=False)
        axes.set_xlim(0, found.stage.looks[-1] + 0.08 * found.stage.looks[-1])
        axes.set_xticks(found.stage.looks)
        axes.set_ylim(low, high)
        axes.locator_params(axis="y", nbins=5)
        for look in taken:
            _mark(axes, look.seeds, look.verdict.fixes[name], styles[name])
        titled(axes, name, styles[name], found.verdict.fixes[name].word)
        outer(axes, index % columns == 0, index + columns >= len(names))
        if index % columns == 0:
            axes.set_ylabel(folded(effect_label(found.plan), 26, 2), fontsize=7.5)
        if index + columns >= len(names):
            axes.set_xlabel("paired seeds", labelpad=2)
    return figure


def _mark(axes: Any, seeds: int, fix: FixVerdict, style: FixStyle) -> None:
    upright(axes, seeds, fix.effect.ci(), axes.get_ylim(), color=style.colour, lw=1.6)
    dot(axes, seeds, fix.effect.effect, style, hollow=fix.word == "inconclusive")
