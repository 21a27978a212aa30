"""From what is recorded to what is said: gathers the tables, asks `analysis`, and writes verdict.json and runs.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ablate.analysis.checks import Check
from ablate.analysis.claims import ClaimResult
from ablate.analysis.divergence import Divergence
from ablate.analysis.effects import Effect
from ablate.analysis.headline import Finding
from ablate.analysis.sweeps import Response
from ablate.analysis.symptoms import DefectResult, SymptomResult
from ablate.analysis.verdict import Verdict, secondary, withheld
from ablate.checks import Inspection
from ablate.design import Plan
from ablate.evidence import Evidence
from ablate.holding import Holding, holding
from ablate.knobs import Knob, judge_knobs
from ablate.preregistration import Registered, registered
from ablate.profile import Profile, profile_of
from ablate.records import Record, Records, reason
from ablate.sittings import Sitting, sittings
from ablate.source import of_other_source
from ablate.stages import Stage, looks_warnings, stage, verdict_at
from ablate.tables import design_table


@dataclass(frozen=True)
class Assessment:
    """Everything that verdict.json and the report say.

    Attributes:
        plan: as far as the study has got, where it may stop early.
        records: of the planned runs that ended, by run id.
        claims, sweeps: as `analysis` judged them.
        knobs: of each sweep its best value, and whether fixes help at every value.
        symptoms, defects: what a report saw, looked for in the arm without fixes, over all seeds.
        secondary: for each secondary metric, each fix's effect and adjusted p.
        holding: whether the verdict holds as training goes on, and in the study's contexts.
        checks, divergence, registered: what the study says of itself: see `checks` and `preregistration`.
        warnings: what a reader must know before believing the verdict.
        stage: the looks taken, and whether the study has ended.
        silent: whether a check withheld the verdict, and with it all else that rests on it: see `checks`.
        sittings: where, when and by what the runs were trained, as far as that was noted.
        profile: where the time of the trainings went, as far as they were profiled; of all runs in the folder.
    """

    plan: Plan
    records: Mapping[str, Record]
    verdict: Verdict
    claims: tuple[ClaimResult, ...]
    symptoms: tuple[SymptomResult, ...]
    defects: tuple[DefectResult, ...]
    sweeps: Mapping[str, tuple[Response, ...]]
    knobs: Mapping[str, Knob]
    secondary: Mapping[str, Mapping[str, tuple[Effect, float]]]
    holding: Holding
    checks: tuple[Check, ...]
    divergence: Divergence
    registered: Registered
    warnings: tuple[str, ...]
    stage: Stage
    silent: bool
    sittings: tuple[Sitting, ...] = ()
    profile: Profile | None = None

    def count(self, state: str) -> int:
        """How many planned runs ended in this state."""
        return sum(record.state == state for record in self.records.values())

    def headline_metrics(self) -> dict[str, float]:
        """Each fix's effect, as the study's own MLflow run shows it."""
        return {f"effect/{name}": fix.effect.effect for name, fix in self.verdict.fixes.items()}

    @property
    def trajectory(self) -> Mapping[str, tuple[tuple[int, Effect], ...]]:
        """For each fix, its effect on the outcome at each step where every arm logged it."""
        return {name: course.points for name, course in self.holding.courses.items() if course.points}

    @property
    def shared(self) -> str:
        """`31,904 of 33,600 forwards were trained; …`: what runs did themselves of all they ask for, and what they took over
        from others; empty where they took over nothing."""
        asked = sum(record.steps for record in self.records.values())
        taken = sum(record.shared for record in self.records.values())
        if not taken:
            return ""
        unit = f"{self.plan.target.declaration.step}s"
        return f"{asked - taken:,} of {asked:,} {unit} were trained; the others were shared with a run that had done the same"

    @property
    def complete(self) -> bool:
        """Every planned run completed, or diverged where the study says what that is worth."""
        diverged = 0 if self.plan.study.outcome.on_divergence is None else self.count("diverged")
        return self.count("completed") + diverged == self.plan.planned


def assess(plan: Plan, records: Records) -> Assessment:
    """Analyse what is recorded of a plan, up to where a study that may stop early has got."""
    kept = records.load()
    reached = stage(plan, kept)
    plan = reached.plan
    planned = {run.id for run in plan.runs}
    sat, whole = sittings(records), [*kept.values(), *filter(None, (records.load_one(run.id) for run in plan.checks))]
    others, kept = len(kept), {key: record for key, record in kept.items() if key in planned}
    evidence = Evidence(plan, kept, records)
    symptoms = evidence.symptoms()
    inspection = Inspection(plan, kept, records, registered(plan, records))
    verdict = inspection.verdict(verdict_at(plan, kept)) if kept or not others else withheld(_none_of(others))
    knobs = judge_knobs(plan, kept)
    holds = holding(plan, kept, records, verdict)
    wanted = plan.study.secondary
    silent = bool(inspection.reasons)
    if silent:  # what withholds the verdict withholds all that rests on the same runs
        holds, wanted = holds.silent(), []
        knobs = {name: knob.silent() for name, knob in knobs.items()}
    return Assessment(
        plan=plan,
        records=kept,
        verdict=replace(verdict, findings=(*verdict.findings, *(Finding("contexts", text) for text in holds.findings))),
        claims=evidence.claims(),
        symptoms=symptoms,
        defects=evidence.defects(symptoms),
        sweeps={name: knob.responses for name, knob in knobs.items()},
        knobs=knobs,
        secondary={goal.metric: secondary(design_table(plan, kept, goal), plan.layout, plan.looks) for goal in wanted},
        holding=holds,
        checks=inspection.checks,
        divergence=inspection.divergence,
        registered=inspection.registered,
        warnings=(
            *looks_warnings(reached),
            *_warnings(plan, kept),
            *of_other_source(plan.target.name, plan.planned, kept, records),
            *inspection.warnings,
            *verdict.warnings,
            *holds.warnings,
        ),
        stage=reached,
        silent=silent,
        sittings=sat,
        profile=profile_of(whole, sat),
    )


def _none_of(others: int) -> str:
    """Why there is no verdict in a folder that holds runs, but none of this study."""
    said = "the one run in the folder is not" if others == 1 else f"none of the {others} runs in the folder is"
    return f"{said} of this study with these settings; give the params (--set, or the study file's) that they were trained with"


def _warnings(plan: Plan, kept: Mapping[str, Record]) -> list[str]:
    said = []
    if plan.quick:
        said.append("quick: a small budget, to see that the study works; not a verdict to act on")
    if not plan.target.declaration.metrics:
        said.append("the target declares no metrics: that they can be compared across arms is assumed")
    said += plan.alike
    any_worth = plan.study.outcome.model_copy(update={"on_divergence": 0.0})  # a diverged run is there
    lost = np.flatnonzero(~np.isfinite(design_table(plan, kept, any_worth).values).all(axis=1)).tolist()
    if lost:
        said.append(f"seeds left out because an arm is missing: {', '.join(map(str, lost))}")
    for state in ("failed", "diverged"):
        ended = [run for run in plan.runs if run.id in kept and kept[run.id].state == state]
        if ended:
            first = reason(kept[ended[0].id].error)
            why = f"; the first: {ended[0].name}" + (f": {first}" if first else "")
            said.append(f"{len(ended)} of {plan.planned} runs {state}{why} (runs.csv has all)")
    return said
