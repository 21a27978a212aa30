"""What a run and its bookkeeping cost: `PYTHONPATH=. python benchmarks/costs.py` prints one table in about a minute.

Figures of one call are compared with each other, since machines are noisy: each is the median of several repeats, taken in turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ablate.design import Plan, make_plan
from ablate.driver import default_storage
from ablate.engines.base import Result, Task, execute
from ablate.records import Records
from ablate.run import Run
from ablate.study import load_study
from ablate.target import load_target
from ablate.targets.region_clip import resolve, train
from ablate.targets.region_clip.data import training_scenes, windows
from ablate.targets.region_clip.evaluate import evaluate
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss
from ablate.targets.region_clip.pretrain import load_pretrained
from ablate.tracking import MLflowTracker
from ablate.trials import Trials

REPEATS = 7


def median_seconds(*work: Callable[[], object]) -> list[float]:
    """Median seconds of each piece of work, run in turn after one warm-up."""
    taken: list[list[float]] = [[] for _ in work]
    for repeat in range(REPEATS + 1):
        for times, piece in zip(taken, work, strict=True):
            start = time.perf_counter()
            piece()
            if repeat:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def region_rows() -> list[tuple[str, float, str]]:
    """A region run, its evaluation, and a window's towers at once against micro-batch by micro-batch."""
    torch.set_num_threads(1)
    params = resolve({})
    model = RegionCLIP(load_pretrained(params), 2.6592)
    scenes = training_scenes(32, 0, 0.0)

    def through(accumulation: int) -> None:
        for batch in windows(scenes, 4, accumulation, "none", 0.0, torch.device("cpu")):
            regions, texts = model.regions(batch.images, batch.boxes, batch.image), model.texts(batch.expressions)
            losses = [
                contrastive_loss(r @ t.T, t @ r.T)
                for r, t in zip(regions.split(batch.sizes), texts.split(batch.sizes), strict=True)
            ]
            torch.stack(losses).sum().backward()

    whole, apart, held_out = median_seconds(lambda: through(8), lambda: through(1), lambda: evaluate(model, 256))
    (run,) = median_seconds(lambda: train({}, Run(0)))
    return [
        ("region run, 400 forwards", run, "1 thread"),
        ("  of it: one held-out evaluation", held_out, f"{4 * held_out / run:.0%} of a run, at 4 a run"),
        ("  of it: a window of 8 forwards, towers at once", whole, ""),
        ("  the same forward by forward", apart, f"{apart / whole:.2f} × at once"),
    ]


def bookkeeping_rows(folder: Path) -> list[tuple[str, float, str]]:
    """What the driver does for each run, with as many points as a three-fixes run mirrors."""
    study = load_study(Path("studies/planted.yaml"))
    plan = make_plan(study, load_target(study.target), params={"steps": 2400})
    results = [execute(Task(run.id, plan.target.name, run.cell.params, run.seed)) for run in plan.runs[: REPEATS + 1]]
    records, trials = Records(folder), Trials(default_storage(folder), plan)
    tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", plan, records.identity())
    keep, finish, mirror = _steps(plan, results, records, trials, tracker)
    return [
        ("record on disk (JSON, Parquet of 2,400 points)", keep, "a run"),
        ("Optuna trial opened and closed", finish, "a run"),
        ("MLflow run with 2,400 points", mirror, "a run"),
    ]


def _steps(plan: Plan, results: list[Result], records: Records, trials: Trials, tracker: MLflowTracker) -> list[float]:
    left = {"keep": iter(results), "finish": iter(plan.runs), "mirror": iter(plan.runs)}

    def finish() -> None:
        run = next(left["finish"])
        trials.start(run)
        trials.finish(run, records.load()[run.id])

    def mirror() -> None:
        run = next(left["mirror"])
        tracker.mirror(run, records.load()[run.id], records.curves(run.id), [])

    return median_seconds(lambda: records.add(next(left["keep"])), finish, mirror)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).mkdir(exist_ok=True)
        rows = [*region_rows(), *bookkeeping_rows(Path(folder))]
    print("| what | ms | |\n| --- | ---: | --- |")
    for name, seconds, note in rows:
        print(f"| {name} | {1000 * seconds:.1f} | {note} |")


if __name__ == "__main__":
    main()
