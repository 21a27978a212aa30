"""How effects grow as training goes on, and the band of effects that are too small to matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.report.style import INK, TEXT_WIDTH, WORDS, grid, new_figure
from ablate.report.text import clipped


def minimum_band(axes: Any, minimum: float, across: bool) -> None:
    """The zero line and the band of effects that are too small to matter."""
    line, span = (axes.axvline, axes.axvspan) if across else (axes.axhline, axes.axhspan)
    line(0, color=INK, lw=0.7, zorder=1)
    if minimum:
        span(-minimum, minimum, color="#E8ECF1", lw=0, zorder=0)


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
