"""What runs have in common, trained once: `PYTHONPATH=. python benchmarks/prefixes.py` prints one table in about two minutes.

The runs of one seed of the first study that have anything in common are trained in this process, one after the other, from their
starts and sharing; the study's own figures follow from its plan.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.design import Plan, PlannedRun, make_plan
from ablate.engines.base import Result, Task, execute, prepare_target
from ablate.families import least_steps, prefixes, tasks_of
from ablate.study import load_study
from ablate.target import load_target

STUDY = Path("studies/three_fixes.yaml")


@dataclass(frozen=True)
class Trained:
    """Runs by id, and the seconds of this process's CPU time that they took."""

    results: dict[str, Result]
    seconds: float


def train(tasks: Sequence[Task]) -> Trained:
    """Train tasks one after the other."""
    start = time.process_time()
    results = {task.run_id: execute(task) for task in tasks}
    return Trained(results, time.process_time() - start)


def same(one: Trained, other: Trained) -> int:
    """How many runs logged and returned the same, bit for bit."""
    pairs = ((each, other.results[key]) for key, each in one.results.items())
    return sum((a.state, a.metrics, a.points) == (b.state, b.metrics, b.points) for a, b in pairs)


def planned(plan: Plan, runs: Sequence[PlannedRun]) -> tuple[int, int]:
    """Forwards of some runs: those to be trained where all is shared that can be, and those asked for."""
    least = least_steps(runs, plan.target)
    asked = [run.cell.params["forwards"] for run in runs]
    return round(sum(n * least.get(run.id, 1.0) for n, run in zip(asked, runs, strict=True))), sum(asked)


def main() -> None:
    study = load_study(STUDY)
    plan = make_plan(study, load_target(study.target))
    common = prefixes(plan.runs, plan.target)
    some = [run for run in plan.runs if run.seed == 0 and run.id in common]
    prepare_target(plan.target.name, [some[0].cell.params])
    train(tasks_of(some[:1], plan.target, "cpu"))  # what is made once a process is made
    apart, shared = (train(tasks_of(some, plan.target, "cpu", share)) for share in (False, True))
    steps = sum(each.steps for each in shared.results.values())
    own = steps - sum(each.shared for each in shared.results.values())
    whole, asked = planned(plan, plan.runs)
    rows = [
        ("forwards trained, of those asked for: the study", f"{whole:,} of {asked:,} ({whole / asked:.3f})"),
        (
            f"the same of the {len(some)} runs of seed 0 that have something in common",
            f"{own:,} of {steps:,} ({own / steps:.3f})",
        ),
        ("CPU seconds of these, each trained from its start", f"{apart.seconds:.1f}"),
        ("sharing", f"{shared.seconds:.1f} ({shared.seconds / apart.seconds:.3f})"),
        ("runs that are the same bit for bit, in all they log and return", f"{same(shared, apart)} of {len(some)}"),
    ]
    print("| measured | value |\n| --- | ---: |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
