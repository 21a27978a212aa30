"""`diagnose`: one short training of an arm, looked at as a report on it would be: symptoms, defects, claims, data.

The arm and those that the claims name are trained once each with seed 0, in this process, and kept under `diagnosis/` of the
study's folder, apart from the study's own runs.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.analysis.claims import ClaimResult
from ablate.analysis.layout import layout
from ablate.analysis.symptoms import DefectResult, SymptomResult
from ablate.design import Arm, Plan, PlannedRun, arm_label, make_plan, run_id
from ablate.driver import Watcher, missing, prepare
from ablate.engines.base import Engine, Result, Retry, Task
from ablate.errors import BadInput
from ablate.evidence import Evidence, symptom_json
from ablate.records import Record, Records, reason, write_atomic
from ablate.sections import Design, ParamValue
from ablate.stop import Stop
from ablate.study import Study, override
from ablate.target import Target

#: Bumped when a key of diagnosis.json changes its meaning or goes.
SCHEMA_VERSION = 1
SEED = 0
#: Final metrics that describe the data rather than the training.
DATA = "data/"


@dataclass(frozen=True)
class DataFigure:
    """One figure of the data that the arm was trained on, as the target declares and reports it."""

    name: str
    text: str
    value: float


@dataclass(frozen=True)
class Diagnosis:
    """All that the diagnosis says.

    Attributes:
        plan: the trainings it rests on: its runs are those arms, once each.
        arm: the one that is looked at.
        records: of the trainings that ended, by run id.
        data: the target's figures of the data, for this arm.
        audit: the data set that `audit` can count by box, where the study's params name one.
        study_runs: how many trainings the study that tests the fixes takes.
    """

    plan: Plan
    arm: Arm
    records: Mapping[str, Record]
    symptoms: tuple[SymptomResult, ...]
    defects: tuple[DefectResult, ...]
    claims: tuple[ClaimResult, ...]
    data: tuple[DataFigure, ...]
    audit: str | None
    study_runs: int

    @property
    def label(self) -> str:
        """The arm as a person reads it."""
        return arm_label(self.arm, self.plan.fixes)

    @property
    def reference(self) -> bool:
        """Whether the arm is the one that the report is about: no fix is on."""
        return not self.arm

    @property
    def failures(self) -> tuple[str, ...]:
        """Trainings that failed, each with its reason."""
        failed = [run for run in self.plan.runs if run.id in self.records and self.records[run.id].state == "failed"]
        return tuple(f"{run.name}: {reason(self.records[run.id].error)}" for run in failed)


@dataclass(frozen=True)
class Asked:
    """What a diagnosis is asked for: the trainings it takes, the arm to look at, and what a study of the fixes would take."""

    plan: Plan
    arm: Arm
    study_runs: int


def asked(study: Study, target: Target, arm: str = "all_off", params: Mapping[str, ParamValue] | None = None) -> Asked:
    """Plan a diagnosis: the arm, and the arms that the claims speak of, each with one seed.

    Args:
        study: the study; the params that the target declares for `diagnose` replace its own.
        arm: the arm to look at: all_off, all_on, or fixes joined by `+`.
        params: replace both.

    Raises:
        BadInput: where the study names no symptoms or no such arm, or study and target don't fit together.
    """
    if not study.symptoms:
        raise BadInput("symptoms is missing; add what the report printed, each as {name, metric, reduction, reported, fix}")
    try:
        wanted = study.arm(arm, "--arm")
    except ValueError as error:
        raise BadInput(str(error)) from None
    given = override(study, params or {})
    shared = {**given.params, **target.declaration.diagnose, **(params or {})}
    once = Design.model_construct(seeds=1)
    alone = {"design": once, "stopping": None, "sweeps": {}, "contexts": {}, "fixes": given.proposed, "params": shared}
    arms = [wanted] + [study.arm(name) for claim in study.claims for name in (claim.arm, claim.against) if name is not None]
    plan = make_plan(given.model_copy(update=alone), target, given=layout(tuple(given.proposed), tuple(dict.fromkeys(arms))))
    return Asked(replace(plan, name=f"{study.name}-diagnosis"), wanted, make_plan(given, target).planned)


def run_command(study: Path, settings: Sequence[str] = ()) -> str:
    """What would test the fixes of a diagnosis, for a shell: the study's run with the same `--set`s, each as it was given."""
    words = ["python", "-m", "ablate", "run", str(study)] + [word for text in settings for word in ("--set", text)]
    return shlex.join(words)


