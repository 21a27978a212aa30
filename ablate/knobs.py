"""From a sweep's records to what is said of its knob: the response, the best value, and each fix's effect at each value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.sweeps import Best, Response, best, listed, respond
from ablate.analysis.toggles import Toggle, toggles
from ablate.design import Plan, run_id
from ablate.points import SweepPoint, held
from ablate.records import Record
from ablate.tables import value_of


@dataclass(frozen=True)
class Knob:
    """What is known of a swept knob.

    Attributes:
        responses: the outcome at each value.
        best: None where two complete seeds of two values are wanting.
        toggles: of each fix that is off and on at two or more of the values, its effect there.
        note: of runs that diverged, at which values and what is made of them; empty where none did.
        withheld: whether the study has no verdict, so that nothing is said of the knob either.
    """

    param: str
    responses: tuple[Response, ...]
    best: Best | None
    toggles: Mapping[str, Toggle]
    note: str = ""
    withheld: bool = False

    def silent(self) -> Knob:
        """The same without words: where what the study rests on failed."""
        return replace(self, best=None, toggles={}, withheld=True)

    @property
    def sentence(self) -> str:
        """The best value with its uncertainty."""
        if self.withheld:
            return "no verdict, as for the study itself"
        if self.best:
            return self.best.sentence + self.note
        return "no best value can be told" + (self.note or ": fewer than two complete seeds")


def judge_knobs(plan: Plan, kept: Mapping[str, Record]) -> dict[str, Knob]:
    """Judge each sweep by what is recorded."""
    return {name: _judge(plan, kept, name) for name in plan.sweeps}


def _judge(plan: Plan, kept: Mapping[str, Record], name: str) -> Knob:
    sweep, points, outcome = plan.study.sweeps[name], plan.sweeps[name], plan.study.outcome
    at = [point.value for point in points]
    values = _column_wise(plan, kept, [(point.cell, point.seeds) for point in points])
    lost = [_diverged(kept, [point.cell], point.seeds) for point in points]
    if outcome.on_divergence is None:
        values = _without(values, lost)
    differences = {fix: d for fix in plan.fixes if (d := _differences(plan, kept, name, fix)) is not None}
    turned = toggles(sweep.param, at, differences, outcome.minimum_effect)
    return Knob(
        param=sweep.param,
        responses=respond(at, values),
        best=best(at, values, outcome.sign),
        toggles={fix: replace(toggle, note=_pairs_note(plan, kept, name, fix)) for fix, toggle in turned.items()},
        note=_note(plan, kept, [(point.value, [point.cell], point.seeds) for point in points]),
    )


def _diverged(kept: Mapping[str, Record], cells: Collection[str | None], seeds: int) -> int:
    """How many runs of some cells diverged."""
    return _states(kept, cells, seeds).count("diverged")


def _states(kept: Mapping[str, Record], cells: Collection[str | None], seeds: int) -> list[str]:
    """How those runs of some cells ended that have."""
    runs = [run_id(cell, seed) for cell in cells if cell for seed in range(seeds)]
    return [kept[run].state for run in runs if run in kept]


def _without(table: Array, diverged: Sequence[int]) -> Array:
    """A table without the values at which a run diverged: its survivors say nothing of the value."""
    return np.where(np.asarray(diverged, dtype=int) > 0, np.nan, table)


def _note(plan: Plan, kept: Mapping[str, Record], at: Sequence[tuple[float, Collection[str | None], int]]) -> str:
    """`; 2 of 3 runs diverged at 400, which is left out`, over all values at which one did.

    Args:
        at: of each value, its cells and their seeds.
    """
    worth = plan.study.outcome.on_divergence
    ended = [(value, _states(kept, cells, seeds)) for value, cells, seeds in at]
    counts = [(states.count("diverged"), len(states), value) for value, states in ended]
    parts = [f"{count} of {runs} runs diverged at {value:.4g}" for count, runs, value in counts if count]
    if not parts:
        return ""
    made = f"each counted as {worth:g}" if worth is not None else f"which {'is' if len(parts) == 1 else 'are'} left out"
    return f"; {listed(parts)}, {made}"


def _differences(plan: Plan, kept: Mapping[str, Record], name: str, fix: str) -> Array | None:
    """A fix's on less off at each value, [seeds, values], more is better; None where fewer than two values have such a pair."""
    points = plan.sweeps[name]
    others = [_other(point, fix) for point in points]
    seeds = _paired(plan, points)
    if fix not in plan.study.sweeps[name].toggle and sum(other is not None for other in others) < 2:
        return None
    base = _column_wise(plan, kept, [(point.cell, n) for point, n in zip(points, seeds, strict=True)])
    turned = _column_wise(plan, kept, list(zip(others, seeds, strict=True)))
    if plan.study.outcome.on_divergence is None:
        base = _without(base, [_diverged(kept, (p.cell, other), n) for p, other, n in zip(points, others, seeds, strict=True)])
    turn = 1 if fix in held(plan.study, plan.study.sweeps[name]) else -1
    return plan.study.outcome.sign * turn * (base - turned)


def _pairs_note(plan: Plan, kept: Mapping[str, Record], name: str, fix: str) -> str:
    """The note on values at which a run with the fix off or on diverged."""
    points = plan.sweeps[name]
    pairs = [(p.value, (p.cell, _other(p, fix)), n) for p, n in zip(points, _paired(plan, points), strict=True)]
    return _note(plan, kept, [pair for pair in pairs if pair[1][1]])


def _paired(plan: Plan, points: Sequence[SweepPoint]) -> list[int]:
    """The seeds of each value's pairs: a pair of the design's arms has more than the sweep asks for."""
    return [max(point.seeds, plan.seeds) for point in points]


def _other(point: SweepPoint, fix: str) -> str | None:
    return point.toggled.get(fix) or point.covered.get(fix)


def _column_wise(plan: Plan, kept: Mapping[str, Record], cells: list[tuple[str, int]] | list[tuple[str | None, int]]) -> Array:
    """The outcome of some cells, [seeds, cells]; NaN where it is missing, beyond a cell's seeds, or there is no cell."""
    most = max((seeds for _, seeds in cells), default=0)
    table = np.full((most, len(cells)), np.nan)
    for column, (cell, seeds) in enumerate(cells):
        for seed in range(seeds if cell else 0):
            table[seed, column] = value_of(kept.get(run_id(str(cell), seed)), plan.study.outcome)
    return table


def knob_json(knob: Knob) -> dict[str, Any]:
    """A sweep's part of `knobs` in verdict.json."""
    return {
        "best": knob.best.value if knob.best else None,
        "not_told_from_best": list(knob.best.rivals) if knob.best else [],
        "sentence": knob.sentence,
        "toggles": {
            fix: {
                "points": [
                    {"value": p.value, "effect": p.effect.effect, "ci": list(p.effect.ci()), "verdict": p.word}
                    for p in toggle.points
                ],
                "p_same": toggle.p_same,
                "sentence": toggle.sentence,
            }
            for fix, toggle in knob.toggles.items()
        },
    }
