"""From a study to what is trained: cells, blocks of paired seeds, sweep points, and the runs they share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ablate.analysis.layout import Arm, Layout, arm_label
from ablate.analysis.sequential import Looks
from ablate.analysis.verdict import ALPHA
from ablate.arms import arms_of
from ablate.errors import BadInput
from ablate.fit import check_fit
from ablate.points import SweepPoint, alike_said, sweep_points
from ablate.run import AGAIN, TWIN
from ablate.sections import Params, ParamValue, Sweep
from ablate.study import Study, override
from ablate.target import Declaration, Target

__all__ = ["Arm", "Cell", "Plan", "PlannedRun", "SweepPoint", "arm_label", "make_plan", "run_id"]


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
class PlannedRun:
    """A cell with a seed. `id` is the key under which records, Optuna and MLflow know the run.

    Attributes:
        again: whether it repeats a run of the plan, to see whether that can be repeated.
        twin: whether it differs from a run of the plan in one fix alone, to see whether that changes anything.
    """

    cell: Cell
    seed: int
    again: bool = False
    twin: bool = False

    @property
    def aside(self) -> bool:
        """Whether it checks the study and is no run of its design."""
        return self.again or self.twin

    @property
    def id(self) -> str:
        return run_id(self.cell.id, self.seed) + (AGAIN if self.again else TWIN if self.twin else "")

    @property
    def name(self) -> str:
        """The name that MLflow shows."""
        return f"{self.cell.label} · seed {self.seed}" + (" (again)" if self.again else " (check)" if self.twin else "")


@dataclass(frozen=True)
class Twin:
    """A run beside the design for a fix that the design has no matched pair for.

    Attributes:
        arm: of the design.
        run: the same arm with the fix turned the other way.
    """

    arm: Arm
    run: PlannedRun


@dataclass(frozen=True)
class Plan:
    """Everything a study trains.

    Attributes:
        name: the study's, with `-quick` behind it for a quick plan, so that the two never share a store.
        arms: the cell of each arm of the design, in the layout's order.
        layout: what the arms can tell apart.
        contexts: the same arms under each context's params.
        placebos: of each placebo, the cells without and with it.
        sweeps: the points of each sweep, by value; of one that a sampler drives, those that are known.
        seeds: paired seeds of every arm; of a study that may stop early, as far as it has got.
    """

    study: Study
    target: Target
    name: str
    quick: bool
    cells: Mapping[str, Cell]
    arms: Mapping[Arm, str]
    layout: Layout
    contexts: Mapping[str, Mapping[Arm, str]]
    placebos: Mapping[str, tuple[str, str]]
    sweeps: Mapping[str, tuple[SweepPoint, ...]]
    seeds: int

    @property
    def fixes(self) -> list[str]:
        """The fixes that are judged."""
        return list(self.layout.fixes)

    @cached_property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Each distinct run once, whole blocks first: an interrupted study has as many complete blocks as can be."""
        block = [*self.arms.values(), *(cell for arms in self.contexts.values() for cell in arms.values())]
        block += [cell for pair in self.placebos.values() for cell in pair]
        wanted = [(seed, cell) for seed in range(self.seeds) for cell in block]
        points = [point for sweep in self.sweeps.values() for point in sweep]
        most = max((point.seeds for point in points), default=0)
        wanted += [(seed, cell) for seed in range(most) for point in points if seed < point.seeds for cell in point.cells]
        return tuple(PlannedRun(self.cells[cell], seed) for seed, cell in dict.fromkeys(wanted))

    @property
    def checks(self) -> tuple[PlannedRun, ...]:
        """What is trained beside the design, to check it: the arm with most fixes on and seed 0, a second time, and the twins."""
        most = max(self.layout.arms, key=len)
        twins = {twin.run.id: twin.run for twin in self.twins.values()}
        return PlannedRun(self.cells[self.arms[most]], 0, again=True), *twins.values()

    @cached_property
    def twins(self) -> Mapping[str, Twin]:
        """Of each fix that no two arms of the design differ in alone (a fraction's), an arm and that arm with the fix turned."""
        arms = set(self.layout.arms)
        unpaired = [fix for fix in self.fixes if not any(fix not in arm and arm | {fix} in arms for arm in arms)]
        found = {fix: self._twin(fix) for fix in unpaired}
        return {fix: twin for fix, twin in found.items() if twin}

    def _twin(self, fix: str) -> Twin | None:
        """By the arm with the most fixes on where the fix changes the params, and the target takes what comes of it."""
        cells = Cells(self.study, self.target)
        for arm in sorted(self.layout.arms, key=len, reverse=True):
            turned = arm ^ {fix}
            try:
                key = cells.add(turned, {}, arm_label(turned, self.fixes))
            except BadInput:
                continue
            if key != self.arms[arm]:
                return Twin(arm, PlannedRun(cells.found[key], 0, twin=True))
        return None

    @property
    def to_ask(self) -> dict[str, int]:
        """Runs of each sweep whose values a sampler is still to pick; at most, as one may turn out to be an arm of the design."""
        searched = {name: sweep for name, sweep in self.study.sweeps.items() if sweep.trials}
        left = {name: max(0, (sweep.trials or 0) - len(self.sweeps[name])) for name, sweep in searched.items()}
        return {name: left[name] * sweep.seeds * (1 + len(sweep.toggle)) for name, sweep in searched.items() if left[name]}

    @property
    def planned(self) -> int:
        """How many runs the study takes, those still to be picked included."""
        return len(self.runs) + sum(self.to_ask.values())

    @property
    def alike(self) -> tuple[str, ...]:
        """Which swept values are one training, a line each."""
        return tuple(said for name, points in self.sweeps.items() for said in alike_said(name, points))

    def with_values(self, values: Mapping[str, Sequence[int | float]]) -> Plan:
        """The plan with the values that a sampler picked for some sweeps."""
        cells, arms = Cells(self.study, self.target, self.cells), self.arms.values()
        found = {name: sweep_points(cells, name, picked, arms) for name, picked in values.items()}
        return replace(self, cells=cells.found, sweeps={**self.sweeps, **found})

    @property
    def looks(self) -> Looks | None:
        """When the study is looked at, where it may stop early."""
        stopping = self.study.stopping
        return Looks(tuple(stopping.looks), stopping.alpha, stopping.spending) if stopping else None

    @property
    def alpha(self) -> float:
        """The error rate of each family of tests of the fixes; over all looks, where there are several."""
        return self.looks.alpha if self.looks else ALPHA

    def up_to(self, seeds: int) -> Plan:
        """The plan with this many paired seeds of every arm."""
        return replace(self, seeds=seeds)

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

    def context_of(self, cell: str) -> str:
        """The context that a cell is an arm of; empty for the study's own arms, and for cells of no context."""
        return self._contexts_by_cell.get(cell, "")

    @cached_property
    def _contexts_by_cell(self) -> Mapping[str, str]:
        elsewhere = [(cell, name) for name, arms in self.contexts.items() for cell in arms.values()]
        return dict(reversed(elsewhere)) | dict.fromkeys(self.arms.values(), "")

    def params_of(self, arm: Arm) -> Mapping[str, Any]:
        """Every resolved param of an arm, whether or not the design trains it."""
        return _resolved(self.study, self.target, arm, {})

    def arm_ids(self, context: str | None = None) -> list[str]:
        """The cells of the arms in the layout's order; of a context, where one is named."""
        arms = self.arms if context is None else self.contexts[context]
        return [arms[arm] for arm in self.layout.arms]


