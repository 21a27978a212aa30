"""The target's params: defaults, what each may be, and their one spelling. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from ablate.errors import BadInput
from ablate.shown import shown
from ablate.target import Prefix

#: Values of `data` and `model` that stand for what is built in; anything else is a path (or a hub name, for `model`).
SCENES, SMALL, AUTO = "scenes", "small", "auto"

DEFAULTS: dict[str, Any] = {
    # the training
    "forwards": 400,  # micro-batches
    "batch_size": 4,  # images a forward
    "gradient_accumulation": 8,  # forwards an optimizer step
    "lr": 3e-4,
    "weight_decay": 0.01,
    "precision": "bf16",  # of the weights and towers; the optimizer keeps fp32 master weights
    "region_weight": 0.1,  # FG-CLIP's: of the region loss beside the global one
    "global_weight": 1.0,
    "train_vision": True,
    "train_text": True,
    # defect 1
    "logit_scale_init": 2.6592,  # log of what multiplies region cosines, beside cosine_spread
    "cosine_spread": None,  # multiplies region cosines: None is 0.144 for the small model, 1 for any other
    # defect 2
    "bank_size": 128,
    "bank_warmup": 400,  # in forwards
    "bank_enqueue": "after",  # the loss, or before it
    "bank_zeros": "enqueue",  # zero vectors, or skip them
    "bank_side": "both",
    # defect 3
    "box_filter": "none",
    "min_box_area": 0.0,  # share of the image; only with box_filter valid
    "max_boxes": 4,  # FG-CLIP's: the first so many of an image
    # what is trained on
    "data": SCENES,  # or a FineHARD file (.json, .jsonl, .txt of files) or folder
    "val_data": AUTO,  # auto: the file beside it named val for train, else every fifth row
    "image_root": AUTO,  # auto: the folder of each JSON file
    "expression": "both",  # a box's text: short, long, or either by chance as FG-CLIP does
    "bad_rows": "skip",  # or refuse
    "invalid_rate": 0.067,  # of made scenes: share of boxes that are broken: 34 of 134 forwards have one
    # evaluation and probes
    "eval_every": 100,  # forwards
    "eval_images": 256,
    "probes": "all",
    # the start
    "model": SMALL,  # or a saved CLIPModel's folder, or its hub name
    "hidden_size": 64,
    "vision_layers": 3,
    "text_layers": 2,
    "patch_size": 8,
    "pretrain_steps": 400,
    "pretrain_batch": 64,
    "pretrain_lr": 1e-3,
}
WORDS: dict[str, tuple[str, ...]] = {
    "precision": ("bf16", "fp32"),
    "bank_enqueue": ("after", "before"),
    "bank_zeros": ("enqueue", "skip"),
    "bank_side": ("both", "image", "text"),
    "box_filter": ("none", "valid"),
    "expression": ("both", "short", "long"),
    "bad_rows": ("skip", "refuse"),
    "probes": ("all", "loss", "off"),
}
MAY_BE_ZERO = ("bank_size", "bank_warmup", "eval_every", "pretrain_steps")
#: Another way to give a param: the multiplier in place of its log.
ALIAS = "logit_scale_exp"
#: Side of the small model's images, pixels.
SMALL_IMAGE = 64
#: What brings the small model's region cosines to the spread that the diagnosis printed: see `RegionCLIP`.
SMALL_SPREAD = 0.144


def resolve(params: Mapping[str, Any]) -> dict[str, Any]:
    """Every param, in one spelling: defaults filled in, the multiplier turned into its log (4 decimals, as the diagnosis gives
    it, so that 100 is its 4.6052), no area rule where nothing is filtered, and no warm-up that outlasts the training: all that
    do are one.

    Raises:
        BadInput: if a value can't be used.
    """
    given = dict(params)
    if ALIAS in given:
        exponential = given.pop(ALIAS)
        _check(ALIAS, exponential, _number(exponential) and exponential > 0, "a number above 0")
        given["logit_scale_init"] = round(math.log(exponential), 4)
    resolved = {**DEFAULTS, **given}
    if resolved["cosine_spread"] is None:
        resolved["cosine_spread"] = SMALL_SPREAD if resolved["model"] == SMALL else 1.0
    for key, default in DEFAULTS.items():
        _check_type(key, resolved[key], default)
    _check_values(resolved)
    if resolved["box_filter"] == "none":
        resolved["min_box_area"] = 0.0
    resolved["bank_warmup"] = min(resolved["bank_warmup"], resolved["forwards"])
    floats = {key for key, default in DEFAULTS.items() if isinstance(default, float)} | {"cosine_spread"}
    return {key: float(value) if key in floats else value for key, value in resolved.items()}


def shares(params: Mapping[str, Any]) -> Prefix:
    """What a run has in common with those that differ in the bank's warm-up alone: everything up to the window of the forward in
    which the bank starts. A window is trained on at once, so runs part where one begins. `params` are resolved; in forwards."""
    others = {key: value for key, value in params.items() if key != "bank_warmup"}
    family = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:12]
    window, forwards = params["gradient_accumulation"], params["forwards"]
    starts = params["bank_size"] > 0 and params["bank_warmup"] < forwards
    return Prefix(family, params["bank_warmup"] // window * window if starts else forwards, forwards)


def _check_type(key: str, value: Any, default: Any) -> None:
    if key in WORDS:
        _check(key, value, value in WORDS[key], " or ".join(WORDS[key]))
    elif isinstance(default, bool):
        _check(key, value, isinstance(value, bool), "true or false")
    elif isinstance(default, int):
        least = 0 if key in MAY_BE_ZERO else 1
        whole = isinstance(value, int) and not isinstance(value, bool)
        _check(key, value, whole and value >= least, f"a whole number of at least {least}")
    elif isinstance(default, str):
        _check(key, value, isinstance(value, str) and bool(value.strip()), "a path or a name")
    else:
        _check(key, value, _number(value) and 0 <= value < math.inf, "a number of at least 0")


def _check_values(params: Mapping[str, Any]) -> None:
    _check("eval_images", params["eval_images"], params["eval_images"] >= 16, "at least 16, to fill a group of 32 regions")
    _check("cosine_spread", params["cosine_spread"], params["cosine_spread"] > 0, "a number above 0")
    _check("invalid_rate", params["invalid_rate"], params["invalid_rate"] <= 1, "a share, at most 1")
    _check("min_box_area", params["min_box_area"], params["min_box_area"] <= 1, "a share of the image, at most 1")
    for key in ("val_data", "image_root"):
        unused = params["data"] == SCENES and params[key] != AUTO
        _check(key, params[key], not unused, "it with data, which it belongs to; the made scenes have no files")
    weights = params["region_weight"] + params["global_weight"]
    _check("region_weight", params["region_weight"], weights > 0, "a number above 0, or one for global_weight")
    if params["model"] == SMALL:
        fits = SMALL_IMAGE % params["patch_size"] == 0
        _check("patch_size", params["patch_size"], fits, f"a divisor of {SMALL_IMAGE}, the side of the small model's images")
        heads = params["hidden_size"] // 32 or 1
        _check("hidden_size", params["hidden_size"], params["hidden_size"] % heads == 0, "a multiple of 32")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check(key: str, value: Any, good: bool, remedy: str) -> None:
    if not good:
        raise BadInput(f"params.{key}: {shown(value)} can't be used; give {remedy}")
