"""A short training for `benchmarks/chaos.py`: 20 steps, an artifact and an outcome, all a function of its params and its seed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ablate.run import Run

STEPS = 20
#: Numbers in the artifact: 32 KiB, so that a write of it takes a while.
WEIGHTS = 4096


def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
    """Take `seconds` on average (half to 1.5 times that, by seed and arm); `good` adds 2, `bad` takes 1, `idle` does nothing."""
    arm = [int(params[name]) for name in ("good", "bad", "idle")]
    random = np.random.default_rng([run.seed, *arm])
    pause = params["seconds"] * random.uniform(0.5, 1.5) / STEPS
    score = 2.0 * arm[0] - arm[1] + 0.5 * np.random.default_rng(run.seed).normal() + 0.5 * random.normal()
    for step in range(STEPS):
        time.sleep(pause)
        run.log_metrics({"progress": score * (step + 1) / STEPS, "noise": random.normal()}, step)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "weights.bin"
        path.write_bytes(random.normal(size=WEIGHTS).tobytes())
        run.log_artifact(path)
    return {"score": score}
