"""A target of many params: the outcome is a planted sum over them, with a pair and a run's own noise."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ablate.run import Run


def train(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Each param of 1 adds what `EFFECTS` says, the first two 1 more together; noise of the seed and of the run, 0.3 each."""
    on = [float(value) for value in params.values()]
    text = ",".join(f"{name}={value}" for name, value in sorted(params.items()))
    own = np.random.default_rng([run.seed, int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)]).normal()
    shared = np.random.default_rng([run.seed, 0]).normal()
    score = sum(effect * value for effect, value in zip(EFFECTS, on, strict=False)) + np.prod(on[:2]) * (len(on) > 1)
    score = float(score + 0.3 * (shared + own))
    for step in range(5):
        run.log_metrics({"score": score * (step + 1) / 5, "progress": float(step)}, step)
    return {"score": score}


EFFECTS = (2.0, -1.0, 0.0, 1.5, 0.0, -2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
