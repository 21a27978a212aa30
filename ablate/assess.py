"""From what is recorded to what is said: gathers the tables, asks `analysis`, and writes verdict.json and runs.csv."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ablate.analysis.claims import ClaimResult
from ablate.analysis.effects import Effect, factorial_effects
from ablate.analysis.sweeps import Response, respond
from ablate.analysis.symptoms import DefectResult, SymptomResult
from ablate.analysis.verdict import SCHEMA_VERSION, Table, Verdict, as_estimate, judge, secondary
from ablate.design import Plan, PlannedRun, run_id
from ablate.evidence import Evidence, symptom_json
from ablate.records import Record, Records, outcome_of, reason, write_atomic
from ablate.study import Goal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Assessment:
    """Everything that verdict.json and the report say.

    Attributes:
        records: of the planned runs that ended, by run id.
        claims, sweeps: as `analysis` judged them.
        symptoms, defects: what a report saw, looked for in the arm without fixes, over all seeds.
        secondary: for each secondary metric, each fix's effect and adjusted p.
        trajectory: for each fix, its effect on the outcome at each step where every arm logged it.
        warnings: what a reader must know before believing the verdict.
    """

    plan: Plan
    records: Mapping[str, Record]
    verdict: Verdict
    claims: tuple[ClaimResult, ...]
    symptoms: tuple[SymptomResult, ...]
    defects: tuple[DefectResult, ...]
    sweeps: Mapping[str, tuple[Response, ...]]
    secondary: Mapping[str, Mapping[str, tuple[Effect, float]]]
    trajectory: Mapping[str, tuple[tuple[int, Effect], ...]]
    warnings: tuple[str, ...]

    def count(self, state: str) -> int:
        """How many planned runs ended in this state."""
        return sum(record.state == state for record in self.records.values())

    def headline_metrics(self) -> dict[str, float]:
        """Each fix's effect, as the study's own MLflow run shows it."""
        return {f"effect/{name}": fix.effect.effect for name, fix in self.verdict.fixes.items()}

    @property
    def complete(self) -> bool:
        """Every planned run completed."""
        return self.count("completed") == len(self.plan.runs)


def assess(plan: Plan, records: Records) -> Assessment:
    """Analyse what is recorded of a plan."""
    planned = {run.id for run in plan.runs}
    kept = {key: record for key, record in records.load().items() if key in planned}
    outcome = plan.study.outcome
    evidence = Evidence(plan, kept, records)
    symptoms = evidence.symptoms()
    verdict = judge(design_table(plan, kept, outcome), plan.fixes, outcome.metric, outcome.minimum_effect)
    return Assessment(
        plan=plan,
        records=kept,
        verdict=verdict,
        claims=evidence.claims(),
        symptoms=symptoms,
        defects=evidence.defects(symptoms),
        sweeps={name: tuple(_responses(plan, kept, name)) for name in plan.sweeps},
        secondary={goal.metric: secondary(design_table(plan, kept, goal), plan.fixes) for goal in plan.study.secondary},
        trajectory=_trajectory(plan, kept, records),
        warnings=(*_warnings(plan, kept), *verdict.warnings),
    )


def design_table(plan: Plan, records: Mapping[str, Record], goal: Goal) -> Table:
    """A final metric over the design, [seeds, arms]; NaN where the run is missing, failed or not finite."""
    arms = plan.arm_ids()
    values = [[outcome_of(records.get(run_id(arm, seed)), goal.metric) for arm in arms] for seed in range(plan.seeds)]
    return Table(np.asarray(values, dtype=float), goal.sign)


def _responses(plan: Plan, kept: Mapping[str, Record], name: str) -> list[Response]:
    metric = plan.study.outcome.metric
    responses = []
    for point in plan.sweeps[name]:
        values = [outcome_of(kept.get(run_id(point.cell, seed)), metric) for seed in range(point.seeds)]
        responses.append(respond(point.value, [value for value in values if np.isfinite(value)]))
    return responses


def curve_frame(plan: Plan, records: Records, cells: Mapping[str, str], metric: str) -> pd.DataFrame:
    """One step metric of some cells, long: columns `label`, `seed`, `step`, `value`.

    Args:
        cells: label → cell id.
    """
    import pandas as pd

    frames = []
    for label, cell in cells.items():
        for run in (run for run in plan.runs if run.cell.id == cell):
            curve = records.curves(run.id)
            if metric in curve:
                part = curve[["step", metric]].dropna().rename(columns={metric: "value"})
                frames.append(part.assign(label=label, seed=run.seed))
    empty = pd.DataFrame({"label": [], "seed": [], "step": [], "value": []})
    return pd.concat(frames, ignore_index=True) if frames else empty


def _trajectory(plan: Plan, kept: Mapping[str, Record], records: Records) -> dict[str, tuple[tuple[int, Effect], ...]]:
    """Each fix's effect at every step where the outcome was logged in at least two complete blocks."""
    outcome, arms = plan.study.outcome, plan.arm_ids()
    frame = curve_frame(plan, records, {arm: arm for arm in arms}, outcome.metric)
    found: dict[str, list[tuple[int, Effect]]] = {name: [] for name in plan.fixes}
    for step, part in frame.groupby("step"):
        grid = part.pivot(index="seed", columns="label", values="value").reindex(columns=arms).to_numpy(float)
        y = Table(grid, outcome.sign).complete()
        if len(y) >= 2:
            for name, effect in factorial_effects(y, plan.fixes)[0].items():
                found[name].append((int(step), effect))
    return {name: tuple(points) for name, points in found.items() if points}


