"""What a plan will cost and could show, and how far it has come: from the plan and the records alone."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ablate.analysis.power import detectable_effect, noise
from ablate.design import Plan, PlannedRun
from ablate.driver import missing
from ablate.families import least_steps
from ablate.options import Comparison, compare, fraction_json
from ablate.records import Record, Records
from ablate.stages import stage
from ablate.tables import design_table


@dataclass(frozen=True)
class LookCost:
    """A look that is planned: runs in all by then, of which `to_train` are still to be trained, in so many seconds."""

    seeds: int
    runs: int
    to_train: int
    seconds: float | None


@dataclass(frozen=True)
class Forecast:
    """A dry run.

    Attributes:
        seconds: of training, on `workers` workers; None where no run was timed and the target gives no estimate.
        timed: whether `seconds` comes from runs that were timed.
        noise: standard deviation of a run's outcome within an arm, the seed's own part taken out; None where not measured.
        detectable: the smallest main effect found with 80 % power, in units of that noise; with every seed there may be.
        looks: what each look costs, where the study may stop early; the figures above are those of the last.
        place: the look it stands at, once runs are recorded.
        designs: what other designs of the fixes would cost and could show.
    """

    plan: Plan
    to_train: int
    workers: int
    seconds: float | None
    timed: bool
    noise: float | None
    detectable: float
    designs: Comparison
    looks: tuple[LookCost, ...] = ()
    place: str = ""

    def as_json(self) -> dict[str, Any]:
        """`plan --json`."""
        plan = self.plan
        return {
            "study": plan.study.name,
            "quick": plan.quick,
            "target": plan.target.name,
            "fixes": {name: {"off": fix.off, "on": fix.on} for name, fix in plan.study.fixes.items()},
            "design": {"kind": plan.study.design.kind, "arms": len(plan.arms), "seeds": plan.seeds},
            "fraction": fraction_json(plan),
            "sweeps": {name: [point.value for point in points] for name, points in plan.sweeps.items()},
            "contexts": {name: dict(params) for name, params in plan.study.contexts.items()},
            "cells": len(plan.cells),
            "runs": plan.planned,
            "to_ask": plan.to_ask,
            "to_train": self.to_train,
            "workers": self.workers,
            "seconds": self.seconds,
            "smallest_detectable_effect": {
                "in_run_noise": self.detectable,
                "in_outcome_units": None if self.noise is None else self.detectable * self.noise,
                "power": 0.8,
            },
            "looks": [asdict(look) for look in self.looks] or None,
            "look": self.place or None,
            "warnings": list(plan.alike),
            **self.designs.as_json(),
        }


def forecast(plan: Plan, records: Records) -> Forecast:
    """What is still to train and how long that takes, and what the design could detect."""
    planned = {run.id for run in plan.runs}
    kept = {key: record for key, record in records.load().items() if key in planned}
    reached = stage(plan, kept)
    most = reached.plan.seeds if reached.ended else plan.seeds
    todo, workers = missing(plan.up_to(most), kept), workers_here()
    to_ask = sum(plan.to_ask.values())
    each, timed = _seconds(plan, kept)
    y = design_table(plan, kept, plan.study.outcome).complete()
    measured = noise(y) if len(y) >= 2 else None
    share = None if each is None else statistics.mean(each[cell] for cell in plan.arms.values()) / workers
    return Forecast(
        plan=plan,
        to_train=len(todo) + to_ask,
        workers=workers,
        seconds=_time(plan, each, todo, workers, to_ask),
        timed=timed,
        noise=measured,
        detectable=detectable_effect(plan.layout, plan.seeds, alpha=plan.alpha),
        looks=tuple(_look(plan.up_to(seeds), most, kept, each, workers) for seeds in reached.looks),
        place=reached.place if kept else "",
        designs=compare(plan, share, measured),
    )


def _look(plan: Plan, most: int, kept: Mapping[str, Record], each: Mapping[str, float] | None, workers: int) -> LookCost:
    """What a look takes; nothing more where the study has ended with `most` seeds before it."""
    todo = missing(plan.up_to(min(most, plan.seeds)), kept)
    return LookCost(plan.seeds, len(plan.runs), len(todo), _time(plan, each, todo, workers))


def _time(
    plan: Plan, each: Mapping[str, float] | None, todo: Sequence[PlannedRun], workers: int, to_ask: int = 0
) -> float | None:
    """Seconds that some runs take, by the seconds a run of each cell takes alone; None where these are not known.

    Args:
        to_ask: further runs, of cells that are not known yet.
    """
    if each is None:
        return None
    further = to_ask * statistics.mean(each.values()) if to_ask else 0.0
    own = least_steps(todo, plan.target) if plan.study.resources.share_prefixes else {}
    return (sum(each.get(run.cell.id, 0.0) * own.get(run.id, 1.0) for run in todo) + further) / workers


def _seconds(plan: Plan, kept: Mapping[str, Record]) -> tuple[dict[str, float] | None, bool]:
    """Seconds a run of each cell: what was timed, else the target's own estimate, else nothing."""
    timed = [record.seconds for record in kept.values() if record.state != "failed"]
    if timed:
        return dict.fromkeys(plan.cells, statistics.median(timed)), True
    estimate = plan.target.declaration.seconds
    each = {key: estimate(cell.params) if estimate else None for key, cell in plan.cells.items()}
    known = {key: seconds for key, seconds in each.items() if seconds is not None}
    return (known if len(known) == len(each) else None), False


def progress(plan: Plan, records: Records) -> dict[str, Any]:
    """`status --json`: counts of runs, those in training by name, and the seconds left; up to the look a study is at."""
    kept = records.load()
    reached = stage(plan, kept)
    plan = reached.plan
    running = records.running() & {run.id for run in plan.runs}
    states = [kept[run.id].state if run.id in kept else "missing" for run in plan.runs if run.id not in running]
    seen = forecast(plan, records)
    return {
        "study": plan.study.name,
        "planned": plan.planned,
        "done": states.count("completed") + states.count("diverged"),
        "failed": states.count("failed"),
        "diverged": states.count("diverged"),
        "running": len(running),
        "missing": states.count("missing") + sum(plan.to_ask.values()),
        "held_by": holder.said if (holder := records.holder()) else None,
        "running_runs": [run.name for run in plan.runs if run.id in running],
        "seconds_left": seen.seconds,
        "look": reached.place or None,
    }


def workers_here() -> int:
    """How many trainings this machine takes at a time by default: its cores, as far as this process may use them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