def make_plan(
    study: Study,
    target: Target,
    quick: bool = False,
    params: Mapping[str, ParamValue] | None = None,
    seeds: int | None = None,
    given: Layout | None = None,
) -> Plan:
    """Plan a study: check it against what its target declares, resolve every cell, share what is the same.

    Args:
        quick: plan a small budget in place of the study's own.
        params, seeds: replace the study's, or those of the small budget.
        given: arms in place of the design's own.

    Raises:
        BadInput: where study and target don't fit together.
    """
    if quick:
        study = _quick(study, target.declaration)
    if params or seeds is not None:
        study = override(study, params or {}, seeds)
    check_fit(study, target.declaration)
    cells = Cells(study, target)
    made = given or arms_of(study)
    arms = {arm: cells.add(arm, {}, label) for arm, label in zip(made.arms, made.labels, strict=True)}
    if len(set(arms.values())) < len(arms):
        raise BadInput(f"fixes: {_same_fix(arms)}; change what on means, or the shared params under which both are the same")
    contexts = {
        name: {arm: cells.add(arm, params, f"{name}: {label}") for arm, label in zip(made.arms, made.labels, strict=True)}
        for name, params in study.contexts.items()
    }
    for name, there in contexts.items():
        if len(set(there.values())) < len(there):
            raise BadInput(f"contexts.{name}: with its params {_same_fix(there)}; change the context's params or leave it out")
    return Plan(
        study=study,
        target=target,
        name=f"{study.name}-quick" if quick else study.name,
        quick=quick,
        cells=cells.found,
        arms=arms,
        layout=made,
        contexts=contexts,
        placebos={name: _placebo(cells, name, made) for name in study.fixes if study.is_placebo(name)},
        sweeps={name: sweep_points(cells, name, sweep.values or (), arms.values()) for name, sweep in study.sweeps.items()},
        seeds=study.stopping.looks[-1] if study.stopping else study.design.seeds,
    )


