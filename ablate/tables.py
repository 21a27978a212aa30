"""What was recorded, as tables: a final metric over the design."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ablate.analysis.verdict import Table
from ablate.design import Plan, run_id
from ablate.records import Record, outcome_of
from ablate.sections import Goal, Outcome


def design_table(plan: Plan, records: Mapping[str, Record], goal: Goal, context: str | None = None) -> Table:
    """A final metric over the design, [seeds, arms]; NaN where the run is missing, failed or not finite.

    Args:
        goal: the metric; of an outcome that declares what a diverged run is worth, such runs have that value.
        context: of which context, where not of the study's own params.
    """
    arms = plan.arm_ids(context)
    values = [[value_of(records.get(run_id(arm, seed)), goal) for arm in arms] for seed in range(plan.seeds)]
    return Table(np.asarray(values, dtype=float), goal.sign)


def value_of(record: Record | None, goal: Goal) -> float:
    """What a run is worth by a goal; NaN where it says nothing."""
    if record is not None and record.state == "diverged" and isinstance(goal, Outcome):
        return math.nan if goal.on_divergence is None else goal.on_divergence
    return outcome_of(record, goal.metric)
