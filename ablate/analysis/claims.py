"""Claims: what someone said an arm would show, held against what its runs logged."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.effects import Array
from ablate.statements import Claim

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


def too_short(window: Sequence[int] | None, steps: Array, values: Array) -> str:
    """Why a run's curve, [points] each, says nothing of a window of steps: the run ended before it did. Empty where it didn't."""
    if not window or not len(steps) or steps.max() >= window[1]:
        return ""
    seen = steps[np.isfinite(values)] if len(values) == len(steps) else steps
    return f"its runs end at step {max(seen, default=steps.max()):.0f}, before step {window[1]}"


def judge_claim(claim: Claim, observed: Sequence[float | None], why: str = "") -> ClaimResult:
    """Compare the mean over seeds with the claimed value.

    Args:
        claim: the claim.
        observed: a number a completed seed of the claim's arm (less that of the arm it is held against); None where a seed
            never showed the metric.
        why: why nothing was seen, where that is known.
    """
    seen = [value for value in observed if value is not None and np.isfinite(value)]
    if not seen:
        silent = "its runs ended without it" if claim.reduction == "final" else "its runs never logged it there"
        why = why or (silent if observed else "no run of the arm completed")
        return ClaimResult(claim.name, claim.expected, None, "untestable", why)
    mean = float(np.mean(seen))
    holds = bool(COMPARE[claim.comparison](mean, claim.value))
    spread = f"{min(seen):.4g} to {max(seen):.4g} over {len(seen)} seeds" if len(seen) > 1 else "one seed"
    return ClaimResult(claim.name, claim.expected, mean, "confirmed" if holds else "refuted", spread)
