"""The figure of interactions: what one fix does while another is off, and while it is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.analysis.effects import Array, residual, rounding_of, t_quantile
from ablate.analysis.layout import Arm, Layout
from ablate.analysis.verdict import Interaction
from ablate.assess import Assessment
from ablate.report.labels import folded, metric_label
from ablate.report.palette import INK, SOFT, FixStyle, fix_styles
from ablate.report.strokes import columns_of, end_labels, outer, padded, upright
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped, interval, point
from ablate.tables import design_table

#: Pairs that are drawn, the clearest first.
MOST = 6
CAPTION = (
    "What turning the first fix on does while the second is off (dashed, hollow) and on (solid); parallel lines are no "
    "interaction. Means over the other fixes, with 95 % intervals of the runs' own noise (what a seed shifts in all arms is "
    "taken out). "
    "Bold: an interaction that is shown, and large enough to matter."
)


@dataclass(frozen=True)
class Corner:
    """The mean outcome with one fix off or on and another off or on, with its 95 % interval, in the outcome's own unit."""

    mean: float
    ci: tuple[float, float]


def shown_pairs(found: Assessment) -> dict[tuple[str, str], Interaction]:
    """The pairs whose interaction is told by itself, the clearest first."""
    told = {name: pair for name, pair in found.verdict.interactions.items() if " = " not in name}
    ordered = sorted(told, key=lambda name: told[name].effect.p)[:MOST]
    return {(first, second): told[name] for name in ordered for first, second in [name.split("*")]}


def corners(y: Array, layout: Layout, a: str, b: str) -> dict[tuple[bool, bool], Corner]:
    """(a on, b on) → its corner.

    Of a design of matched arms only those count that have all of their four corners; of a fraction all arms do.

    Args:
        y: outcomes of complete blocks, [seeds, arms], at least two of each.
    """
    there = set(layout.arms)
    used = [arm for arm in layout.arms if layout.fraction or _four(arm, a, b) <= there]
    columns = [layout.named(arm) for arm in used]
    left = residual(y[:, columns])
    error = np.sqrt(left.mean_square) if np.sqrt(left.mean_square) > rounding_of(y) else 0.0
    found = {}
    for on in ((False, False), (True, False), (False, True), (True, True)):
        part = y[:, [layout.named(arm) for arm in used if (a in arm, b in arm) == on]]
        half = t_quantile(0.975, left.df) * error / np.sqrt(part.size)
        found[on] = Corner(float(part.mean()), (float(part.mean() - half), float(part.mean() + half)))
    return found


def _four(arm: Arm, a: str, b: str) -> set[Arm]:
    """The arms that differ from one in two fixes at most, itself included."""
    without = arm - {a, b}
    return {without, without | {a}, without | {b}, without | {a, b}}


def interactions(found: Assessment) -> Any:
    """A panel a pair."""
    shown, styles = shown_pairs(found), fix_styles(found.plan.fixes)
    table = design_table(found.plan, found.records, found.plan.study.outcome)
    y = table.sign * table.complete()
    drawn = {pair: corners(y, found.plan.layout, *pair) for pair in shown}
    columns = columns_of(len(shown), 3)
    rows = -(-len(shown) // columns)
    room = 0.28 + 0.05 * max(len(clipped(second, 13)) for _, second in shown)
    width = TEXT_WIDTH if columns == 3 else 0.7 + columns * (1.6 + room)
    titles = [_title(pair, each, width / columns) for pair, each in shown.items()]
    top = 0.08 + 0.15 * max(title.count("\n") + 1 for title in titles)
    figure = new_figure(width, 1.3 * rows + (top + 0.4) * (rows - 1) + top + 0.42)
    all_axes = grid(figure, rows, columns, len(shown), (0.66, room, 0.42, top), (room + 0.08, top + 0.4))
    ends = [end for pair in drawn.values() for corner in pair.values() for end in corner.ci]
    limits = padded(min(ends), max(ends))
    for index, (axes, (pair, found_pair)) in enumerate(zip(all_axes, shown.items(), strict=True)):
        axes.set_ylim(*limits)
        axes.locator_params(axis="y", nbins=5)
        _panel(axes, drawn[pair], pair[1], styles[pair[1]], limits)
        axes.set_xticks([0, 1], ["off", "on"])
        axes.set_xlabel(clipped(pair[0], 26), labelpad=1, color=styles[pair[0]].colour)
        real = {"fontweight": "bold", "color": INK} if found_pair.real else {"color": SOFT}
        axes.set_title(titles[index], loc="left", pad=5, fontsize=7.5, linespacing=1.15, **real)
        outer(axes, index % columns == 0)
        if index % columns == 0:
            axes.set_ylabel(folded(metric_label(found.plan, found.plan.study.outcome.metric), 24, 3))
    return figure


def _panel(axes: Any, drawn: dict[tuple[bool, bool], Corner], second: str, style: FixStyle, limits: tuple[float, float]) -> None:
    labels = []
    for on in (False, True):
        line = [drawn[False, on], drawn[True, on]]
        shift = 0.02 if on else -0.02
        axes.plot(
            [shift, 1 + shift], [corner.mean for corner in line], color=style.colour, ls="-" if on else (0, (3, 1.5)), lw=1.4,
            marker=style.mark, ms=4.5, mfc=style.colour if on else "white", mew=1.0, zorder=4,
        )  # fmt: skip
        for x, corner in enumerate(line):
            upright(axes, x + shift, corner.ci, limits, color=style.colour, lw=1.0)
        labels.append((line[1].mean, f"{clipped(second, 13)} {'on' if on else 'off'}", style.colour))
    axes.set_xlim(-0.2, 1.15)
    end_labels(axes, labels, 6.5)


def _title(pair: tuple[str, str], found: Interaction, inches: float) -> str:
    """The pair, and below it in words and number how much more the two do together than apart."""
    characters = max(20, int(17 * inches))
    return f"{folded(' × '.join(clipped(name, characters - 4) for name in pair), characters, 2)}\n{said(found)}"


def said(found: Interaction) -> str:
    """`+0.057 [+0.048, +0.067]: more together`."""
    words = {"helps": "more together", "harms": "less together", "negligible": "too small to matter"}
    return f"{words.get(found.word, 'not shown')}, {point(found.effect)} {interval(found.effect)}"
