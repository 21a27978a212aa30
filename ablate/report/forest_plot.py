"""The forest plot: each fix's effect with its interval, and lighter what it does alone and what its removal costs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.report.labels import effect_label
from ablate.report.palette import INK, SOFT, FixStyle, fix_styles
from ablate.report.strokes import minimum_band
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped, interval, point

#: How far the axis may reach beyond the main effects' intervals, in their widths.
REACH = 0.8
#: Colour of what is drawn lighter.
LIGHT = "#8A94A3"
#: Inches below and above the rows.
BOTTOM, TOP = 0.66, 0.06


def row_height(fixes: int) -> float:
    """Inches a fix gets; the forest and the waterfall beside it share their rows."""
    return min(0.42, max(0.16, 2.4 / (fixes + 1)))


def names_width(names: Collection[str], most: int) -> float:
    """Inches that the names on the left take."""
    return 0.2 + 0.058 * max(len(clipped(name, most)) for name in names)


def forest(found: Assessment, width: float = TEXT_WIDTH) -> Any:
    """Each fix's main effect with its 95 % interval, best first; `alone` and `removed` lighter below it.

    Args:
        width: inches; on the whole text's width the numbers stand beside the rows, else on them.
    """
    verdict, outcome = found.verdict, found.plan.study.outcome
    names, wide = verdict.ranking, width == TEXT_WIDTH
    most, high = (26 if wide else 18), row_height(len(verdict.ranking))
    figure = new_figure(width, high * (len(names) + 2) + BOTTOM + TOP)
    (axes,) = grid(figure, 1, 1, 1, (names_width(names, most), 1.2 if wide else 0.16, BOTTOM, TOP), (0, 0))
    axes.set_xlim(*_limits(found))
    axes.set_ylim(len(names) + 0.5, -1.5)
    minimum_band(axes, outcome.minimum_effect, across=True)
    styles = fix_styles(found.plan.fixes)
    for row, name in enumerate(names):
        _row(axes, found, name, row, styles[name], wide)
    axes.set_yticks(range(len(names)), [clipped(name, most) for name in names], fontsize=8.5 if high > 0.22 else 7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{effect_label(found.plan, 50 if wide else 24)}, right is better")
    parts = {part for fix in verdict.fixes.values() for part in ("alone", "removed") if getattr(fix, part)}
    _key(axes, parts, outcome.minimum_effect)
    return figure


def _row(axes: Any, found: Assessment, name: str, row: float, style: FixStyle, wide: bool) -> None:
    fix = found.verdict.fixes[name]
    for part, place, mark in ((fix.alone, 0.2, "^"), (fix.removed, 0.36, "v")):
        if part:
            _bar(axes, part, row + place, LIGHT, mark, 3.2, 0.7)
    _bar(axes, fix.effect, row - 0.08, style.colour, style.mark, 5.5, 2.0, hollow=fix.word == "inconclusive")
    if wide:
        said = f"{point(fix.effect)} {interval(fix.effect)}"
        axes.annotate(said, (1.03, row), xycoords=("axes fraction", "data"), va="center", annotation_clip=False, fontsize=7)
    elif row_height(len(found.verdict.fixes)) > 0.24:
        above: Any = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": 7}
        above["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
        axes.annotate(point(fix.effect), (fix.effect.effect, row - 0.08), color=INK, zorder=5, **above)


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
    axes.plot([effect.effect], [y], mark, ms=size, mfc=face, mec=colour, mew=1.0, zorder=4)


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
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _key(axes: Any, parts: Collection[str], minimum: float) -> None:
    """Names what is drawn, no more: a design may lack the arms for `alone` and `removed`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Line2D([], [], color=SOFT, marker="o", ms=4.5, lw=1.8, label="effect")]
    for part, mark, label in (("alone", "^", "alone"), ("removed", "v", "removed")):
        if part in parts:
            handles.append(Line2D([], [], color=LIGHT, marker=mark, ms=3.2, lw=0.7, label=label))
    if minimum:
        handles.append(Patch(color="#E8ECF1", label=f"within ±{minimum:g}"))
    axes.figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        borderaxespad=0.1,
        columnspacing=1.2,
        handlelength=1.5,
        fontsize=7,
    )


def forest_caption(found: Assessment) -> str:
    """What is drawn."""
    made = found.plan.layout
    whole = made.fraction or len(made.arms) == 2 ** len(made.fixes)
    said = f"Main effect of each fix, {'over all arms' if whole else 'over the pairs of arms that differ in it alone'}."
    fixes = found.verdict.fixes.values()
    parts = {"alone": "added to all off (alone)", "removed": "taken out of all on (removed)"}
    drawn = [text for name, text in parts.items() if any(getattr(fix, name) for fix in fixes)]
    low, high = _limits(found)
    ends = [end for fix in fixes for part in (fix.effect, fix.alone, fix.removed) if part for end in part.ci()]
    cut = " An arrow: the interval goes on." if min(ends) < low or max(ends) > high else ""
    return said + (f" Lighter: {' and '.join(drawn)}." if drawn else "") + cut


def forest_alt(found: Assessment) -> str:
    """The figure in words, for who can't see it."""
    fixes = found.verdict.fixes
    said = "; ".join(f"{n} {point(fixes[n].effect)} {interval(fixes[n].effect)}, {fixes[n].word}" for n in found.verdict.ranking)
    return f"Forest plot of each fix's effect on {found.plan.study.outcome.metric} with its 95 % interval: {said}."
