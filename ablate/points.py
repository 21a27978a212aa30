"""The points of a sweep: a cell a value, and beside it a cell for each fix that is turned the other way there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ablate.analysis.layout import Arm
from ablate.errors import BadInput
from ablate.sections import Params, Sweep
from ablate.shown import shown
from ablate.study import Study


@dataclass(frozen=True)
class SweepPoint:
    """One value of a sweep.

    Attributes:
        cell: what is trained for it.
        seeds: over how many paired seeds.
        toggled: of each fix that the sweep toggles, the cell with that fix turned the other way.
        covered: of each further fix, the same where it is an arm of the design, and so trained anyway.
        alike: further values of the sweep that are this very training.
    """

    value: float
    cell: str
    seeds: int
    toggled: Mapping[str, str] = field(default_factory=dict)
    covered: Mapping[str, str] = field(default_factory=dict)
    alike: tuple[float, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """All cells that are trained at this value."""
        return self.cell, *self.toggled.values()


class Resolver(Protocol):
    """What resolves cells: `design.Cells`."""

    study: Study

    def key(self, arm: Arm, extra: Params) -> str: ...

    def add(self, arm: Arm, extra: Params, label: str) -> str: ...


def sweep_points(cells: Resolver, name: str, values: Sequence[int | float], arms: Collection[str]) -> tuple[SweepPoint, ...]:
    """The points of a sweep at these values, in order. Values that resolve alike (warm-ups that outlast the training) are one.

    Args:
        arms: the cells of the design's arms.

    Raises:
        BadInput: where the param, or a fix that is toggled, changes nothing.
    """
    sweep = cells.study.sweeps[name]
    if sweep.values is None and cells.key(held(cells.study, sweep), at(sweep, sweep.low)) == cells.key(
        held(cells.study, sweep), at(sweep, sweep.high)
    ):
        raise BadInput(f"sweeps.{name}.param: {shown(sweep.param)} changes nothing between low and high; name another param")
    points = [_point(cells, name, value, arms) for value in sorted(values)]
    first = {point.cell: point for point in reversed(points)}  # of values that are one training, the least
    if len(first) < (len(points) if sweep.values is None else min(2, len(points))):
        raise BadInput(
            f"sweeps.{name}.param: {shown(sweep.param)} changes nothing between some of {shown(sweep.values)}; name another param"
        )
    alike: dict[str, list[float]] = {}
    for point in points:
        alike.setdefault(point.cell, []).append(point.value)
    return tuple(replace(point, alike=tuple(alike[point.cell][1:])) for point in points if first[point.cell] is point)


def alike_said(name: str, points: Sequence[SweepPoint]) -> list[str]:
    """`sweeps.warmup: 80 and 200 are the same training as 40`, of each point of a sweep that stands for others too."""
    return [f"sweeps.{name}: {_listed(point.alike)} the same training as {point.value:g}" for point in points if point.alike]


def _listed(values: Sequence[float]) -> str:
    *most, last = (f"{value:g}" for value in values)
    return f"{', '.join(most)} and {last} are" if most else f"{last} is"


def held(study: Study, sweep: Sweep) -> Arm:
    """The fixes that are on while the knob is swept."""
    return study.arm(sweep.fixes) if isinstance(sweep.fixes, str) else frozenset(sweep.fixes)


def at(sweep: Sweep, value: float | None) -> Params:
    """The swept param at a value: a whole number where the sweep asks for it."""
    return {sweep.param: int(value) if sweep.integer and value is not None else value}


def _point(cells: Resolver, name: str, value: int | float, arms: Collection[str]) -> SweepPoint:
    study = cells.study
    sweep = study.sweeps[name]
    arm, knob = held(study, sweep), at(sweep, value)
    label = f"{name}={value:g}"
    cell = cells.add(arm, knob, label)
    toggled, covered = {}, {}
    for fix in study.proposed:
        if fix in sweep.toggle:
            toggled[fix] = cells.add(arm ^ {fix}, knob, f"{label}, {'without' if fix in arm else 'with'} {fix}")
        elif (key := cells.key(arm ^ {fix}, knob)) in arms and key != cell:
            covered[fix] = key
    if cell in toggled.values():
        fix = next(fix for fix, key in toggled.items() if key == cell)
        raise BadInput(f"sweeps.{name}.toggle: {fix} changes nothing while {sweep.param} is swept; leave it out")
    return SweepPoint(float(value), cell, sweep.seeds, toggled, covered)
