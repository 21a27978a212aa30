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
    """One claim's outcome.

    Attributes:
        observed: the mean of the reduced value over the seeds that have it; None where none has, or the claim is untestable.
        detail: the range over seeds and how many they are, or why it is refuted without a value, or untestable.
    """

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
    if claim.reduction == "growth":
        return _growth(claim, steps[keep], values[keep])
    kept = values[keep]
    if not len(kept):
        return None
    reductions = {"first": kept[0], "last": kept[-1], "min": kept.min(), "max": kept.max(), "mean": kept.mean()}
    return float(reductions[claim.reduction])


def _growth(claim: Claim, steps: Array, values: Array) -> float | None:
    """The mean over the last tenth of the claim's steps less that over the first; None where either has no point."""
    assert claim.steps is not None, "growth has steps"
    first, last = claim.steps
    early, late = values[steps < first + claim.tenth], values[steps > last - claim.tenth]
    return float(late.mean() - early.mean()) if len(early) and len(late) else None


def too_short(window: Sequence[int] | None, steps: Array, values: Array) -> str:
    """Why a run's curve, [points] each, says nothing of a window of steps: the run ended before it did. Empty where it didn't."""
    if not window or not len(steps) or steps.max() >= window[1]:
        return ""
    seen = steps[np.isfinite(values)] if len(values) == len(steps) else steps
    return f"its runs end at step {max(seen, default=steps.max()):.0f}, before step {window[1]}"


def judge_claim(
    claim: Claim, observed: Sequence[float | None], why: str = "", ends: Sequence[float] = (), planned: int = 0
) -> ClaimResult:
    """Hold the seeds' values to the claimed one. What some or all seeds never showed refutes it, or can't be tested.

    Args:
        claim: the claim.
        observed: a number a completed seed of the claim's arm (less that of the arm it is held against); None where a seed
            never showed the metric.
        why: why nothing was seen, where that is known.
        ends: the last step of each of these seeds' runs, for a claim with `by`; NaN where it is not known.
        planned: how many seeds there should be, where that is more than there are.
    """
    if why or not observed:
        return ClaimResult(claim.name, claim.expected, None, "untestable", why or "no run of the arm completed")
    seen = [float(value) for value in observed if value is not None and np.isfinite(value)]
    if len(seen) < len(observed):
        lacking = [value is None or not np.isfinite(value) for value in observed]
        verdict, detail = _judge_lacking(claim, lacking, ends or [np.nan] * len(observed))
    else:
        verdict = "confirmed" if _holds(claim, seen) else "refuted"
        detail = _over(seen, planned)
    mean = float(np.mean(seen)) if seen and verdict != "untestable" else None
    return ClaimResult(claim.name, claim.expected, mean, verdict, detail)


def _judge_lacking(claim: Claim, lacking: Sequence[bool], ends: Sequence[float]) -> tuple[str, str]:
    """Verdict and detail where some seeds lack the metric: they refute the claim once they had the time to show it."""
    n = len(lacking)
    ended = [end for lacks, end in zip(lacking, ends, strict=True) if lacks and np.isfinite(end)]
    late = 0 if claim.by is None else sum(end >= claim.by for end in ended)
    if claim.by is not None and ended and not late:
        return "untestable", f"its runs end at step {max(ended):.0f}, before step {claim.by}"
    if not all(lacking):
        return "refuted", f"missing in {sum(lacking)} of {n} seeds"
    if late:
        return (
            "refuted",
            f"none of {late} runs had it by step {claim.by}" if late > 1 else f"its run did not have it by step {claim.by}",
        )
    return "untestable", "its runs ended without it" if claim.reduction == "final" else "its runs never logged it there"


def _holds(claim: Claim, seen: Sequence[float]) -> bool:
    """Whether the mean over seeds is as claimed; for `==` whether every seed is, since a mean may be so by chance."""
    compared = seen if claim.comparison == "==" else [float(np.mean(seen))]
    return all(COMPARE[claim.comparison](value, claim.value) for value in compared)


def _over(seen: Sequence[float], planned: int) -> str:
    """`5 to 7 over 6 seeds`, or `6 in all 6 seeds`; of how many, where some did not complete."""
    count = f"{len(seen)} of {planned} seeds" if len(seen) < planned else f"{len(seen)} seed{'s' * (len(seen) > 1)}"
    low, high = f"{min(seen):.4g}", f"{max(seen):.4g}"
    if len(seen) == 1:
        return count
    return f"{low} to {high} over {count}" if low != high else f"{low} in {'all ' * (len(seen) == planned)}{count}"
