"""From a sweep's records to what is said of its knob: the response, the best value, and each fix's effect at each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.sweeps import Best, Response, best, respond
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
    """

    param: str
    responses: tuple[Response, ...]
    best: Best | None
    toggles: Mapping[str, Toggle]

    @property
    def sentence(self) -> str:
        """The best value with its uncertainty."""
        return self.best.sentence if self.best else "no best value can be told: fewer than two complete seeds"


def judge_knobs(plan: Plan, kept: Mapping[str, Record]) -> dict[str, Knob]:
    """Judge each sweep by what is recorded."""
    return {name: _judge(plan, kept, name) for name in plan.sweeps}


def _judge(plan: Plan, kept: Mapping[str, Record], name: str) -> Knob:
    sweep, points, outcome = plan.study.sweeps[name], plan.sweeps[name], plan.study.outcome
    at = [point.value for point in points]
    values = _column_wise(plan, kept, [(point.cell, point.seeds) for point in points])
    differences = {fix: d for fix in plan.fixes if (d := _differences(plan, kept, name, fix)) is not None}
    return Knob(
        param=sweep.param,
        responses=respond(at, values),
        best=best(at, values, outcome.sign),
        toggles=toggles(sweep.param, at, differences, outcome.minimum_effect),
    )


def _differences(plan: Plan, kept: Mapping[str, Record], name: str, fix: str) -> Array | None:
    """A fix's on less off at each value, [seeds, values], more is better; None where fewer than two values have such a pair."""
    points = plan.sweeps[name]
    others = [_other(point, fix) for point in points]
    if fix not in plan.study.sweeps[name].toggle and sum(other is not None for other in others) < 2:
        return None
    seeds = [max(point.seeds, plan.seeds) for point in points]  # a pair of the design's arms has more seeds than the sweep asks
    base = _column_wise(plan, kept, [(point.cell, n) for point, n in zip(points, seeds, strict=True)])
    turned = _column_wise(plan, kept, list(zip(others, seeds, strict=True)))
    turn = 1 if fix in held(plan.study, plan.study.sweeps[name]) else -1
    return plan.study.outcome.sign * turn * (base - turned)


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
