"""The forest plot."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.report.style import ACCENT, INK, TEXT_WIDTH, WORDS, grid, new_figure
from ablate.report.text import clipped, interval, plural, point

#: How far the forest's axis may reach beyond the main effects' intervals, in their widths.
REACH = 0.8


def forest(found: Assessment, width: float = TEXT_WIDTH) -> Any:
    """Each fix's main effect with its 95 % interval, best first; `alone` and `removed` lighter below it."""
    verdict, outcome = found.verdict, found.plan.study.outcome
    names = verdict.ranking
    longest = max(len(clipped(name, 26)) for name in names)
    left, right, bottom = 0.25 + 0.058 * longest, 1.62, 0.62
    figure = new_figure(width, 0.46 * len(names) + bottom + 0.12)
    (axes,) = grid(figure, 1, 1, 1, (left, right, bottom, 0.12), (0, 0))
    low, high = _limits(found)
    axes.set_xlim(low, high)
    axes.set_ylim(len(names) - 0.4, -0.5)
    minimum_band(axes, outcome.minimum_effect, across=True)
    for row, name in enumerate(names):
        fix = verdict.fixes[name]
        colour = WORDS[fix.word]
        _bar(axes, fix.effect, row - 0.1, colour, "o", 6.5, 2.0, hollow=fix.word == "inconclusive")
        for part, place, mark in ((fix.alone, 0.14, "^"), (fix.removed, 0.29, "v")):
            if part:
                _bar(axes, part, row + place, "#8A94A3", mark, 3.6, 0.7)
        beside = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
        axes.annotate(fix.word, (1.03, row - 0.14), color=colour, fontsize=9, **beside)
        axes.annotate(f"{point(fix.effect)} {interval(fix.effect)}", (1.03, row + 0.14), fontsize=7, **beside)
    axes.set_yticks(range(len(names)), [clipped(name, 26) for name in names], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"effect on {clipped(outcome.metric, 50)}, {plural(found.plan.seeds, 'seed')}  (right of 0 is better)")
    parts = {part for fix in verdict.fixes.values() for part in ("alone", "removed") if getattr(fix, part)}
    _key(axes, parts, outcome.minimum_effect)
    return figure


def _bar(
    axes: Any,
    effect: Effect,
    y: float,
    colour: str,
    mark: str,
    size: float,
    line: float,
    hollow: bool = False,
) -> None:
    """A mark with its interval, which ends in an arrow where it leaves the plot."""
    low, high = effect.ci()
    left, right = axes.get_xlim()
    axes.plot([max(low, left), min(high, right)], [y, y], color=colour, lw=line, solid_capstyle="butt", zorder=3)
    for end, edge, arrow in ((low < left, left, "<"), (high > right, right, ">")):
        if end:
            axes.plot([edge], [y], arrow, color=colour, ms=3, clip_on=False, zorder=3)
    face = "white" if hollow else colour
    axes.plot([effect.effect], [y], mark, ms=size, mfc=face, mec=colour, mew=1.1, zorder=4)


def _limits(found: Assessment) -> tuple[float, float]:
    """An axis that holds 0, the main intervals and every mark; long intervals of single arms are cut."""
    fixes = found.verdict.fixes.values()
    minimum = found.plan.study.outcome.minimum_effect
    mains = [end for fix in fixes for end in fix.effect.ci()]
    parts = [effect for fix in fixes for effect in (fix.alone, fix.removed) if effect]
    marks = [effect.effect for effect in parts]
    low, high = min(*mains, *marks, -minimum, 0.0), max(*mains, *marks, minimum, 0.0)
    spare = REACH * (high - low)
    ends = [end for effect in parts for end in effect.ci()] or [0.0]
    low, high = max(low - spare, min(low, *ends)), min(high + spare, max(high, *ends))
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def minimum_band(axes: Any, minimum: float, across: bool) -> None:
    """The zero line and the band of effects that are too small to matter."""
    line, span = (axes.axvline, axes.axvspan) if across else (axes.axhline, axes.axhspan)
    line(0, color=INK, lw=0.7, zorder=1)
    if minimum:
        span(-minimum, minimum, color="#E8ECF1", lw=0, zorder=0)


def _key(axes: Any, parts: Collection[str], minimum: float) -> None:
    """Names what is drawn, no more: a design may lack the arms for `alone` and `removed`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=ACCENT, marker="o", ms=5, lw=1.8, label="main effect"),
    ]
    for part, mark, label in (("alone", "^", "alone"), ("removed", "v", "its removal costs")):
        if part in parts:
            handles.append(Line2D([], [], color="#8A94A3", marker=mark, ms=3.6, lw=0.7, label=label))
    if minimum:
        handles.append(Patch(color="#E8ECF1", label=f"too small to matter (±{minimum:g})"))
    axes.figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        borderaxespad=0.1,
        columnspacing=1.4,
        handlelength=1.7,
    )
