"""A target with planted effects, for trying ablate out and for testing it: no training, milliseconds a run.

Of its three fixes one helps (+2), one harms (-1) and one does nothing. The noise has two parts, each of standard deviation 0.5:
one is the seed's and shared by all arms, as data order and initial weights are in a real training, and one is the run's own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ablate.run import Run
from ablate.target import Metric, declare

DEFAULTS = {"helps": 0.0, "harms": 0.0, "nothing": 0.0, "noise": 0.5, "steps": 20, "seconds": 0.0, "broken": False}


def resolve(params: Mapping[str, Any]) -> dict[str, Any]:
    """Every param, defaults filled in."""
    return {**DEFAULTS, **params}


@declare(
    params=DEFAULTS,
    resolve=resolve,
    metrics={"score": Metric("planted outcome", final=True), "progress": Metric("score so far", step=True)},
)
def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """Draw an outcome around the planted mean, after so many `seconds`. The seed's share of the noise is the same in every arm.

    Raises:
        RuntimeError: if `broken` is set.
    """
    p = resolve(params)
    if p["broken"]:
        raise RuntimeError("planted failure")
    time.sleep(p["seconds"])
    mean = 2.0 * p["helps"] - 1.0 * p["harms"]
    arm = [round(1000 * abs(float(p[key]))) for key in ("helps", "harms", "nothing")]
    shared = np.random.default_rng([run.seed, 0]).normal()
    own = np.random.default_rng([run.seed, 1, *arm]).normal()
    score = mean + p["noise"] * (shared + own)
    for step in range(p["steps"]):
        run.log_metrics({"progress": score * (step + 1) / p["steps"]}, step)
    return {"score": score}
