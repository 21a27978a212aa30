"""The report's appendix as data: design, environment, arms, params, failures, run ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ablate.assess import Assessment
from ablate.design import PlannedRun
from ablate.records import outcome_of, reason
from ablate.report.cells import (
    ArmRow,
    Differing,
    FixKey,
    arm_rows,
    counted,
    differing_params,
    fix_keys,
    listed,
    point_rows,
    shared_params,
)
from ablate.report.designs import FractionPart, fraction_part
from ablate.report.environment import Rows, environment_rows, version_rows
from ablate.report.judged import judged
from ablate.report.profile_part import ProfilePart, profile_part
from ablate.report.text import clipped, number, plural

#: Of a traceback, the last so many lines of so many characters; of the first so many failures that differ.
LINES, WIDTH, TRACEBACKS = 12, 120, 10
#: Of runs that ended for one and the same reason, so many are named.
NAMED = 12


@dataclass(frozen=True)
class RunRow:
    """A planned run, and where it is known."""

    id: str
    label: str
    cell: str
    seed: int
    state: str
    outcome: str
    seconds: str
    trial: str
    mlflow: str


@dataclass(frozen=True)
class Failure:
    """Runs that did not complete for one and the same reason.

    Attributes:
        name, id: of the first of them.
        others: which others there are; empty where there are none.
        attempts: `2 attempts`; empty where none was tried more than once.
        error: what their error ends in.
        traceback: the last lines of the first one's.
    """

    name: str
    id: str
    others: str
    state: str
    attempts: str
    error: str
    traceback: str = ""


@dataclass(frozen=True)
class Appendix:
    """All that a reader may look up.

    Attributes:
        command, report_command: what trains the study again, and what writes the report again; empty where not recorded.
        earlier: other commands that runs were trained by.
    """

    judged: tuple[str, ...]
    design: Rows
    environment: Rows
    versions: Rows
    command: str
    report_command: str
    earlier: tuple[str, ...]
    fraction: FractionPart | None
    fixes: tuple[FixKey, ...]
    arms: tuple[ArmRow, ...]
    points: tuple[tuple[str, tuple[ArmRow, ...]], ...]
    differing: tuple[Differing, ...]
    params: Rows
    profile: ProfilePart | None
    failures: tuple[Failure, ...]
    runs: tuple[RunRow, ...]


def appendix(found: Assessment) -> Appendix:
    """Gather the appendix."""
    sat = found.sittings
    command = sat[-1].command if sat else ""
    return Appendix(
        judged=judged(found),
        design=_design(found),
        environment=environment_rows(found),
        versions=version_rows(sat),
        command=command,
        report_command=sat[-1].report if sat else "",
        earlier=tuple(dict.fromkeys(each.command for each in sat if each.command != command)),
        fraction=fraction_part(found.plan),
        fixes=fix_keys(found),
        arms=arm_rows(found),
        points=point_rows(found),
        differing=differing_params(found),
        params=shared_params(found),
        profile=profile_part(found),
        failures=_failures(found),
        runs=tuple(_run_row(found, run) for run in found.plan.runs),
    )


def _design(found: Assessment) -> Rows:
    plan = found.plan
    swept = [f"{name}: {listed(plan.study.sweeps[name].seeds)}" for name, points in plan.sweeps.items() if points]
    rows = [
        ("target", plan.target.name),
        ("kind", f"{plan.study.design.kind.replace('_', ' ')} over {', '.join(plan.fixes)}"),
        ("cells", counted(found)),
        ("paired seeds", listed(plan.seeds)),
        *([("seeds of sweeps", "; ".join(swept))] if swept else []),
        ("runs planned", str(plan.planned)),
        *((f"runs {state}", str(found.count(state))) for state in ("completed", "failed", "diverged")),
        ("runs missing", str(plan.planned - len(found.records))),
        *([("shared", found.shared)] if found.shared else []),
    ]
    return tuple(rows)


def _failures(found: Assessment) -> tuple[Failure, ...]:
    """One for each reason, and tracebacks of the first few."""
    alike: dict[tuple[str, str], list[PlannedRun]] = {}
    for run in found.plan.runs:
        record = found.records.get(run.id)
        if record is not None and record.state != "completed":
            alike.setdefault((record.state, reason(record.error) or _not_finite(record.metrics)), []).append(run)
    rows, told = list[Failure](), 0
    for (state, said), runs in alike.items():
        error = found.records[runs[0].id].error.strip()
        shown = "\n" in error and told < TRACEBACKS
        told += shown
        most = max(found.records[run.id].attempts for run in runs)
        tried = plural(most, "attempt") if most > 1 else ""
        rows.append(Failure(runs[0].name, runs[0].id, _others(runs[1:]), state, tried, said, _tail(error) if shown else ""))
    return tuple(rows)


def _others(runs: Sequence[PlannedRun]) -> str:
    """`and 14 more: all off · seed 1, …`."""
    if not runs:
        return ""
    named = ", ".join(run.name for run in runs[:NAMED])
    return f"and {len(runs)} more: {named}" + (", …" if len(runs) > NAMED else "")


def _tail(traceback: str) -> str:
    """The last lines of a traceback, long ones cut in their middle."""
    return "\n".join(clipped(line.rstrip(), WIDTH) for line in traceback.splitlines()[-LINES:])


def _not_finite(metrics: Mapping[str, float]) -> str:
    return "not finite: " + ", ".join(name for name, value in metrics.items() if not np.isfinite(value))


def _run_row(found: Assessment, run: PlannedRun) -> RunRow:
    record = found.records.get(run.id)
    about = run.id, run.cell.label, run.cell.id, run.seed
    if record is None:
        return RunRow(*about, "missing", "–", "–", "–", "–")
    return RunRow(
        *about,
        record.state,
        number(outcome_of(record, found.plan.study.outcome.metric), 4),
        number(record.seconds),
        "–" if record.trial is None else str(record.trial),
        record.mlflow or "–",
    )