def diagnose(asked: Asked, records: Records, engine: Engine, watcher: Watcher, device: str) -> Diagnosis:
    """Train what is missing of a diagnosis and say what it shows. Each training is on disk before the next begins.

    Raises:
        KeyboardInterrupt: once the training has ended that Ctrl-C came in.
    """
    todo = missing(asked.plan, records.load())
    if todo:
        _train(asked.plan, todo, records, engine, watcher, device)
    return judge(asked, records)


def _train(plan: Plan, todo: Sequence[PlannedRun], records: Records, engine: Engine, watcher: Watcher, device: str) -> None:
    runs = {run.id: run for run in todo}
    if plan.target.declaration.prepare:
        watcher.preparing()
    prepare(engine, plan.target.name, [run.cell.params for run in todo])
    tasks, stop = [Task(run.id, plan.target.name, run.cell.params, run.seed, device) for run in todo], Stop()
    with stop.on_ctrl_c(watcher.stopping):
        for event in engine.run(tasks, stop):
            run = runs[event.run_id]
            if isinstance(event, Result):
                watcher.ended(run, records.add(event))
            elif isinstance(event, Retry):
                watcher.retried(run, event)
            else:
                watcher.started(run)
    if stop.asked:
        raise KeyboardInterrupt


def judge(asked: Asked, records: Records) -> Diagnosis:
    """What the recorded trainings of a diagnosis show."""
    plan = asked.plan
    planned = {run.id for run in plan.runs}
    kept = {key: record for key, record in records.load().items() if key in planned}
    evidence = Evidence(plan, kept, records)
    symptoms = evidence.symptoms(asked.arm)
    path = plan.study.params.get("data")
    return Diagnosis(
        plan=plan,
        arm=asked.arm,
        records=kept,
        symptoms=symptoms,
        defects=evidence.defects(symptoms),
        claims=evidence.claims(),
        data=_data(plan, kept.get(run_id(plan.arms[asked.arm], SEED))),
        audit=path if isinstance(path, str) and Path(path).exists() else None,
        study_runs=asked.study_runs,
    )


def _data(plan: Plan, record: Record | None) -> tuple[DataFigure, ...]:
    declared = plan.target.declaration.metrics
    finals = record.metrics if record else {}
    names = [name for name in {**declared, **finals} if name.startswith(DATA) and math.isfinite(finals.get(name, math.nan))]
    return tuple(DataFigure(name, declared[name].text if name in declared else "", finals[name]) for name in names)


def diagnosis_json(found: Diagnosis) -> dict[str, Any]:
    """diagnosis.json; its keys are stable. Symptoms are as in verdict.json, claims too, with a `detail` that says why."""
    plan = found.plan
    return {
        "schema_version": SCHEMA_VERSION,
        "study": plan.study.name,
        "arm": found.label,
        "seed": SEED,
        "params": dict(plan.cells[plan.arms[found.arm]].params),
        "symptoms": [symptom_json(result) for result in found.symptoms],
        "defects": {defect.fix: {"verdict": defect.verdict, "evidence": list(defect.evidence)} for defect in found.defects},
        "claims": [
            {"name": c.name, "expected": c.expected, "observed": c.observed, "verdict": c.verdict, "detail": c.detail}
            for c in found.claims
        ],
        "data": {figure.name: figure.value for figure in found.data},
        "failures": list(found.failures),
    }


def write_json(found: Diagnosis, out: Path) -> None:
    """Write diagnosis.json."""
    text = json.dumps(diagnosis_json(found), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(out / "diagnosis.json", f"{text}\n".encode())
