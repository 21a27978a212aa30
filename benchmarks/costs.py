"""What a run and its bookkeeping cost: `PYTHONPATH=. python benchmarks/costs.py` prints one table in about a minute.

Figures of one call are compared with each other, since machines are noisy: each is the median of several repeats, taken in turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ablate.design import Plan, make_plan
from ablate.driver import default_storage
from ablate.engines.base import Result, Task, execute
from ablate.records import Records
from ablate.run import Run
from ablate.study import load_study
from ablate.target import load_target
from ablate.targets.region_clip import resolve, train
from ablate.targets.region_clip.data import Window, training_set, windows
from ablate.targets.region_clip.evaluate import evaluate, held_out
from ablate.targets.region_clip.loop import make_bank, make_model
from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.roi import roi_align
from ablate.targets.region_clip.trainer import Trainer
from ablate.tracking import MLflowTracker
from ablate.trials import Trials

REPEATS = 11
CPU = torch.device("cpu")


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
    """A region run, its evaluation, and an optimizer step: towers at once against micro-batch by micro-batch, and its parts."""
    torch.set_num_threads(1)
    variants: dict[str, dict[str, Any]] = {
        "forward by forward": {"apart": True},
        "without probes": {"probes": "off"},
        "without the global loss": {"global_weight": 0.0},
        "in fp32": {"precision": "fp32"},
    }
    model, data = make_model(resolve({}), CPU), held_out(resolve({}))
    whole, evaluation, *others = median_seconds(
        step(), lambda: evaluate(model, data), *(step(**changes) for changes in variants.values())
    )
    limit, plain = median_seconds(bare(), bare(plain=True))
    (run,) = median_seconds(lambda: train({}, Run(0)))
    return [
        ("a bare step: folded forward and backward pass, optimizer", limit, f"a training step takes {whole / limit:.2f} × of it"),
        ("the same by transformers' layers, for all tokens", plain, f"a training step takes {whole / plain:.2f} × of it"),
        ("region run, 400 forwards", run, "1 thread, bf16"),
        ("  of it: one held-out evaluation", evaluation, f"{4 * evaluation / run:.0%} of a run, at 4 a run"),
        ("  of it: an optimizer step of 8 forwards, towers at once", whole, ""),
        *((f"  the same {name}", taken, f"{taken / whole:.2f} ×") for name, taken in zip(variants, others, strict=True)),
    ]


def step(apart: bool = False, **changes: Any) -> Callable[[], None]:
    """An optimizer step over the same 32 images each time it is called, whole or (`apart`) micro-batch by micro-batch."""
    params = resolve({"forwards": 8, **changes})
    model, run, accumulation = make_model(params, CPU), Run(0), params["gradient_accumulation"]
    optimizer, bank = Optimizer(model, params["lr"], params["weight_decay"]), make_bank(params, model.dim, CPU)
    trainer = Trainer(params, model, optimizer, bank, Probes(run, params["probes"]))

    def take() -> None:
        for i, window in enumerate(
            windows(training_set(params, 0), 4, 1 if apart else accumulation, "none", 0.0, model.side, CPU)
        ):
            loss = trainer.loss(window, range(i, i + len(window.sizes)), 0)
            assert loss is not None
            (loss / accumulation).backward()
        trainer.probes.flush(range(8), optimizer.step())
        run.points.clear()

    return take


def bare(plain: bool = False) -> Callable[[], None]:
    """Forward pass of a folded window, backward pass and optimizer step: what a training step can't do without.

    Args:
        plain: whether transformers computes it, for all tokens in every layer, and RoI Align on whole maps.
    """
    params = resolve({"forwards": 8})
    model = make_model(params, CPU)
    if plain:
        model.clip.set_attn_implementation("eager")
    optimizer = Optimizer(model, params["lr"], params["weight_decay"])
    (window,) = windows(training_set(params, 0), 4, 8, "none", 0.0, model.side, CPU)

    def take() -> None:
        if plain:
            parts = _plain(model, window)
        else:
            regions, images = model.encode(window.images, window.pooling)
            assert images is not None
            assert window.both is not None
            parts = [regions, images, model.texts(window.both)]
        scales = model.region_logit_scale + model.clip.logit_scale  # so that every weight has a gradient
        (torch.cat(parts).square().mean() * scales).backward()
        optimizer.step()

    return take


def _plain(model: RegionCLIP, window: Window) -> list[Tensor]:
    """Embeddings of regions, images, expressions and captions by `CLIPModel`'s own layers."""
    clip, pixels = model.clip, model.pixel_values(window.images)
    seen = clip.vision_model(pixel_values=pixels, output_hidden_states=True)
    maps = model._dense(seen.hidden_states[-2][:, 1:]).transpose(1, 2).unflatten(2, (model.side, model.side))
    regions = roi_align(maps.float(), window.boxes, window.image)
    texts = (clip.text_model(input_ids=texts.each).pooler_output for texts in (window.expressions, window.captions))
    parts = [regions, clip.visual_projection(seen.pooler_output), *(clip.text_projection(text) for text in texts)]
    return [functional.normalize(part.float(), dim=-1) for part in parts]


def bookkeeping_rows(folder: Path) -> list[tuple[str, float, str]]:
    """What the driver does for each run, with as many points as a three-fixes run mirrors."""
    study = load_study(Path("studies/planted.yaml"))
    plan = make_plan(study, load_target(study.target), params={"steps": 2400})
    results = [execute(Task(run.id, plan.target.name, run.cell.params, run.seed)) for run in plan.runs[: REPEATS + 1]]
    records, trials = Records(folder), Trials(default_storage(folder), plan)
    tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", plan, records.identity())
    tracker.open()
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
        trials.tell([(run, None)])
        trials.tell([(run, records.load()[run.id])])

    def mirror() -> None:
        run = next(left["mirror"])
        tracker.mirror(run, records.load()[run.id], records.series(run.id), [], records.stored(run.id))

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