class Cells:
    """The cells of a study, each under the hash of what it resolves to.

    Args:
        study, target: what is resolved, and by whom.
        found: those that are known already.
    """

    def __init__(self, study: Study, target: Target, found: Mapping[str, Cell] | None = None) -> None:
        self.study = study
        self._target = target
        self.found: dict[str, Cell] = dict(found or {})

    def add(self, arm: Arm, extra: Params, label: str) -> str:
        """Resolve a cell and file it under its id, unless one that resolves alike is there already."""
        key, resolved = self._identified(arm, extra)
        self.found.setdefault(key, Cell(key, label, {name: name in arm for name in self.study.fixes}, resolved))
        return key

    def key(self, arm: Arm, extra: Params) -> str:
        """The id that a cell would have."""
        return self._identified(arm, extra)[0]

    def _identified(self, arm: Arm, extra: Params) -> tuple[str, Mapping[str, Any]]:
        resolved = _resolved(self.study, self._target, arm, extra)
        identity = json.dumps([self._target.name, self._target.declaration.version, _canonical(resolved)], sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()[:12], resolved


def _resolved(study: Study, target: Target, arm: Arm, extra: Params) -> Mapping[str, Any]:
    """Every param of an arm under further params."""
    params: dict[str, Any] = dict(study.params)
    for name, fix in study.fixes.items():
        params |= fix.on if name in arm else fix.off
    return target.declaration.resolve(params | extra)


def _canonical(value: Any) -> Any:
    """Whole floats as ints, so that 0 and 0.0 are one value, and ints too large for a float stay apart."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _placebo(cells: Cells, name: str, made: Layout) -> tuple[str, str]:
    """The arm with the most fixes on, without the placebo and with it."""
    arm = max(made.arms, key=len)
    without = cells.add(arm, {}, "")
    given = cells.add(arm | {name}, {}, f"{made.labels[made.named(arm)]}, {name}")
    if without == given:
        raise BadInput(
            f"fixes.{name}: off and on resolve to the same params, so there is nothing to compare; set a param that differs"
        )
    return without, given


def _quick(study: Study, declaration: Declaration) -> Study:
    """A smaller budget: two seeds and no looks, the target's quick params, three values a sweep."""
    sweeps = {name: sweep.model_copy(update=_smaller(sweep)) for name, sweep in study.sweeps.items()}
    design = study.design.model_copy(update={"seeds": 2})
    smaller = {key: _least(value, study.params.get(key)) for key, value in declaration.quick.items()}
    params = {**study.params, **smaller}
    return study.model_copy(update={"design": design, "sweeps": sweeps, "params": params, "stopping": None})


def _smaller(sweep: Sweep) -> dict[str, Any]:
    few = {"values": _ends_and_middle(sweep.values)} if sweep.values else {"trials": min(3, sweep.trials or 3)}
    return {**few, "seeds": 2}


def _least(quick: Any, given: Any) -> Any:
    """The quick param, unless the study's own is a smaller number."""
    return min(quick, given) if isinstance(given, (int, float)) and isinstance(quick, (int, float)) else quick


def _ends_and_middle(values: list[int | float]) -> list[int | float]:
    ordered = sorted(values)
    return sorted({ordered[0], ordered[len(ordered) // 2], ordered[-1]})


def _same_fix(arms: Mapping[Arm, str]) -> str:
    first: dict[str, Arm] = {}
    for arm, cell in arms.items():
        if cell in first:
            return f"{'+'.join(sorted(arm ^ first[cell]))} changes nothing: off and on resolve to the same params"
        first[cell] = arm
    raise AssertionError("called only where two arms share a cell")
