"""FG-CLIP's region-text fine-tuning, small enough for a CPU, with the diagnosis's three defects as params.

`settings` has the params, `metrics` what is reported; neither imports torch, and nor does this module: `loop` trains.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ablate.collecting import importing
from ablate.run import Run
from ablate.target import declare
from ablate.targets.region_clip.metrics import METRICS, UNITS
from ablate.targets.region_clip.settings import ALIAS, DEFAULTS, SMALL, resolve, shares


def check(params: Mapping[str, Any]) -> None:
    """See whether model and data can be used, before anything is trained or written.

    Raises:
        BadInput: if they can't.
    """
    from ablate.targets.region_clip import inputs, source

    if params["data"] != "scenes":  # before the model, for whose configuration a hub may have to be asked
        source.check_there(params["data"])
    inputs.check_model(params["model"])
    if params["data"] != "scenes":
        source.check(params, inputs.image_size(params["model"]))


def fingerprint(params: Mapping[str, Any]) -> str:
    """What the data set and the model that params name hold; empty for the scenes and the small model."""
    from ablate.targets.region_clip import inputs, source

    data = source.Source.of(params)
    return ("" if data.made else source.fingerprint(data)) + inputs.model_fingerprint(params["model"])


def dataset(params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What a run trains on: the scenes that it makes, or the files that params name."""
    from ablate.targets.region_clip import source

    data = source.Source.of(params)
    if data.made:
        made = {key: params[key] for key in ("forwards", "batch_size", "invalid_rate", "model")}
        return {"name": "made scenes", **made, "seed": seed}
    return {"name": Path(data.data).name, "path": data.data, "contents": source.fingerprint(data)}


def prepare(params: Mapping[str, Any]) -> None:
    """Pretrain the start, unless it is in the cache."""
    with _heavy():
        from ablate.targets.region_clip import loop, start  # noqa: F401  all that a run needs
    start.ensure_start(resolve(params))


def seconds(params: Mapping[str, Any]) -> float | None:
    """About how long a run takes on one core, before any was timed; None for a saved model, which may have any size.

    0.6 ms an image trained on and 0.26 ms one evaluated are the least of several repeats of a whole run and of an evaluation as
    `benchmarks/costs.py` has them: default model, one thread, the machine in benchmarks/RESULTS.md.
    """
    if params["model"] != SMALL:
        return None
    evaluations = 2 + params["forwards"] // max(1, params["eval_every"])
    return float(params["forwards"] * params["batch_size"] * 0.0006 + evaluations * params["eval_images"] * 0.00026)


@declare(
    params={**DEFAULTS, ALIAS: None},
    metrics=METRICS,
    resolve=resolve,
    check=check,
    fingerprint=fingerprint,
    dataset=dataset,
    prepare=prepare,
    shares=shares,
    seconds=seconds,
    quick={"forwards": 96, "pretrain_steps": 60},
    units=UNITS,
    step="forward",
    version=2,
    diagnose={"forwards": 134, "eval_every": 0},
)
def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """Fine-tune a CLIP on regions of made scenes or photographs; see DEFAULTS for the params and METRICS for what is logged."""
    with run.phase("imports"), _heavy():
        from ablate.targets.region_clip import loop
    return loop.train(resolve(params), run)


def _heavy() -> AbstractContextManager[None]:
    """Around what imports torch and transformers: the first time, nothing is collected meanwhile."""
    return nullcontext() if f"{__name__}.loop" in sys.modules else importing()
