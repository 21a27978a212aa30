"""From a study to what is trained: cells, blocks of paired seeds, sweep points, and the runs they share."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ablate.errors import BadInput
from ablate.study import Goal, Params, ParamValue, Study, Sweep, override, suggest
from ablate.target import Declaration, Target

Arm = frozenset[str]


def run_id(cell: str, seed: int) -> str:
    """The key under which records, Optuna and MLflow know a cell with a seed."""
    return f"{cell}-{seed}"


@dataclass(frozen=True)
class Cell:
    """What one run resolves to, but for the seed.

    Attributes:
        id: a hash of target, version and resolved params: the same in every study that trains the same thing.
        label: as a person reads it: `logit_scale+memory_bank`, or `temperature=25` for a sweep point.
        fixes: on or off, of each fix of the study.
        params: every resolved param.
    """

    id: str
    label: str
    fixes: Mapping[str, bool]
    params: Mapping[str, Any]


@dataclass(frozen=True)
class SweepPoint:
    """One value of a sweep and the cell that is trained for it."""

    value: float
    cell: str
    seeds: int


@dataclass(frozen=True)
class PlannedRun:
    """A cell with a seed. `id` is the key under which records, Optuna and MLflow know the run."""

    cell: Cell
    seed: int

    @property
    def id(self) -> str:
        return run_id(self.cell.id, self.seed)

    @property
    def name(self) -> str:
        """The name that MLflow shows."""
        return f"{self.cell.label} · seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """Everything a study trains.

    Attributes:
        name: the study's, with `-quick` behind it for a quick plan, so that the two never share a store.
        arms: the cell of each on/off combination.
        sweeps: the points of each sweep, by value.
        runs: each distinct run once, whole blocks first: an interrupted study has as many complete blocks as can be.
    """

    study: Study
    target: Target
    name: str
    quick: bool
    cells: Mapping[str, Cell]
    arms: Mapping[Arm, str]
    sweeps: Mapping[str, tuple[SweepPoint, ...]]
    runs: tuple[PlannedRun, ...]

    @property
    def fixes(self) -> list[str]:
        return list(self.study.fixes)

    @property
    def seeds(self) -> int:
        return self.study.design.seeds

    def check(self) -> None:
        """See that what the params of its cells name can be used, as far as the target can tell before training.

        Raises:
            BadInput: if it can't.
        """
        if self.target.declaration.check:
            for cell in self.cells.values():
                self.target.declaration.check(cell.params)

    def fingerprints(self) -> dict[str, str]:
        """The contents of what each cell's params name, by cell id; only of cells whose params name something."""
        read = self.target.declaration.fingerprint
        found = {key: read(cell.params) for key, cell in self.cells.items()} if read else {}
        return {key: contents for key, contents in found.items() if contents}

    def arm_ids(self) -> list[str]:
        """The cells of the arms in standard (Yates) order: the first fix varies fastest."""
        return [self.arms[arm] for arm in factorial(self.fixes)]


def factorial(fixes: list[str]) -> list[Arm]:
    """All on/off combinations in standard (Yates) order: the first fix varies fastest."""
    levels = itertools.product((False, True), repeat=len(fixes))
    return [frozenset(name for name, on in zip(fixes, reversed(bits), strict=True) if on) for bits in levels]


def arm_label(arm: Iterable[str], fixes: list[str]) -> str:
    """`all off`, `all on`, or the fixes that are on, joined by `+` in the study's order."""
    on = [name for name in fixes if name in set(arm)]
    if not on:
        return "all off"
    return "all on" if len(on) == len(fixes) and len(fixes) > 1 else "+".join(on)


def make_plan(
    study: Study, target: Target, quick: bool = False, params: Mapping[str, ParamValue] | None = None, seeds: int | None = None
) -> Plan:
    """Plan a study: check it against what its target declares, resolve every cell, share what is the same.

    Args:
        quick: plan a small budget in place of the study's own.
        params, seeds: replace the study's, or those of the small budget.

    Raises:
        BadInput: where study and target don't fit together.
    """
    if quick:
        study = _quick(study, target.declaration)
    if params or seeds is not None:
        study = override(study, params or {}, seeds)
    _check_params(study, target.declaration)
    _check_metrics(study, target.declaration)
    cells: dict[str, Cell] = {}
    arms = {arm: _cell(study, target, arm, {}, arm_label(arm, list(study.fixes)), cells) for arm in factorial(list(study.fixes))}
    if len(set(arms.values())) < len(arms):
        raise BadInput(f"fixes: {_same_fix(arms)}; change what on means")
    sweeps = {name: _points(study, target, name, sweep, cells) for name, sweep in study.sweeps.items()}
    name = f"{study.name}-quick" if quick else study.name
    return Plan(study, target, name, quick, cells, arms, sweeps, tuple(_runs(study, cells, arms, sweeps)))


def _cell(study: Study, target: Target, arm: Arm, extra: Params, label: str, cells: dict[str, Cell]) -> str:
    """Resolve a cell and file it under its id, unless one that resolves alike is there already."""
    params: dict[str, Any] = dict(study.params)
    for name, fix in study.fixes.items():
        params |= fix.on if name in arm else fix.off
    resolved = target.declaration.resolve(params | extra)
    identity = json.dumps([target.name, target.declaration.version, _canonical(resolved)], sort_keys=True)
    key = hashlib.sha256(identity.encode()).hexdigest()[:12]
    cells.setdefault(key, Cell(key, label, {name: name in arm for name in study.fixes}, resolved))
    return key


