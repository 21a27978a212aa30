"""A target that does nothing but return an outcome, and log as many points as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.run import Run
from ablate.target import Metric, declare

FIXES = ("a", "b", "c", "d")
DEFAULTS: dict[str, Any] = {**dict.fromkeys(FIXES, 0.0), "points": 0}


@declare(
    params=DEFAULTS,
    resolve=lambda params: {**DEFAULTS, **params},
    metrics={"score": Metric("planted outcome", final=True), "progress": Metric("steps so far", step=True)},
)
def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """The sum of the fixes' params, and a noise of the seed and the fixes that takes no time to draw."""
    p = {**DEFAULTS, **params}
    for step in range(p["points"]):
        run.log_metrics({"progress": float(step)}, step)
    mean = sum(p[name] for name in FIXES)
    return {"score": mean + ((run.seed * 7919 + round(8 * mean) * 104729) % 1000) / 2000}
