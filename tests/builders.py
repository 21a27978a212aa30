"""What several tests build: study mappings, plans, trained records and simulated outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from ablate.analysis.effects import Array
from ablate.design import Plan, make_plan
from ablate.engines.base import Result, Task
from ablate.engines.inline import InlineEngine
from ablate.records import Records
from ablate.run import Run
from ablate.study import Study
from ablate.target import Declaration, Target, load_target

PLANTED = "ablate.targets.planted:train"
FIXES = {
    "good": {"off": {"helps": 0}, "on": {"helps": 1}},
    "bad": {"off": {"harms": 0}, "on": {"harms": 1}},
    "idle": {"off": {"nothing": 0}, "on": {"nothing": 1}},
}

#: Few and always the same examples, so that a failure repeats.
few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def raw(**changes: Any) -> dict[str, Any]:
    """A study as its file holds it; a change of None removes a key."""
    whole = {"name": "trial", "target": PLANTED, "fixes": FIXES, "outcome": {"metric": "score"}} | changes
    return {key: value for key, value in whole.items() if value is not None}


def study(**changes: Any) -> Study:
    """A validated study."""
    return Study.model_validate(raw(**changes))


def write_study(folder: Path, mapping: Any) -> Path:
    """The mapping as a study file: JSON is YAML."""
    path = folder / "study.yaml"
    path.write_text(json.dumps(mapping), encoding="utf-8")
    return path


def target(**declared: Any) -> Target:
    """A target that is planned for but never trained; it accepts any param."""
    return Target("tests.builders:nothing", nothing, Declaration(**declared))


def nothing(params: Mapping[str, Any], run: Run) -> None:
    """Train nothing."""


def dosed(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Logs its outcome as it goes on: `loss` falls by `rate` a step from the seed's start, with a little noise of the arm."""
    noise = np.random.default_rng([run.seed, round(1000 * params["rate"])]).normal(scale=0.01)
    loss = [10.0 + run.seed - params["rate"] * step + noise for step in range(5)]
    for step, value in enumerate(loss):
        run.log_metrics({"loss": value}, step)
    return {"loss": loss[-1], "other": run.seed}


def plan(quick: bool = False, **changes: Any) -> Plan:
    """A plan of planted effects, or of another target where `target` is changed."""
    made = study(**changes)
    return make_plan(made, load_target(made.target), quick)


def open_plan(declared: Mapping[str, Any] | None = None, **changes: Any) -> Plan:
    """A plan for a target that accepts any param."""
    return make_plan(study(**changes), target(**declared or {}))


def train(made: Plan, out: Path, skip: tuple[str, ...] = ()) -> Records:
    """The records of a plan trained in this process, but for the runs skipped."""
    records = Records(out)
    tasks = [
        Task(run.id, made.target.name, run.cell.params, run.seed) for run in (*made.runs, *made.checks) if run.id not in skip
    ]
    with InlineEngine() as engine:
        for event in engine.run(tasks):
            if isinstance(event, Result):
                records.add(event)
    return records


def signs(count: int) -> Array:
    """+1 where a fix is on and -1 where it is off, [2^count arms, count fixes], in standard (Yates) order."""
    arms = np.arange(2**count)[:, None]
    return np.where((arms >> np.arange(count)) & 1, 1.0, -1.0)


def simulate(rng: np.random.Generator, seeds: int, effects: tuple[float, ...], noise: float = 1.0) -> Array:
    """Outcomes of an additive study, [seeds, arms]: main effects, a block effect as large as the noise, and the noise."""
    means = signs(len(effects)) @ np.asarray(effects) / 2
    shape = (seeds, len(means))
    return means + rng.normal(scale=noise, size=(seeds, 1)) + rng.normal(scale=noise, size=shape)
