"""A target with planted effects, for trying ablate out and for testing it: no training, milliseconds a run.

Of its three fixes one helps (+2), one harms (-1) and one does nothing. The noise has two parts, each of standard deviation 0.5:
one is the seed's and shared by all arms, as data order and initial weights are in a real training, and one is the run's own.
`shift` multiplies the harm, so that another context can make it a help; `evals` logs the outcome as it comes about, so that
effects can be followed.
A knob, `rate`, is best at 1: the outcome falls by the square of its decades from there, and above 1 the fix that helps does less.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ablate.run import Run
from ablate.target import Metric, declare

DEFAULTS: dict[str, Any] = {
    "helps": 0.0,
    "harms": 0.0,
    "nothing": 0.0,
    "noise": 0.5,
    "steps": 20,
    "seconds": 0.0,
    "broken": False,
}
DEFAULTS |= {"shift": 1.0, "evals": 0, "rate": 1.0}
#: `note` changes nothing, as a placebo; this share of seeds diverges halfway.
DEFAULTS |= {"note": "", "diverges": 0.0}


def resolve(params: Mapping[str, Any]) -> dict[str, Any]:
    """Every param, defaults filled in."""
    return {**DEFAULTS, **params}


@declare(
    params=DEFAULTS,
    resolve=resolve,
    metrics={
        "score": Metric("planted outcome", final=True, step=True, unit="points"),
        "progress": Metric("score so far", step=True, unit="points"),
    },
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
    rate = float(p["rate"])
    mean = 2.0 * p["helps"] / max(1.0, rate) - 1.0 * p["harms"] * p["shift"] - math.log10(rate) ** 2
    arm = [round(1000 * abs(float(p[key]))) for key in ("helps", "harms", "nothing")]
    arm += [round(1000 * abs(float(p["shift"])))] if p["shift"] != 1 else []  # another context has noise of its own
    arm += [round(1000 * rate)] if rate != 1 else []
    shared = np.random.default_rng([run.seed, 0]).normal()
    own = np.random.default_rng([run.seed, 1, *arm]).normal()
    score = mean + p["noise"] * (shared + own)
    lost = np.random.default_rng([run.seed, 2]).random() < p["diverges"]
    for step in range(p["steps"] // 2 if lost else p["steps"]):
        run.log_metrics({"progress": score * (step + 1) / p["steps"]}, step)
    if lost:
        return {"score": float("nan")}
    for part in range(1, p["evals"] + 1):
        done = part / p["evals"]
        early = np.random.default_rng([run.seed, 2, part, *arm]).normal() * (1 - done)
        run.log_metrics({"score": p["noise"] * (shared + own + early) + mean * settling(done)}, round(p["steps"] * done))
    return {"score": score}


def settling(done: float) -> float:
    """How much of an effect has come about after a part of the training: all of it at the end, and most of it early."""
    return float(np.expm1(-8 * done) / np.expm1(-8))