def _warnings(plan: Plan, kept: Mapping[str, Record]) -> list[str]:
    said = []
    if plan.quick:
        said.append("quick: a small budget, to see that the study works; not a verdict to act on")
    if not plan.target.declaration.metrics:
        said.append("the target declares no metrics: that they can be compared across arms is assumed")
    lost = np.flatnonzero(~np.isfinite(design_table(plan, kept, plan.study.outcome).values).all(axis=1)).tolist()
    if lost:
        said.append(f"seeds left out because an arm is missing: {', '.join(map(str, lost))}")
    for state in ("failed", "diverged"):
        ended = [run for run in plan.runs if run.id in kept and kept[run.id].state == state]
        if ended:
            first = reason(kept[ended[0].id].error)
            why = f"; the first: {ended[0].name}" + (f": {first}" if first else "")
            said.append(f"{len(ended)} of {len(plan.runs)} runs {state}{why} (runs.csv has all)")
    return said + _without_effect(plan, kept)


def _without_effect(plan: Plan, kept: Mapping[str, Record]) -> list[str]:
    """A fix whose every pair of arms ends exactly alike was most likely never read by the target."""
    names = sorted({name for record in kept.values() for name in record.metrics})
    tables = [design_table(plan, kept, Goal(metric=name)).values for name in names]
    lost = ~np.isfinite(design_table(plan, kept, plan.study.outcome).values).all(axis=1)
    y = np.stack(tables)[:, ~lost] if tables else np.empty((0, 0, 2 ** len(plan.fixes)))
    arms = np.arange(2 ** len(plan.fixes))
    said = []
    for index, name in enumerate(plan.fixes):
        off = arms[arms >> index & 1 == 0]
        if y.size and np.array_equal(y[..., off], y[..., off | 1 << index], equal_nan=True):
            said.append(
                f"{name} changed nothing: every run with it on ended exactly as with it off; does the target read its params?"
            )
    return said


def verdict_json(found: Assessment) -> dict[str, Any]:
    """verdict.json, by the contract: nothing in it depends on when or in how many sittings the study was run."""
    plan, verdict = found.plan, found.verdict
    outcome = plan.study.outcome
    return {
        "schema_version": SCHEMA_VERSION,
        "study": plan.study.name,
        "quick": plan.quick,
        "outcome": {"metric": outcome.metric, "goal": outcome.goal, "minimum_effect": outcome.minimum_effect},
        "design": {
            "kind": plan.study.design.kind,
            "fixes": plan.fixes,
            "cells": len(plan.cells),
            "seeds": plan.seeds,
            "planned": len(plan.runs),
            "completed": found.count("completed"),
            "failed": found.count("failed"),
            "diverged": found.count("diverged"),
        },
        "fixes": {
            name: {
                **as_estimate(fix.effect),
                "p": fix.effect.p,
                "p_adjusted": fix.p_adjusted,
                "verdict": fix.word,
                "alone": as_estimate(fix.alone),
                "removed": as_estimate(fix.removed),
                "share": as_estimate(fix.share),
                "seeds_needed": None,
            }
            for name, fix in verdict.fixes.items()
        },
        "interactions": {name: {**as_estimate(e), "p_adjusted": p} for name, (e, p) in verdict.interactions.items()},
        "ranking": verdict.ranking,
        "headline": verdict.headline,
        "warnings": list(found.warnings),
        "claims": [{"name": c.name, "expected": c.expected, "observed": c.observed, "verdict": c.verdict} for c in found.claims],
        "sweeps": {
            name: [{"value": r.value, "mean": r.mean, "ci": list(r.ci) if r.ci else None, "seeds": r.seeds} for r in responses]
            for name, responses in found.sweeps.items()
        },
        "trajectory": {
            name: [{"step": step, **as_estimate(effect)} for step, effect in points] for name, points in found.trajectory.items()
        },
        "secondary": {
            metric: {name: {**as_estimate(e), "p_adjusted": p} for name, (e, p) in effects.items()}
            for metric, effects in found.secondary.items()
        },
        "contexts": {},
        "symptoms": [symptom_json(result) for result in found.symptoms],
    }


def write_results(found: Assessment, out: Path) -> None:
    """Write verdict.json and runs.csv."""
    text = json.dumps(verdict_json(found), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(out / "verdict.json", f"{text}\n".encode())
    write_atomic(out / "runs.csv", runs_frame(found).to_csv(index=False).encode())


def runs_frame(found: Assessment) -> pd.DataFrame:
    """A row a planned run: ids, fixes, sweep values (empty where it is not of that sweep), state, final metrics."""
    import pandas as pd

    return pd.DataFrame([_row(found, run) for run in found.plan.runs])


def _row(found: Assessment, run: PlannedRun) -> dict[str, Any]:
    record = found.records.get(run.id)
    row: dict[str, Any] = {"run_id": run.id, "cell": run.cell.id, "arm": run.cell.label, "seed": run.seed}
    row |= {f"fix.{name}": "on" if on else "off" for name, on in run.cell.fixes.items()}
    for name, points in found.plan.sweeps.items():
        row[f"sweep.{name}"] = next((p.value for p in points if p.cell == run.cell.id and run.seed < p.seeds), None)
    row["state"] = record.state if record else "missing"
    if record:
        row |= {"seconds": round(record.seconds, 3), **record.metrics}
        row |= {"optuna_trial": record.trial, "mlflow_run_id": record.mlflow, "error": reason(record.error)}
    return row
