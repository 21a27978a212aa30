"""What a study leaves as files: verdict.json, whose keys are the contract's, and runs.csv."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ablate.analysis.effects import Effect
from ablate.analysis.verdict import SCHEMA_VERSION, Interaction, as_estimate
from ablate.assess import Assessment
from ablate.checked import own_json, placebos_json
from ablate.design import PlannedRun
from ablate.evidence import symptom_json
from ablate.files import storage_errors
from ablate.knobs import knob_json
from ablate.profile import Phase, Profile, Stint
from ablate.records import reason, write_atomic
from ablate.stages import looks_json


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
            "planned": plan.planned,
            "completed": found.count("completed"),
            "failed": found.count("failed"),
            "diverged": found.count("diverged"),
        },
        "fixes": {
            name: {
                **_estimate(fix.effect),
                "p": fix.effect.p,
                "p_adjusted": fix.p_adjusted,
                "verdict": fix.word,
                "alone": as_estimate(fix.alone),
                "removed": as_estimate(fix.removed),
                "share": as_estimate(fix.share),
                "seeds_needed": fix.seeds_needed,
            }
            for name, fix in verdict.fixes.items()
        }
        | placebos_json(found),
        "interactions": {name: _interaction(found) for name, found in verdict.interactions.items()},
        "ranking": verdict.ranking,
        "headline": verdict.headline,
        "findings": [finding.text for finding in verdict.findings],
        "warnings": list(found.warnings),
        "claims": [{"name": c.name, "expected": c.expected, "observed": c.observed, "verdict": c.verdict} for c in found.claims],
        "sweeps": {
            name: [{"value": r.value, "mean": r.mean, "ci": list(r.ci) if r.ci else None, "seeds": r.seeds} for r in responses]
            for name, responses in found.sweeps.items()
        },
        "secondary": {
            metric: {name: {**_estimate(e), "p_adjusted": p} for name, (e, p) in effects.items()}
            for metric, effects in found.secondary.items()
        },
        **found.holding.as_json(),
        "stopping": looks_json(found.stage),
        "knobs": {name: knob_json(knob) for name, knob in found.knobs.items()},
        "symptoms": [symptom_json(result) for result in found.symptoms],
        **own_json(found),
    }


def _interaction(found: Interaction) -> dict[str, Any]:
    """An interaction; where it is real with each of its fixes' effect while the other is off and on."""
    said: dict[str, Any] = {**_estimate(found.effect), "p_adjusted": found.p_adjusted}
    if found.simple:
        said["simple"] = {
            fix: {
                state: {**_estimate(effect), "verdict": word} for state, (effect, word) in zip(("off", "on"), both, strict=True)
            }
            for fix, both in found.simple.items()
        }
    return said


def _said(part: tuple[Effect, str]) -> dict[str, Any]:
    return {**_estimate(part[0]), "verdict": part[1]}


def _estimate(effect: Effect) -> dict[str, Any]:
    return {"effect": effect.effect, "ci": list(effect.ci())}


def write_results(found: Assessment, out: Path) -> None:
    """Write verdict.json and runs.csv, and profile.csv where runs were profiled."""
    text = json.dumps(verdict_json(found), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(out / "verdict.json", f"{text}\n".encode())
    write_atomic(out / "runs.csv", runs_csv(found).encode())
    if found.profile:
        write_atomic(out / "profile.csv", profile_csv(found, found.profile).encode())
    else:
        with storage_errors(out):
            (out / "profile.csv").unlink(missing_ok=True)  # of runs that were forgotten


def runs_csv(found: Assessment) -> str:
    """A row a planned run: ids, fixes, sweep values (empty where it is not of that sweep), state, final metrics."""
    return _csv([_row(found, run) for run in found.plan.runs])


def profile_csv(found: Assessment, profile: Profile) -> str:
    """A row a profiled run: its worker, when it began after the first of its sitting, and seconds by phase."""
    runs = {run.id: run for run in (*found.plan.runs, *found.plan.checks)}
    return _csv([_profile_row(runs.get(stint.run_id), stint, phase) for phase in profile.phases for stint in phase.stints])


def _profile_row(run: PlannedRun | None, stint: Stint, phase: Phase) -> dict[str, Any]:
    about = {"cell": run.cell.id, "arm": run.cell.label, "seed": run.seed} if run else {"cell": "", "arm": "", "seed": ""}
    times = {"started": stint.start - phase.start, "seconds": stint.seconds, "cpu_seconds": stint.cpu}
    times |= {f"phase.{name}": seconds for name, seconds in stint.phases.items()}
    return {"run_id": stint.run_id, **about, "worker": stint.worker} | {key: round(value, 6) for key, value in times.items()}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _told(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _told(value: Any) -> Any:
    """Nothing where a value is none or no number."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _row(found: Assessment, run: PlannedRun) -> dict[str, Any]:
    record = found.records.get(run.id)
    row: dict[str, Any] = {"run_id": run.id, "cell": run.cell.id, "arm": run.cell.label, "seed": run.seed}
    row |= {f"fix.{name}": "on" if on else "off" for name, on in run.cell.fixes.items()}
    for name, points in found.plan.sweeps.items():
        row[f"sweep.{name}"] = next((p.value for p in points if run.cell.id in p.cells and run.seed < p.seeds), None)
    row["context"] = found.plan.context_of(run.cell.id)
    row["state"] = record.state if record else "missing"
    if record:
        seconds = {"seconds": round(record.seconds, 3)}  # the run's wall time, whatever the target calls so
        own = {*row, "attempts", "optuna_trial", "mlflow_run_id", "error"}
        row |= seconds | {f"metric.{name}" if name in own else name: value for name, value in record.metrics.items()} | seconds
        row |= {
            "attempts": record.attempts,
            "optuna_trial": record.trial,
            "mlflow_run_id": record.mlflow,
            "error": reason(record.error),
        }
    return row
