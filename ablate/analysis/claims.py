"""Claims: what someone said an arm would show, held against what its runs logged."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.effects import Array
from ablate.study import Claim

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True)
class ClaimResult:
    """One claim's outcome: `observed` is the mean over seeds of the reduced value, None where there is nothing to reduce."""

    name: str
    expected: str
    observed: float | None
    verdict: str
    detail: str


def reduce_curve(claim: Claim, steps: Array, values: Array) -> float | None:
    """One seed's curve, [points] each, reduced over the claim's steps; None where no finite point lies there."""
    keep = np.isfinite(values)
    if claim.steps:
        keep &= (steps >= claim.steps[0]) & (steps <= claim.steps[1])
    kept = values[keep]
    if not len(kept):
        return None
    reductions = {"first": kept[0], "last": kept[-1], "min": kept.min(), "max": kept.max(), "mean": kept.mean()}
    return float(reductions[claim.reduction])


def judge_claim(claim: Claim, observed: Sequence[float | None]) -> ClaimResult:
    """Compare the mean over seeds with the claimed value.

    Args:
        claim: the claim.
        observed: a number a completed seed of the claim's arm; None where a seed never showed the metric.
    """
    seen = [value for value in observed if value is not None and np.isfinite(value)]
    if not seen:
        why = "no run of the arm completed" if not observed else "the arm's runs never logged it there"
        return ClaimResult(claim.name, claim.expected, None, "untestable", why)
    mean = float(np.mean(seen))
    holds = bool(COMPARE[claim.comparison](mean, claim.value))
    spread = f"{min(seen):.4g} to {max(seen):.4g} over {len(seen)} seeds"
    return ClaimResult(claim.name, claim.expected, mean, "confirmed" if holds else "refuted", spread)
