"""FG-CLIP's region-text fine-tuning, small enough for a CPU, with the diagnosis's three defects as params.

This module says what the target takes and reports, without importing torch; `loop` trains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ablate.errors import BadInput
from ablate.run import Run
from ablate.target import Metric, declare

DEFAULTS: dict[str, Any] = {
    # the training
    "forwards": 400,  # micro-batches
    "batch_size": 4,  # images a forward
    "gradient_accumulation": 8,  # forwards an optimizer step
    "lr": 1e-3,
    "weight_decay": 0.01,
    # defect 1
    "logit_scale_init": 2.6592,  # log of the logits' multiplier
    # defect 2
    "bank_size": 128,
    "bank_warmup": 400,  # in forwards
    # defect 3
    "invalid_rate": 0.067,  # share of boxes that are broken: 34 of 134 forwards have one
    "box_filter": "none",  # one of FILTERS
    "min_box_area": 0.0,  # share of the image; only with box_filter valid
    # evaluation
    "eval_every": 100,  # forwards
    "eval_images": 256,
    # the start
    "hidden_size": 64,
    "vision_layers": 3,
    "text_layers": 2,
    "patch_size": 8,
    "pretrain_steps": 400,
    "pretrain_batch": 64,
    "pretrain_lr": 1e-3,
}
MAY_BE_ZERO = ("bank_size", "bank_warmup", "eval_every", "pretrain_steps")
FILTERS = ("none", "valid")
#: Another way to give a param: the multiplier in place of its log.
ALIAS = "logit_scale_exp"

_LOSS = "the bank changes the number of candidates (chance is ln N) and the scale the logits"

METRICS = {
    "eval/region_top1": Metric("held-out region→text top-1 among 32", step=True, final=True),
    "eval/region_top1_small": Metric("the same, boxes below 1 % of their image", step=True, final=True),
    "eval/region_top1_large": Metric("the same, boxes of at least 1 %", step=True, final=True),
    "eval/region_loss": Metric("held-out region loss at the best scale ÷ ln 32; 1 is chance", step=True, final=True),
    "bank/first_step": Metric("optimizer steps completed when the bank's ptr first grew", final=True),
    "train/region_loss": Metric(
        "region loss of a forward, nats", step=True, incomparable=_LOSS,
        chance="train/chance_loss", twin="train/region_loss_over_chance",
    ),
    "train/region_loss_over_chance": Metric("region loss ÷ ln(candidates); 1 is chance", step=True),
    "train/chance_loss": Metric("ln(candidates), nats", step=True),
    "train/candidates": Metric("texts that a region is matched to: the batch's and the bank's", step=True),
    "train/valid_boxes": Metric("boxes in the loss", step=True),
    "train/optimizer_step": Metric("optimizer steps completed", step=True),
    "logit_scale/log": Metric("region logit scale", step=True),
    "logit_scale/exp": Metric("its exponential, the multiplier of the logits", step=True),
    "image_norm/min": Metric("least norm of a region embedding", step=True),
    "image_norm/max": Metric("greatest norm", step=True),
    "image_norm/mean": Metric("mean norm", step=True),
    "image_norm/zeros": Metric("region embeddings of norm 0", step=True),
    "logits_i2t/min": Metric("least region→text logit within the batch", step=True),
    "logits_i2t/max": Metric("greatest logit", step=True),
    "logits_i2t/mean": Metric("mean logit", step=True),
    "logits_i2t/std": Metric("standard deviation of the logits", step=True),
    "bank/ptr": Metric("where the bank writes next", step=True),
    "bank/full": Metric("whether the bank has come round", step=True),
}  # fmt: skip


def resolve(params: Mapping[str, Any]) -> dict[str, Any]:
    """Every param, in one spelling: defaults filled in, the multiplier turned into its log (4 decimals, as the diagnosis gives
    it, so that 100 is its 4.6052), and no area rule where nothing is filtered.

    Raises:
        BadInput: if a value can't be used.
    """
    given = dict(params)
    if ALIAS in given:
        exponential = given.pop(ALIAS)
        _check(ALIAS, exponential, _number(exponential) and exponential > 0, "a number above 0")
        given["logit_scale_init"] = round(math.log(exponential), 4)
    resolved = {**DEFAULTS, **given}
    for key, default in DEFAULTS.items():
        value = resolved[key]
        if isinstance(default, int):
            least = 0 if key in MAY_BE_ZERO else 1
            whole = isinstance(value, int) and not isinstance(value, bool)
            _check(key, value, whole and value >= least, f"a whole number of at least {least}")
        elif isinstance(default, float):
            _check(key, value, _number(value) and 0 <= value < math.inf, "a number of at least 0")
    _check("eval_images", resolved["eval_images"], resolved["eval_images"] >= 16, "at least 16, to fill a group of 32 regions")
    _check("box_filter", resolved["box_filter"], resolved["box_filter"] in FILTERS, " or ".join(FILTERS))
    if resolved["box_filter"] == "none":
        resolved["min_box_area"] = 0.0
    return {key: float(value) if isinstance(DEFAULTS[key], float) else value for key, value in resolved.items()}


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check(key: str, value: Any, good: bool, remedy: str) -> None:
    if not good:
        raise BadInput(f"params.{key}: {value!r} can't be used; give {remedy}")


def prepare(params: Mapping[str, Any]) -> None:
    """Pretrain the start, unless it is in the cache."""
    from ablate.targets.region_clip.pretrain import ensure_pretrained

    ensure_pretrained(resolve(params))


def seconds(params: Mapping[str, Any]) -> float:
    """About how long a run takes on one core, before any was timed: 1.7 ms an image trained on, 0.6 ms one evaluated
    (default model; one core of the machine in benchmarks/RESULTS.md)."""
    evaluations = 2 + params["forwards"] // max(1, params["eval_every"])
    return float(params["forwards"] * params["batch_size"] * 0.0017 + evaluations * params["eval_images"] * 0.0006)


@declare(
    params={**DEFAULTS, ALIAS: None},
    metrics=METRICS,
    resolve=resolve,
    prepare=prepare,
    seconds=seconds,
    quick={"forwards": 96, "pretrain_steps": 60},
)
def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """Fine-tune a small pretrained CLIP on regions of made scenes; see DEFAULTS for the params and METRICS for what is logged."""
    from ablate.targets.region_clip import loop

    return loop.train(resolve(params), run)
