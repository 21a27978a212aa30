"""The waterfall: from all off to all on, each fix's Shapley share a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ablate.analysis.effects import Effect, decimals
from ablate.assess import Assessment
from ablate.report.forest_plot import BOTTOM, TOP, names_width, row_height
from ablate.report.labels import metric_label
from ablate.report.palette import INK, SOFT, fix_styles
from ablate.report.style import grid, new_figure
from ablate.report.text import clipped, interval, number, point

#: The axis starts at 0 where the steps then still take this part of it.
FROM_ZERO = 0.3


@dataclass(frozen=True)
class Step:
    """A fix's step, in the metric's own direction: from where to where, and its share."""

    fix: str
    start: float
    end: float
    share: Effect


def shares(found: Assessment) -> list[Step] | None:
    """The steps from all off to all on, the most helpful fix first; None where the design can't tell shares."""
    verdict = found.verdict
    if verdict.ends is None:
        return None
    steps, level, sign = list[Step](), verdict.ends.off.effect, found.plan.study.outcome.sign
    for name in verdict.ranking:
        share = verdict.fixes[name].share
        if share is None:
            return None
        steps.append(Step(name, level, level + sign * share.effect, share))
        level = steps[-1].end
    return steps


def waterfall(found: Assessment, width: float) -> Any:
    """All off, a bar a fix and all on, on the outcome's own axis; thin lines are 95 % intervals."""
    steps, ends = shares(found) or [], found.verdict.ends
    assert ends is not None, "drawn only where there are ends"
    sign, names = found.plan.study.outcome.sign, ["all off", *(step.fix for step in steps), "all on"]
    high = row_height(len(steps))
    figure = new_figure(width, high * len(names) + BOTTOM + TOP)
    (axes,) = grid(figure, 1, 1, 1, (names_width(names, 18), 0.1, BOTTOM, TOP), (0, 0))
    left, right, zero = _limits(steps, ends.off, ends.on, sign)
    axes.set_xlim(left, right)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for row, effect in ((0, ends.off), (len(names) - 1, ends.on)):
        _end(axes, row, effect, zero)
    styles = fix_styles(found.plan.fixes)
    for row, step in enumerate(steps, 1):
        said = point(step.share, decimals(found.verdict.fixes[step.fix].effect))
        _step(axes, row, step, said, styles[step.fix].colour, sign)
    for row, level in enumerate([ends.off.effect, *(step.end for step in steps)]):
        axes.plot([level, level], [row, row + 1], color=SOFT, lw=0.5, zorder=1)
    axes.set_yticks(range(len(names)), [clipped(name, 18) for name in names], fontsize=8.5 if high > 0.22 else 7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(zero)
    axes.set_xlabel(metric_label(found.plan, found.plan.study.outcome.metric, 30))
    if not zero:
        axes.figure.text(0.99, 0.02, "The axis does not start at 0.", ha="right", va="bottom", fontsize=7, color=SOFT)
    return figure


def _limits(steps: list[Step], off: Effect, on: Effect, sign: float) -> tuple[float, float, bool]:
    """Left, right, and whether the axis starts at 0: only where the steps stay readable."""
    marks = [*off.ci(), *on.ci(), off.effect, on.effect]
    for step in steps:
        marks += [step.start, step.end, *(step.start + sign * end for end in step.share.ci())]
    low, high = min(marks), max(marks)
    spread = high - low or abs(high) or 1.0
    levels = [level for step in steps for level in (step.start, step.end)]
    if low >= 0 and max(levels) - min(levels) >= FROM_ZERO * max(levels):
        return 0.0, high + 0.2 * high, True
    return low - 0.06 * spread, high + 0.26 * spread, False


def _end(axes: Any, row: int, effect: Effect, zero: bool) -> None:
    """A bar from 0 in ink, or a mark where the axis does not start there: a bar's length would say something false."""
    if zero:
        axes.barh(row, effect.effect, height=0.56, color=INK, alpha=0.85, lw=0, zorder=2)
    else:
        axes.plot([effect.effect], [row], "D", ms=4.5, color=INK, zorder=4)
    low, high = effect.ci()
    _whisker(axes, row, low, high)
    _label(axes, row, max(high, effect.effect), number(effect.effect), "bold")


def _step(axes: Any, row: int, step: Step, said: str, colour: str, sign: float) -> None:
    axes.barh(row, step.end - step.start, left=step.start, height=0.56, color=colour, lw=0, zorder=2)
    ends = [step.start + sign * end for end in step.share.ci()]
    _whisker(axes, row, *ends)
    _label(axes, row, max(*ends, step.start, step.end), said)


def _whisker(axes: Any, row: int, start: float, end: float) -> None:
    """An interval, with a light edge that shows on any bar."""
    for colour, width in (("white", 1.9), (INK, 0.9)):
        axes.plot([start, end], [row, row], color=colour, lw=width, solid_capstyle="butt", zorder=3)


def _label(axes: Any, row: int, x: float, text: str, weight: str = "normal") -> None:
    """A value to the right of what it belongs to."""
    place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate(text, (x, row), color=INK, fontsize=7.5, weight=weight, **place)


def waterfall_caption(found: Assessment) -> str:
    """What is drawn."""
    lower = "" if found.plan.study.outcome.sign > 0 else " Lower is better; labels are positive where a fix improves the outcome."
    return f"From all off to all on by Shapley share.{lower}"


def waterfall_alt(found: Assessment) -> str:
    """The figure in words, for who can't see it."""
    ends, steps = found.verdict.ends, shares(found) or []
    assert ends is not None, "drawn only where there are ends"
    said = ", ".join(f"{step.fix} {point(step.share)} {interval(step.share)}" for step in steps)
    metric = found.plan.study.outcome.metric
    span = f"from {number(ends.off.effect)} with all fixes off by {said} to {number(ends.on.effect)} with all on"
    return f"Waterfall of {metric} {span}."
