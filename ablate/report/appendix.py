"""The report's appendix as data: design, arms, params, failures, versions, run ids."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ablate.assess import Assessment
from ablate.design import run_id
from ablate.records import outcome_of, reason
from ablate.report.designs import FractionPart, fraction_part
from ablate.report.judged import judged
from ablate.report.text import duration, number, param, plural

#: The packages whose versions a reader needs to repeat the study.
PACKAGES = ("torch", "transformers", "numpy", "scipy", "pandas", "optuna", "mlflow", "ray")


@dataclass(frozen=True)
class ArmRow:
    """An arm: how many of its seeds completed, its mean outcome ± standard deviation, its mean seconds."""

    label: str
    cell: str
    seeds: str
    outcome: str
    seconds: str


@dataclass(frozen=True)
class RunRow:
    """A planned run, and where it is known."""

    id: str
    label: str
    seed: int
    state: str
    outcome: str
    seconds: str
    trial: str
    mlflow: str


@dataclass(frozen=True)
class Failure:
    """A run that did not complete, and what its error ends in."""

    name: str
    id: str
    state: str
    error: str


@dataclass(frozen=True)
class Appendix:
    """All that a reader may look up."""

    judged: tuple[str, ...]
    design: tuple[tuple[str, str], ...]
    fraction: FractionPart | None
    arms: tuple[ArmRow, ...]
    params: tuple[tuple[str, str], ...]
    failures: tuple[Failure, ...]
    versions: tuple[tuple[str, str], ...]
    runs: tuple[RunRow, ...]


def appendix(found: Assessment) -> Appendix:
    """Gather the appendix."""
    return Appendix(
        judged=judged(found),
        design=_design(found),
        fraction=fraction_part(found.plan),
        arms=_arms(found),
        params=tuple((key, param(value)) for key, value in found.plan.study.params.items()),
        failures=_failures(found),
        versions=_versions(),
        runs=tuple(_run_row(found, run) for run in found.plan.runs),
    )


def _design(found: Assessment) -> tuple[tuple[str, str], ...]:
    plan = found.plan
    missing = plan.planned - len(found.records)
    elsewhere = sum(bool(plan.context_of(cell)) for cell in plan.cells)
    further = len(plan.cells) - len(plan.arms) - elsewhere
    arms = plural(len(plan.arms), "arm") + (f", {elsewhere} in contexts" if elsewhere else "")
    rows = [
        ("target", plan.target.name),
        ("kind", f"{plan.study.design.kind.replace('_', ' ')} over {', '.join(plan.fixes)}"),
        (
            "cells",
            f"{len(plan.cells)} ({arms}, {plural(further, 'further cell')})",
        ),
        ("paired seeds", str(plan.seeds)),
        ("runs planned", str(plan.planned)),
        *((f"runs {state}", str(found.count(state))) for state in ("completed", "failed", "diverged")),
        ("runs missing", str(missing)),
        ("training time in all", duration(sum(record.seconds for record in found.records.values()))),
    ]
    return tuple(rows)


def _arms(found: Assessment) -> tuple[ArmRow, ...]:
    plan, metric = found.plan, found.plan.study.outcome.metric
    rows = []
    for cell in dict.fromkeys([*plan.arm_ids(), *(cell for name in plan.contexts for cell in plan.arm_ids(name))]):
        records = [found.records.get(run_id(cell, seed)) for seed in range(plan.seeds)]
        done = [record for record in records if record and record.state == "completed"]
        values = np.array([outcome_of(record, metric) for record in done])
        values = values[np.isfinite(values)]
        spread = f" ± {number(float(values.std(ddof=1)), 2)}" if len(values) > 1 else ""
        mean = number(float(values.mean())) if len(values) else "–"
        seconds = number(float(np.mean([record.seconds for record in done]))) if done else "–"
        rows.append(ArmRow(plan.cells[cell].label, cell, f"{len(done)} of {plan.seeds}", mean + spread, seconds))
    return tuple(rows)


def _failures(found: Assessment) -> tuple[Failure, ...]:
    rows = []
    for run in found.plan.runs:
        record = found.records.get(run.id)
        if record is None:
            continue
        if record.state != "completed":
            said = reason(record.error) or _not_finite(record.metrics)
            rows.append(Failure(run.name, run.id, record.state, said))
    return tuple(rows)


def _not_finite(metrics: Mapping[str, float]) -> str:
    return "not finite: " + ", ".join(name for name, value in metrics.items() if not np.isfinite(value))


def _versions() -> tuple[tuple[str, str], ...]:
    """Of the environment that writes the report; packages are asked for their version, not imported."""
    import ablate

    rows = [("python", platform.python_version()), ("platform", platform.platform(terse=True))]
    rows.append(("ablate", ablate.__version__))
    return tuple(rows + [(name, _installed(name)) for name in PACKAGES])


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _run_row(found: Assessment, run: Any) -> RunRow:
    record = found.records.get(run.id)
    if record is None:
        return RunRow(run.id, run.cell.label, run.seed, "missing", "–", "–", "–", "–")
    return RunRow(
        run.id,
        run.cell.label,
        run.seed,
        record.state,
        number(outcome_of(record, found.plan.study.outcome.metric), 4),
        number(record.seconds),
        "–" if record.trial is None else str(record.trial),
        record.mlflow or "–",
    )