def _canonical(value: Any) -> Any:
    """Whole floats as ints, so that 0 and 0.0 are one value, and ints too large for a float stay apart."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _points(study: Study, target: Target, name: str, sweep: Sweep, cells: dict[str, Cell]) -> tuple[SweepPoint, ...]:
    arm = study.arm(sweep.fixes) if isinstance(sweep.fixes, str) else frozenset(sweep.fixes)
    points = []
    for value in sorted(sweep.values):
        cell = _cell(study, target, arm, {sweep.param: value}, f"{name}={value:g}", cells)
        points.append(SweepPoint(float(value), cell, sweep.seeds))
    if len({point.cell for point in points}) < len(points):
        raise BadInput(f"sweeps.{name}.param: {sweep.param!r} changes nothing between some of {sweep.values}; name another param")
    return tuple(points)


def _runs(
    study: Study, cells: Mapping[str, Cell], arms: Mapping[Arm, str], sweeps: Mapping[str, tuple[SweepPoint, ...]]
) -> Iterable[PlannedRun]:
    wanted = [(seed, cell) for seed in range(study.design.seeds) for cell in arms.values()]
    points = [point for sweep in sweeps.values() for point in sweep]
    most = max((point.seeds for point in points), default=0)
    wanted += [(seed, point.cell) for seed in range(most) for point in points if seed < point.seeds]
    for seed, cell in dict.fromkeys(wanted):
        yield PlannedRun(cells[cell], seed)


def _quick(study: Study, declaration: Declaration) -> Study:
    """A smaller budget: two seeds, the target's quick params, three values a sweep."""
    sweeps = {
        name: sweep.model_copy(update={"values": _ends_and_middle(sweep.values), "seeds": 2})
        for name, sweep in study.sweeps.items()
    }
    design = study.design.model_copy(update={"seeds": 2})
    smaller = {key: _least(value, study.params.get(key)) for key, value in declaration.quick.items()}
    params = {**study.params, **smaller}
    return study.model_copy(update={"design": design, "sweeps": sweeps, "params": params})


def _least(quick: Any, given: Any) -> Any:
    """The quick param, unless the study's own is a smaller number."""
    return min(quick, given) if isinstance(given, (int, float)) and isinstance(quick, (int, float)) else quick


def _ends_and_middle(values: list[int | float]) -> list[int | float]:
    ordered = sorted(values)
    return sorted({ordered[0], ordered[len(ordered) // 2], ordered[-1]})


def _check_params(study: Study, declaration: Declaration) -> None:
    if not declaration.params:
        return
    given = [(f"params.{key}", key) for key in study.params]
    for name, fix in study.fixes.items():
        given += [(f"fixes.{name}.off.{key}", key) for key in fix.off] + [(f"fixes.{name}.on.{key}", key) for key in fix.on]
    given += [(f"sweeps.{name}.param", sweep.param) for name, sweep in study.sweeps.items()]
    for where, key in given:
        if key not in declaration.params:
            raise BadInput(f"{where}: {key!r} is not a param of {study.target}; use {suggest(key, declaration.params)}")


def _check_metrics(study: Study, declaration: Declaration) -> None:
    metrics = declaration.metrics
    if not metrics:
        return
    final = [name for name, metric in metrics.items() if metric.final] + ["seconds"]
    step = [name for name, metric in metrics.items() if metric.step]
    wanted: list[tuple[str, str, list[str]]] = [("outcome.metric", study.outcome.metric, final)]
    wanted += [("secondary", goal.metric, final) for goal in study.secondary]
    wanted += [("curves", name, step) for name in study.curves]
    for claim in study.claims:
        wanted.append((f"claims.{claim.name}.metric", claim.metric, final if claim.reduction == "final" else step))
    for symptom in study.symptoms:
        wanted.append((f"symptoms.{symptom.name}.metric", symptom.metric, step))
        wanted += [(f"symptoms.{symptom.name}.where", name, step) for name in symptom.where]
    for where, name, known in wanted:
        if name not in known:
            raise BadInput(f"{where}: {name!r} is never reported by {study.target}; use {suggest(name, known)}")
    for goal in (study.outcome, *study.secondary):
        _check_comparable(goal, declaration)


def _check_comparable(goal: Goal, declaration: Declaration) -> None:
    metric = declaration.metrics.get(goal.metric)
    if metric and metric.incomparable:
        instead = f"use {metric.twin}" if metric.twin else "use another metric"
        raise BadInput(f"outcome.metric: {goal.metric!r} can't be compared across arms ({metric.incomparable}); {instead}")


def _same_fix(arms: Mapping[Arm, str]) -> str:
    first: dict[str, Arm] = {}
    for arm, cell in arms.items():
        if cell in first:
            return f"{'+'.join(sorted(arm ^ first[cell]))} changes nothing: off and on resolve to the same params"
        first[cell] = arm
    raise AssertionError("called only where two arms share a cell")
