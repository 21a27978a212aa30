"""Figures of effects: the forest plot and how effects grow as training goes on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

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


def trajectory(found: Assessment) -> Any:
    """Each fix's main effect, with its 95 % interval, at every step where all arms logged the outcome."""
    points = {name: found.trajectory[name] for name in found.verdict.ranking or found.plan.fixes if name in found.trajectory}
    columns = 2 if len(points) == 4 else min(3, len(points))
    rows = -(-len(points) // columns)
    width = TEXT_WIDTH if columns == 3 else 2.3 * columns + 0.8
    figure = new_figure(width, 1.35 * rows + 0.62)
    all_axes = grid(figure, rows, columns, len(points), (0.62, 0.1, 0.42, 0.24), (0.16, 0.34))
    low, high = span(
        [effect for series in points.values() for _, effect in series],
        found.plan.study.outcome.minimum_effect,
    )
    for index, (axes, (name, series)) in enumerate(zip(all_axes, points.items(), strict=True)):
        word = found.verdict.fixes[name].word if name in found.verdict.fixes else "inconclusive"
        _path(axes, series, WORDS[word])
        minimum_band(axes, found.plan.study.outcome.minimum_effect, across=False)
        axes.set_ylim(low, high)
        axes.set_title(f"{clipped(name, 24)}: {word}", loc="left", color=WORDS[word], pad=4)
        if index % columns:
            axes.tick_params(labelleft=False)
        if index + columns >= len(points):
            axes.set_xlabel("step")
        else:
            axes.tick_params(labelbottom=False)
    figure.text(0.012, 0.5, "effect (above 0 is better)", rotation=90, va="center", fontsize=8)
    return figure


def _path(axes: Any, series: Sequence[tuple[int, Effect]], colour: str) -> None:
    steps = [step for step, _ in series]
    ends = np.array([effect.ci() for _, effect in series])
    axes.fill_between(steps, ends[:, 0], ends[:, 1], color=colour, alpha=0.18, lw=0)
    mark = {"marker": "o", "ms": 3} if len(steps) <= 25 else {}
    axes.plot(steps, [effect.effect for _, effect in series], color=colour, **mark)
    if len(steps) <= 6:
        axes.set_xticks(steps)


def span(effects: Sequence[Effect], minimum: float) -> tuple[float, float]:
    """Limits that hold every mean, and of the intervals all but those that would hide everything else."""
    means = np.array([effect.effect for effect in effects])
    ends = np.array([effect.ci() for effect in effects])
    low, high = min(means.min(), -1.3 * minimum, 0), max(means.max(), 1.3 * minimum, 0)
    spare = 1.5 * (high - low) or 1.0
    low, high = max(low - spare, min(low, ends.min())), min(high + spare, max(high, ends.max()))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
