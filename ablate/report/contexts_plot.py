"""The figure of contexts: a small forest a fix, a row a context."""

from __future__ import annotations

from typing import Any

from ablate.analysis.verdict import Verdict
from ablate.assess import Assessment
from ablate.report.labels import effect_label, folded
from ablate.report.palette import FixStyle, fix_styles
from ablate.report.strokes import columns_of, dot, minimum_band, outer, titled
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped

CAPTION = (
    "Main effect of each fix in each context, with its 95 % interval; hollow: inconclusive there. "
    "The shaded strip holds effects too small to matter. Right of 0 is better."
)


def judged(found: Assessment) -> dict[str, Verdict]:
    """The contexts with a verdict, the study's own params first unless a context is the same."""
    return {name: verdict for name, verdict in found.holding.compared.items() if verdict.fixes}


def contexts(found: Assessment) -> Any:
    """A panel a fix, best first, of every context with a verdict."""
    there, minimum = judged(found), found.plan.study.outcome.minimum_effect
    names, styles = found.verdict.ranking or found.plan.fixes, fix_styles(found.plan.fixes)
    columns = columns_of(len(names), 3)
    rows = -(-len(names) // columns)
    left = 0.2 + 0.058 * max(len(clipped(name, 22)) for name in there)
    width = TEXT_WIDTH if columns == 3 else min(TEXT_WIDTH, left + 2.4 * columns)
    high = 0.2 * len(there) + 0.12
    figure = new_figure(width, (high + 0.3) * rows + 0.42)
    panels = grid(figure, rows, columns, len(names), (left, 0.1, 0.48, 0.24), (0.16, 0.36))
    low, top = _limits(there, minimum)
    for index, (axes, fix) in enumerate(zip(panels, names, strict=True)):
        axes.set_xlim(low, top)
        axes.set_ylim(len(there) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=5)
        minimum_band(axes, minimum, across=True)
        for row, verdict in enumerate(there.values()):
            _bar(axes, verdict, fix, row, styles[fix])
        titled(axes, fix, styles[fix])
        axes.set_yticks(range(len(there)), [clipped(name, 22) for name in there] if index % columns == 0 else [""] * len(there))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        outer(axes, bottom=index + columns >= len(names))
        if index + columns >= len(names):
            axes.set_xlabel(folded(effect_label(found.plan, 40), 34, 2), labelpad=2)
    return figure


def _bar(axes: Any, verdict: Verdict, fix: str, row: int, style: FixStyle) -> None:
    effect, word = verdict.fixes[fix].effect, verdict.fixes[fix].word
    axes.plot(effect.ci(), [row, row], color=style.colour, lw=1.6, solid_capstyle="butt", zorder=3)
    dot(axes, effect.effect, row, style, hollow=word == "inconclusive")


def _limits(there: dict[str, Verdict], minimum: float) -> tuple[float, float]:
    ends = [end for verdict in there.values() for fix in verdict.fixes.values() for end in fix.effect.ci()]
    low, high = min(*ends, -minimum, 0.0), max(*ends, minimum, 0.0)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
