"""Targets that break what a study takes for granted, for the tests of its checks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ablate.run import Run


def restless(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Its outcome has randomness that no seed fixes, from step 2 on."""
    loose = int.from_bytes(os.urandom(6), "big") / 2**48
    for step in range(4):
        run.log_metrics({"loss": run.seed + step + (loose if step >= 2 else 0.0)}, step)
    return {"score": params["x"] + loose, "train_runtime": loose}


def clocked(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Repeats to the last bit, but for what it says of the clock."""
    loose = int.from_bytes(os.urandom(6), "big") / 2**48
    run.log_metrics({"samples_per_second": loose, "probe": float(params.get("x", 0))}, step=3)
    return {"score": run.seed + 0.5, "train_runtime": loose}
