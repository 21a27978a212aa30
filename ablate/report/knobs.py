"""Swept knobs in words: what a sweep is, its best value, and what a fix does at other values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.report.text import interval, p_value, plural, point

if TYPE_CHECKING:
    from ablate.analysis.toggles import Toggle
    from ablate.assess import Assessment
    from ablate.points import SweepPoint
    from ablate.sections import Sweep


@dataclass(frozen=True)
class ToggleRow:
    """A fix's effect at a value of the knob."""

    value: str
    point: str
    ci: str
    word: str


@dataclass(frozen=True)
class TogglePart:
    """A fix against a knob."""

    fix: str
    sentence: str
    p_same: str
    rows: tuple[ToggleRow, ...]


@dataclass(frozen=True)
class KnobPart:
    """A sweep: which of its values may be the best, and the fixes that were turned at its values."""

    name: str
    param: str
    sentence: str
    searched: str
    toggles: tuple[TogglePart, ...]


def knob_part(found: Assessment, name: str) -> KnobPart:
    """A sweep's part of the report."""
    knob, sweep = found.knobs[name], found.plan.study.sweeps[name]
    toggles = tuple(_toggle(toggle) for toggle in knob.toggles.values())
    sentence = f"{knob.sentence[0].upper()}{knob.sentence[1:]}"
    return KnobPart(name, knob.param, sentence, _searched(sweep, len(knob.responses)), toggles)


def _toggle(toggle: Toggle) -> TogglePart:
    rows = tuple(ToggleRow(f"{p.value:g}", point(p.effect), interval(p.effect), p.word) for p in toggle.points)
    return TogglePart(toggle.fix, toggle.sentence, "–" if toggle.p_same is None else p_value(toggle.p_same), rows)


def _searched(sweep: Sweep, tried: int) -> str:
    """How a search went; nothing of a sweep whose values are given."""
    if sweep.values is not None:
        return ""
    return (
        f"{plural(tried, 'value')} picked by {sweep.sampler or 'tpe'}, each after the outcomes of those before; "
        "the intervals make no allowance for that."
    )


def sweep_text(sweep: Sweep, points: Sequence[SweepPoint]) -> str:
    """What a sweep trains, for the plan: `rate = 1, 2, 5; 3 seeds`."""
    values = ", ".join(f"{point.value:g}" for point in points)
    toggled = f"; {', '.join(sweep.toggle)} off and on at each" if sweep.toggle else ""
    if sweep.values is not None:
        return f"{sweep.param} = {values}; {sweep.seeds} seeds{toggled}"
    scale = ", log" if sweep.log else ""
    tried = f" (so far {values})" if points else ""
    picked = (
        f"{plural(sweep.trials or 0, 'value')} from {sweep.low:g} to {sweep.high:g}{scale}, picked by {sweep.sampler or 'tpe'}"
    )
    return f"{sweep.param}: {picked}{tried}; {sweep.seeds} seeds{toggled}"


def sweep_lines(found: Assessment) -> Iterator[str]:
    """A line a sweep for the terminal, and one for each fix that it toggles."""
    for name, knob in found.knobs.items():
        param = "" if knob.param == name else f" ({knob.param})"
        yield f"sweep {name}{param}: {knob.sentence}"
        for fix in found.plan.study.sweeps[name].toggle:
            if fix in knob.toggles:
                yield f"  {knob.toggles[fix].sentence}"
