"""Studies as they would be recorded, made without training, for the tests of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ablate.assess import Assessment, assess
from ablate.design import Plan, PlannedRun, make_plan
from ablate.engines.base import Result
from ablate.records import Records
from ablate.run import Run
from ablate.study import Study
from ablate.target import Declaration, Metric, Target

EPOCH = 1_760_000_000.0
EVALS = (0, 100, 200, 300, 400)
METRICS = {
    "train/region_loss": Metric(
        "symmetric cross-entropy over all candidates, nats",
        step=True,
        incomparable="the bank changes the number of candidates, the scale changes the logits",
        chance="train/chance_loss",
        twin="train/region_loss_over_chance",
        unit="nats",
    ),
    "train/chance_loss": Metric("ln(candidates), nats", step=True, unit="nats"),
    "train/region_loss_over_chance": Metric("region loss ÷ ln(candidates)", step=True, unit="× chance"),
    "eval/region_top1": Metric("held-out share of regions whose text is first", step=True, final=True, unit="share"),
    "eval/region_top1_small": Metric("the same, regions under 1 % of the image", final=True, unit="share"),
    "eval/region_loss": Metric("held-out region loss under one protocol, nats", final=True, unit="nats"),
    "bank/ptr": Metric("write position of the bank, entries", step=True, unit="entries", event="bank starts", probe="bank"),
    "image_norm/min": Metric("smallest norm of a region's image embedding", step=True, unit="1", probe="least norm"),
    "logits_i2t/max": Metric("largest image-to-text logit", step=True, unit="1"),
}


def resolve(params: Mapping[str, Any]) -> dict[str, Any]:
    """`logit_scale_exp` is another way to give `logit_scale_init`, as in the real target."""
    given = dict(params)
    if "logit_scale_exp" in given:
        given["logit_scale_init"] = round(float(np.log(given.pop("logit_scale_exp"))), 4)
    return given


def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """Never called: the results are made by `add_results`."""
    raise AssertionError("synthetic studies are not trained")


TARGET = Target(
    "synthetic:train", train, Declaration(metrics=METRICS, resolve=resolve, units={"bank_warmup": "forwards"}, step="forward")
)


def _claim(name: str, metric: str, reduction: str, comparison: str, value: float, **more: Any) -> dict[str, Any]:
    given = {"name": name, "metric": metric, "reduction": reduction, "comparison": comparison, "value": value}
    return {**given, "arm": "all_on", **more}


THREE_FIXES: dict[str, Any] = {
    "name": "three_fixes",
    "target": "synthetic:train",
    "params": {"forwards": 400, "batch_size": 4, "gradient_accumulation": 8, "learning_rate": 3e-4},
    "fixes": {
        "logit_scale": {"off": {"logit_scale_init": 2.6592}, "on": {"logit_scale_init": 4.6052}},
        "bbox_filter": {"off": {"box_filter": "none"}, "on": {"box_filter": "valid", "min_box_area": 0.01}},
        "memory_bank": {"off": {"bank_warmup": 400}, "on": {"bank_warmup": 50}},
    },
    "design": {"seeds": 6},
    "sweeps": {
        "temperature": {"param": "logit_scale_exp", "values": [5, 10, 14.285, 25, 50, 100, 200], "seeds": 3},
        "warmup": {"param": "bank_warmup", "values": [0, 25, 50, 100, 200, 400], "seeds": 3},
    },
    "outcome": {"metric": "eval/region_top1", "minimum_effect": 0.01},
    "secondary": [{"metric": "eval/region_loss", "goal": "minimize"}, "eval/region_top1_small"],
    "curves": [
        "train/region_loss",
        "train/region_loss_over_chance",
        "eval/region_top1",
        "bank/ptr",
        "image_norm/min",
        "logits_i2t/max",
    ],
    "claims": [
        _claim("logits reach 10", "logits_i2t/max", "max", ">=", 10),
        _claim("no zero norm", "image_norm/min", "min", ">", 0.5),
        _claim("bank starts", "bank/ptr", "max", ">", 0, steps=[0, 60]),
        _claim("region loss below 0.8", "train/region_loss", "last", "<", 0.8),
    ],
}


def planned(raw: Mapping[str, Any] = THREE_FIXES, target: Target = TARGET, quick: bool = False, **changes: Any) -> Plan:
    """The plan of a study given as a mapping, with some of its sections changed."""
    return make_plan(Study.model_validate({**raw, **changes}), target, quick)


def add_results(plan: Plan, out: Path, broken: Mapping[str, str] | None = None, skip: int = 0) -> Assessment:
    """Record a made result for every planned run and assess them.

    Args:
        plan: the plan.
        out: the folder of the records.
        broken: run id → the error it failed with.
        skip: how many runs at the end of the plan are left missing.
    """
    records = Records(out)
    runs = plan.runs[: len(plan.runs) - skip]
    for index, run in enumerate((*runs, *plan.checks) if runs else ()):
        started = EPOCH + 10 * index
        if broken and run.id in broken:
            records.add(Result(run.id, "failed", started, 1.0, error=broken[run.id]))
        else:
            metrics, points = _made(run, set(plan.target.declaration.metrics))
            record = records.add(Result(run.id, "completed", started, 9.0 + run.seed / 10, metrics, points))
            records.link([replace(record, trial=index, mlflow=f"{index:032x}")])
    return assess(plan, records)


def _made(run: PlannedRun, known: set[str]) -> tuple[dict[str, float], tuple[tuple[str, int, float], ...]]:
    """Final metrics and curves of a run, like a small CLIP's: effects of the params, noise of the seed."""
    p = run.cell.params
    own = np.random.default_rng([run.seed, int(run.cell.id[:8], 16)])
    shared = np.random.default_rng(run.seed).normal()
    scale, warmup = p.get("logit_scale_init", 2.6592), p.get("bank_warmup", 400)
    filtered = p.get("box_filter", "none") != "none"
    gain = 0.055 * np.exp(-(((scale - 3.7) / 1.6) ** 2)) + 0.028 * (1 - warmup / 400) + 0.004 * filtered
    top1 = 0.31 + gain + 0.012 * shared + 0.009 * own.normal()
    metrics = {
        "eval/region_top1": top1,
        "eval/region_top1_small": top1 - 0.08 - 0.03 * filtered + 0.01 * own.normal(),
        "eval/region_loss": 2.9 - 6 * gain + 0.05 * own.normal(),
    }
    step = np.arange(401)
    candidates = 4 + np.clip(4 * (step - warmup), 0, 128)
    chance = np.log(candidates)
    ratio = 1 - (0.25 + 3 * gain) * (1 - np.exp(-step / 150)) + own.normal(scale=0.09, size=401)
    curves = {
        "train/region_loss": ratio * chance,
        "train/chance_loss": chance,
        "train/region_loss_over_chance": ratio,
        "bank/ptr": np.clip(4 * (step - warmup), 0, None) % 128,
        "image_norm/min": np.where(own.random(401) < 0.25, float(filtered), 1.0),
        "logits_i2t/max": np.exp(scale) * (0.04 + 0.04 * (1 - np.exp(-step / 100)) + own.normal(scale=0.006, size=401)),
    }
    points = [
        (name, int(s), float(v)) for name, values in curves.items() if name in known for s, v in zip(step, values, strict=True)
    ]
    points += [("eval/region_top1", s, float(0.1 + (top1 - 0.1) * (1 - np.exp(-s / 130)) + 0.004 * own.normal())) for s in EVALS]
    points += [(f"extra/{i}", int(s), float(v)) for i in range(8) for s, v in zip(step, own.normal(size=401), strict=True)]
    return {name: float(value) for name, value in metrics.items()}, tuple(points)
