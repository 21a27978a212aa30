"""Sweeps whose values an Optuna sampler picks: ask a value, train it over the sweep's paired seeds, tell its mean, ask the next.

The values that were asked are kept beside the records, so that a search goes on where it stopped and everything but the asking
works without Optuna. What is asked next depends on the recorded outcomes and the trial's number alone, so that a search that was
interrupted tries the same values as one that was not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ablate.design import Cells, Plan, run_id
from ablate.driver import Watcher, missing
from ablate.errors import BadInput
from ablate.points import at, held
from ablate.records import Record, Records, write_atomic
from ablate.stop import Stop
from ablate.tables import value_of

if TYPE_CHECKING:
    from ablate.driver import Driver
    from ablate.engines.base import Engine
    from ablate.sections import Sweep

#: Significant digits of a value, so that it can be read and written again.
DIGITS = 6
#: Draws of a random value before a search is given up as having none left.
ATTEMPTS = 1000


class Searching(Watcher, Protocol):
    """A watcher that learns of new runs, too."""

    def replan(self, plan: Plan) -> None: ...


class Asked:
    """The values that were picked for a plan's searches, in the order in which they were tried.

    Each list belongs to what the search looks for: where the study changes (its params, range or outcome), another is begun.

    Args:
        plan: the study.
        records: where they are kept.
    """

    def __init__(self, plan: Plan, records: Records) -> None:
        self._path = records.asked
        try:
            self._all: dict[str, list[float]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._all = {}
        self._keys = {name: f"{name}-{_signature(plan, name)}" for name, sweep in plan.study.sweeps.items() if sweep.trials}
        self._trials = {name: plan.study.sweeps[name].trials for name in self._keys}

    def values(self, name: str) -> list[float]:
        """A search's values so far; no more than its trials."""
        return self._all.get(self._keys[name], [])[: self._trials[name]]

    def all(self) -> dict[str, list[float]]:
        """Every search's values so far."""
        return {name: self.values(name) for name in self._keys}

    def add(self, name: str, value: float) -> None:
        """Keep a value before anything is trained at it."""
        self._all.setdefault(self._keys[name], []).append(value)
        write_atomic(self._path, json.dumps(self._all, indent=1).encode())


def with_asked(plan: Plan, records: Records) -> Plan:
    """The plan with the values that its searches have picked so far."""
    asked = Asked(plan, records).all()
    return plan.with_values(asked) if asked else plan


def search(
    plan: Plan,
    records: Records,
    driver: Driver,
    engine: Engine,
    watcher: Searching,
    device: str = "cpu",
    stop: Stop | None = None,
) -> Plan:
    """Carry all searches through: a value of each at a time, so that they share the workers. Returns the plan with their values.

    Args:
        plan: as `with_asked` gave it; the runs of the values it has are trained first.
    """
    asked = Asked(plan, records)
    while True:
        if todo := _swept(plan, records):
            driver.train(todo, engine, watcher, device, stop)
        kept = records.load()
        if not plan.to_ask:
            return plan
        for name in plan.to_ask:
            asked.add(name, next_value(plan, kept, name, asked.values(name)))
        plan = plan.with_values(asked.all())
        plan.check()
        records.keep_to(plan.fingerprints())
        driver.replan(plan)
        watcher.replan(plan)


def _swept(plan: Plan, records: Records) -> list[Any]:
    """Runs of searched values that were never trained: one that failed is tried once a command, with the others."""
    cells = {cell for name in plan.sweeps if plan.study.sweeps[name].trials for p in plan.sweeps[name] for cell in p.cells}
    kept = records.load()
    return [run for run in missing(plan, kept) if run.cell.id in cells and run.id not in kept]


def next_value(plan: Plan, kept: Mapping[str, Record], name: str, tried: list[float]) -> float:
    """The value to try after these, rounded. One that was tried would give the same runs again: a random one takes its place."""
    from ablate.samplers import ask

    sweep, cells = plan.study.sweeps[name], Cells(plan.study, plan.target)
    known = {point.cell for point in plan.sweeps[name]}
    seeds = (_seed(plan.name, name), _seed(plan.name, name, len(tried)))
    history = [(value, _mean(plan, kept, name, value)) for value in tried]
    value = _rounded(sweep, ask(sweep, history, plan.study.outcome.goal, seeds))
    random = np.random.default_rng(seeds[1])
    for _ in range(ATTEMPTS):
        if cells.key(held(plan.study, sweep), at(sweep, value)) not in known:
            return value
        value = _rounded(sweep, _random(sweep, random))
    raise BadInput(f"sweeps.{name}.trials: {sweep.trials} values that differ can't be found between low and high; give fewer")


def _mean(plan: Plan, kept: Mapping[str, Record], name: str, value: float) -> float | None:
    """The mean outcome of the runs at a value that have one."""
    point = next(point for point in plan.sweeps[name] if point.value == value)
    outcomes = [value_of(kept.get(run_id(point.cell, seed)), plan.study.outcome) for seed in range(point.seeds)]
    seen = [outcome for outcome in outcomes if np.isfinite(outcome)]
    return float(np.mean(seen)) if seen else None


def _rounded(sweep: Sweep, value: float) -> float:
    assert sweep.low is not None and sweep.high is not None
    if sweep.integer:
        return float(round(value))
    return min(max(float(f"{value:.{DIGITS}g}"), sweep.low), sweep.high)


def _random(sweep: Sweep, random: np.random.Generator) -> float:
    assert sweep.low is not None and sweep.high is not None
    if sweep.integer:
        return float(random.integers(int(sweep.low), int(sweep.high), endpoint=True))
    low, high = (np.log(sweep.low), np.log(sweep.high)) if sweep.log else (sweep.low, sweep.high)
    drawn = float(random.uniform(low, high))
    return float(np.exp(drawn)) if sweep.log else drawn


def _seed(*names: str | int) -> int:
    """A seed of its own for each search and each of its trials."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:4], "big")


def _signature(plan: Plan, name: str) -> str:
    """A hash of all that decides what a search would ask, but for how many trials it has."""
    sweep, outcome = plan.study.sweeps[name], plan.study.outcome
    cells = Cells(plan.study, plan.target)
    ends = [cells.key(held(plan.study, sweep), at(sweep, end)) for end in (sweep.low, sweep.high)]
    space = [plan.name, *ends, sweep.low, sweep.high, sweep.log, sweep.integer, sweep.sampler or "tpe", sweep.seeds]
    judged = [outcome.metric, outcome.goal, outcome.on_divergence]
    return hashlib.sha256(json.dumps([*space, *judged]).encode()).hexdigest()[:12]
