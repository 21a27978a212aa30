"""What several figures draw alike: arms and fixes in their own colours, intervals, the strip of small effects, direct labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablate.analysis.effects import Effect
from ablate.analysis.layout import Arm
from ablate.report.palette import FAINT, INK, SIGNS, SOFT, WORDS, FixStyle
from ablate.report.text import clipped

#: Fill of the strip that holds effects too small to matter, and of chance's range.
STRIP = "#E8ECF1"
#: Events, chance levels and other quiet lines.
QUIET = "#7B8794"
#: Inches of a character of a title, bold, on average and a little more.
BOLD = 0.066
#: Characters of a fix's name that a title should have room for.
ENOUGH = 20


def arm_line(arm: Arm, styles: Mapping[str, FixStyle]) -> dict[str, Any]:
    """How an arm's curve is drawn: all off soft and dashed, all on in ink, one fix as that fix, the others grey."""
    if not arm:
        return {"color": SOFT, "lw": 1.3, "ls": (0, (3, 1.5)), "zorder": 3}
    if len(arm) == 1:
        (fix,) = arm
        return {"color": styles[fix].colour, "lw": 1.3, "ls": styles[fix].line, "zorder": 3}
    if len(arm) == len(styles):
        return {"color": INK, "lw": 1.7, "ls": "-", "zorder": 3}
    return {"color": FAINT, "lw": 0.6, "ls": "-", "zorder": 1}


def columns_of(count: int, most: int) -> int:
    """Panels beside each other, at most so many: whichever number leaves fewest places empty, and of these the largest."""
    if count <= most:
        return max(1, count)
    return min(range(max(2, most - 1), most + 1), key=lambda columns: (-count % columns, -columns))


def outer(axes: Any, left: bool = True, bottom: bool = True) -> None:
    """Ticks at the outer edges of a grid of panels that share their scales, and nowhere else."""
    from matplotlib.ticker import NullLocator

    for axis, kept in ((axes.yaxis, left), (axes.xaxis, bottom)):
        if not kept:
            axis.set_major_locator(NullLocator())


def titled(axes: Any, fix: str, style: FixStyle, word: str = "") -> None:
    """A panel's title: the fix in its colour, and behind it the verdict's word with its sign, or the sign alone."""
    said = signed_word(word)
    room = int((wide(axes) - 0.1 - 0.052 * len(said)) / BOLD) if said else int(wide(axes) / BOLD)
    if said and room < min(len(fix), ENOUGH):
        said, room = SIGNS.get(word, ""), int((wide(axes) - 0.2) / BOLD)
    axes.set_title(clipped(fix, max(6, room)), loc="left", color=style.colour, pad=4, fontweight="bold")
    if said:
        axes.set_title(said, loc="right", color=WORDS.get(word, SOFT), pad=4, fontsize=7)


def signed_word(word: str) -> str:
    """`▲ helps`."""
    return f"{SIGNS[word]} {word}" if word in SIGNS else word


def dot(axes: Any, x: float, y: float, style: FixStyle, hollow: bool = False, size: float = 4.8) -> None:
    """A fix's mark; hollow where nothing is decided."""
    face = "white" if hollow else style.colour
    axes.plot([x], [y], style.mark, ms=size, mfc=face, mec=style.colour, mew=1.0, zorder=4, clip_on=False)


def upright(axes: Any, x: float, ci: tuple[float, float] | None, limits: tuple[float, float], **line: Any) -> None:
    """A vertical interval at x, which ends in an arrow where it leaves the panel."""
    if ci is None:
        return
    low, high = ci
    axes.plot([x, x], [max(low, limits[0]), min(high, limits[1])], **{"lw": 1.2, "solid_capstyle": "butt", "zorder": 3, **line})
    for outside, edge, arrow in ((low < limits[0], limits[0], "v"), (high > limits[1], limits[1], "^")):
        if outside:
            axes.plot([x], [edge], arrow, color=line["color"], ms=3.2, mew=0, clip_on=False, zorder=3)


