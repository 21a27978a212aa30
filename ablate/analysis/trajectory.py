"""Whether each fix's effect had settled where training ended: arrays in, a `Course` a fix out. It warns, and judges nothing.

Short trainings are easily oversold: a fix that speeds training up may only be early, and one that pays later looks like harm. Two
things are looked for in the outcome as it was logged. *A sign that flips*: at an earlier step the effect was of the other sign,
and both are shown to differ from 0. *A trend that goes on*: over the last third of training, or up to its last half where the
outcome was logged seldom, the effect changed, seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ablate.analysis.effects import Array, Effect, adjusted, contrasts, holm

ALPHA = 0.05
#: The trend is that since the last logged step up to here, as a part of the training; one before the middle says nothing of it.
SINCE, EARLIEST = 2 / 3, 0.5
#: A change is worth a warning from this share of the last effect on, or from the smallest effect worth having.
SHARE = 0.2
#: A flip is looked for at so many steps at most, evenly spread: each more makes the test of the others stricter.
MOST_STEPS = 12

Word = Literal["settled", "growing", "shrinking", "flipped", "unknown"]
Point = tuple[int, Effect]


@dataclass(frozen=True)
class Course:
    """One fix's effect as training went on.

    Attributes:
        points: (step, effect) wherever two complete blocks logged the outcome.
        word: what is said of it; a sign that flipped goes before a trend.
        opposite: of a flip, the earlier point where the effect was of the other sign, the largest such.
        before: the point that the last one is held against; None where none is late enough.
        change: from there to the last point, paired by seed.
        p_adjusted: of no change, over the fixes by Holm.
        trend: growing or shrinking in size, where the change is real and large enough.
        allowed: how large a change is no trend.
    """

    points: tuple[Point, ...] = ()
    word: Word = "unknown"
    opposite: Point | None = None
    before: Point | None = None
    change: Effect | None = None
    p_adjusted: float = 1.0
    trend: Literal["growing", "shrinking"] | None = None
    allowed: float = 0.0


def follow(tables: Mapping[int, Array], mains: Mapping[str, Array], minimum: float = 0.0) -> dict[str, Course]:
    """Each fix's course.

    Args:
        tables: step → the outcome logged there, [seeds, arms], more is better; NaN where it was not logged. The same seeds each.
        mains: fix → weights of its main effect, [arms].
        minimum: the smallest effect worth having.
    """
    points = _points(tables, mains)
    flips = _flips(points)
    late = _late_step(sorted({step for found in points.values() for step, _ in found}))
    changes = _changes(tables, mains, late)
    p = adjusted(changes)
    return {
        name: _course(points[name], flips[name], late, changes.get(name), p.get(name, 1.0), minimum) if points[name] else Course()
        for name in mains
    }


def _points(tables: Mapping[int, Array], mains: Mapping[str, Array]) -> dict[str, tuple[Point, ...]]:
    found: dict[str, list[Point]] = {name: [] for name in mains}
    for step in sorted(tables):
        y = _complete(tables[step])
        if len(y) >= 2:
            for name, effect in contrasts(y, mains).items():
                found[name].append((step, effect))
    return {name: tuple(series) for name, series in found.items()}


def _complete(y: Array) -> Array:
    return y[np.isfinite(y).all(axis=1)]


def _flips(points: Mapping[str, Sequence[Point]]) -> dict[str, Point | None]:
    """Of each fix the largest effect that was shown to be of another sign than the last; Holm over steps and fixes at once."""
    thinned = {name: _thinned(series) for name, series in points.items()}
    p = holm({f"{step} {name}": effect.p for name, series in thinned.items() for step, effect in series})
    found: dict[str, Point | None] = {}
    for name, series in thinned.items():
        shown = [point for point in series if p[f"{point[0]} {name}"] < ALPHA]
        last = series[-1] if series else None
        turned = [point for point in shown if last in shown and last and point[1].effect * last[1].effect < 0]
        found[name] = max(turned, key=lambda point: abs(point[1].effect), default=None)
    return found


def _thinned(series: Sequence[Point]) -> list[Point]:
    """At most MOST_STEPS points, evenly spread, the last among them."""
    if len(series) <= MOST_STEPS:
        return list(series)
    kept = np.linspace(0, len(series) - 1, MOST_STEPS).round().astype(int)
    return [series[index] for index in kept]


def _late_step(steps: Sequence[int]) -> tuple[int, int] | None:
    """A step that leaves at least the last third to come, or else the first after it, and the last step; None without either."""
    late = [step for step in steps[:-1] if step >= EARLIEST * steps[-1] > 0]
    if not late:
        return None
    third = [step for step in late if step <= SINCE * steps[-1]]
    return (third[-1] if third else late[0]), steps[-1]


def _changes(tables: Mapping[int, Array], mains: Mapping[str, Array], late: tuple[int, int] | None) -> dict[str, Effect]:
    """How much each effect changed between two steps, each run held against itself."""
    y = _complete(tables[late[1]] - tables[late[0]]) if late else np.empty((0, 0))
    return contrasts(y, mains) if len(y) >= 2 else {}


def _course(
    points: tuple[Point, ...], flip: Point | None, late: tuple[int, int] | None, change: Effect | None, p: float, minimum: float
) -> Course:
    if late is None or change is None:
        return Course(points, "flipped" if flip else "unknown", flip)
    then, last = (next(point for point in points if point[0] == step) for step in late)
    trend: Literal["growing", "shrinking"] | None = None
    allowed = max(minimum, SHARE * abs(last[1].effect))
    if p < ALPHA and abs(change.effect) >= allowed:
        trend = "growing" if abs(last[1].effect) > abs(then[1].effect) else "shrinking"
    return Course(points, "flipped" if flip else trend or "settled", flip, then, change, p, trend, allowed)


def warned(name: str, course: Course) -> list[str]:
    """What a reader must know of a course before believing the verdict; nothing where it had settled, or can't be told."""
    said = []
    if course.opposite:
        said.append(f"{name} changed sign as training went on: {_two(course.opposite, course.points[-1])}")
    if course.trend and course.before:
        size = f"{name} was still {course.trend}: {_two(course.before, course.points[-1])}"
        said.append(f"{size}; a longer training may say {'more' if course.trend == 'growing' else 'less'}")
    return said


def described(name: str, course: Course) -> str:
    """The course in a sentence, whatever it was."""
    if not course.points:
        return f"{name}: the outcome was not logged as training went on, so whether it would hold longer can't be told."
    if said := warned(name, course):
        return "; ".join([said[0], *(text.removeprefix(f"{name} ") for text in said[1:])]) + "."
    if not course.before or not course.change:
        return f"{name}: the outcome was logged too seldom in the last half of training to tell whether the effect had settled."
    low, high = course.change.ci()
    since = f"from step {course.before[0]} to {course.points[-1][0]}"
    size = f"{_signed(course.change.effect)} (95 % interval {_signed(low)} to {_signed(high)})"
    if max(-low, high) > course.allowed:
        return f"{name} is not shown to change any more: {since} by {size}, which leaves room for a change that matters."
    state = "had all but settled" if course.p_adjusted < ALPHA else "had settled"
    return f"{name} {state}: {since} its effect changed by {size}."


def _two(first: Point, second: Point) -> str:
    return f"{_signed(first[1].effect)} at step {first[0]}, {_signed(second[1].effect)} at {second[0]}"


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−") if value else "0"
