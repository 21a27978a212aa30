"""Diverged runs from the records: how many of which arms, and why there is no verdict where nothing says what they are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ablate.analysis.checks import some
from ablate.analysis.divergence import Divergence, count_diverged
from ablate.design import Plan, run_id
from ablate.records import Record

#: How a reader puts it right.
REMEDY = "say what such a run is worth by outcome.on_divergence"


def diverged(plan: Plan, kept: Mapping[str, Record], context: str | None = None) -> Divergence:
    """Diverged runs of the design's arms; of a context, where one is named."""
    states = {"completed": 0.0, "diverged": 1.0}

    def state(run: str) -> float:
        return states.get(kept[run].state, math.nan) if run in kept else math.nan

    grid = [[state(run_id(arm, seed)) for arm in plan.arm_ids(context)] for seed in range(plan.seeds)]
    return count_diverged(np.array(grid), plan.layout)


def unvalued(plan: Plan, found: Divergence) -> str:
    """Why diverged runs leave no verdict; empty where none did, or the study says what they are worth."""
    if not found.runs or plan.study.outcome.on_divergence is not None:
        return ""
    return f"{found.runs} of {plan.seeds * len(plan.arms)} runs diverged ({some(found.named)}); {REMEDY}"
