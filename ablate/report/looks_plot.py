"""The figure of the looks: each fix's effect with its interval at each look that was taken."""

from __future__ import annotations

from typing import Any

from ablate.analysis.verdict import FixVerdict
from ablate.assess import Assessment
from ablate.report.effects_plot import minimum_band, span
from ablate.report.style import TEXT_WIDTH, WORDS, grid, new_figure
from ablate.report.text import clipped

LOOKS = (
    "Main effect of each fix at each look, over all seeds until then, with the interval that holds whatever look the study stops "
    "at (repeated confidence interval); the colour is what the look said. The shaded strip holds effects too small to matter."
)


def looks(found: Assessment) -> Any:
    """A panel a fix: its effect at each look, by paired seeds."""
    taken = [look for look in found.stage.taken if look.verdict.fixes]
    names, minimum = found.verdict.ranking, found.plan.study.outcome.minimum_effect
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    width = TEXT_WIDTH if columns == 3 else 2.3 * columns + 0.8
    figure = new_figure(width, 1.35 * rows + 0.62)
    all_axes = grid(figure, rows, columns, len(names), (0.62, 0.1, 0.42, 0.24), (0.16, 0.34))
    low, high = span([look.verdict.fixes[name].effect for name in names for look in taken], minimum)
    for index, (axes, name) in enumerate(zip(all_axes, names, strict=True)):
        minimum_band(axes, minimum, across=False)
        for look in taken:
            _mark(axes, look.seeds, look.verdict.fixes[name], (low, high))
        axes.set_xlim(0, found.stage.looks[-1] + 0.08 * found.stage.looks[-1])
        axes.set_xticks(found.stage.looks)
        axes.set_ylim(low, high)
        word = found.verdict.fixes[name].word
        axes.set_title(f"{clipped(name, 24)}: {word}", loc="left", color=WORDS[word], pad=4)
        axes.tick_params(labelleft=index % columns == 0, labelbottom=index + columns >= len(names))
        if index + columns >= len(names):
            axes.set_xlabel("paired seeds")
    figure.text(0.012, 0.5, "effect (above 0 is better)", rotation=90, va="center", fontsize=8)
    return figure


def _mark(axes: Any, seeds: int, fix: FixVerdict, limits: tuple[float, float]) -> None:
    """The effect and its interval; one that leaves the panel ends in an arrow."""
    colour, (low, high) = WORDS[fix.word], fix.effect.ci()
    axes.plot([seeds, seeds], [max(low, limits[0]), min(high, limits[1])], color=colour, lw=1.6, solid_capstyle="butt", zorder=3)
    for outside, edge, arrow in ((low < limits[0], limits[0], "v"), (high > limits[1], limits[1], "^")):
        if outside:
            axes.plot([seeds], [edge], arrow, color=colour, ms=3, clip_on=False, zorder=3)
    face = "white" if fix.word == "inconclusive" else colour
    axes.plot([seeds], [fix.effect.effect], "o", ms=4.5, mfc=face, mec=colour, mew=1.1, zorder=4)