def minimum_band(axes: Any, minimum: float, across: bool) -> None:
    """The zero line and the strip of effects that are too small to matter; `across` where effects lie along x."""
    line, strip = (axes.axvline, axes.axvspan) if across else (axes.axhline, axes.axhspan)
    line(0, color=QUIET, lw=0.7, zorder=1)
    if minimum:
        strip(-minimum, minimum, color=STRIP, lw=0, zorder=0)


def span(effects: Sequence[Effect], minimum: float) -> tuple[float, float]:
    """Limits that hold every mean, and of the intervals all but those that would hide everything else."""
    means = np.array([effect.effect for effect in effects])
    ends = np.array([effect.ci() for effect in effects])
    low, high = min(means.min(), -1.3 * minimum, 0), max(means.max(), 1.3 * minimum, 0)
    spare = 1.5 * (high - low) or 1.0
    return padded(max(low - spare, min(low, ends.min())), min(high + spare, max(high, ends.max())))


def padded(low: float, high: float, part: float = 0.06) -> tuple[float, float]:
    """Limits with some room at either end."""
    margin = part * (high - low) or abs(low) * part or 0.5
    return float(low - margin), float(high + margin)


def end_labels(axes: Any, labels: Sequence[tuple[float, str, Any]], size: float = 7) -> None:
    """Names beside the right ends of lines, moved apart where they would overlap; a thin line leads to one that was moved.

    Args:
        labels: (height of the line's end in data, text, colour).
    """
    if not labels:
        return
    low, high = axes.get_ylim()
    inches = axes.get_position().height * axes.figure.get_size_inches()[1]
    per_point = (high - low) / (72 * inches)
    ordered = sorted(labels, key=lambda label: label[0])
    places = spread([label[0] for label in ordered], 1.18 * size * per_point, low, high)
    moved = [abs(place - height) > 3 * per_point for (height, *_), place in zip(ordered, places, strict=True)]
    beside = 1 + (0.24 if any(moved) else 0.08) / wide(axes)
    for (height, text, colour), place, away in zip(ordered, places, moved, strict=True):
        arrow = {"arrowstyle": "-", "color": colour, "lw": 0.4, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)}
        axes.annotate(
            text, (1, height), xycoords=("axes fraction", "data"), xytext=(beside, place),
            textcoords=("axes fraction", "data"), va="center", ha="left", color=colour, fontsize=size,
            arrowprops=arrow if away or any(moved) else None, annotation_clip=False,
        )  # fmt: skip


def wide(axes: Any) -> float:
    """An axes' width, inches."""
    return float(axes.get_position().width * axes.figure.get_size_inches()[0])


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending places moved as little as it takes to keep a gap, within the limits as far as there is room."""
    groups: list[list[float]] = []  # (centre, how many)
    for place in places:
        groups.append([min(max(place, low), high), 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            (second, n), (first, m) = groups.pop(), groups.pop()
            centre, half = (first * m + second * n) / (m + n), gap * (m + n - 1) / 2
            groups.append([max(low + half, min(high - half, centre)), m + n])
    return [centre + gap * (i - (count - 1) / 2) for centre, count in groups for i in range(int(count))]


def mark_event(axes: Any, at: float | None, text: str = "") -> None:
    """A thin vertical line where something starts, with its name beside it where one is given."""
    if at is None:
        return
    axes.axvline(at, color=QUIET, lw=0.7, zorder=2)
    if text:
        left, right = axes.get_xlim()
        late = at > left + 0.55 * (right - left)
        axes.annotate(
            text, (at, 0.45), xycoords=("data", "axes fraction"), xytext=(-4 if late else 4, 0), textcoords="offset points",
            ha="right" if late else "left", va="center", fontsize=6.5, color=SOFT,
            bbox={"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.8}, zorder=2.5,
        )  # fmt: skip
