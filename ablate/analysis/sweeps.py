"""The response to a swept knob: mean and interval at each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.effects import mean_effect


@dataclass(frozen=True)
class Response:
    """The outcome at one value of the knob, in its own unit and direction; `ci` is None below two seeds."""

    value: float
    mean: float | None
    ci: tuple[float, float] | None
    seeds: int


def respond(value: float, outcomes: Sequence[float]) -> Response:
    """Mean and 95 % interval (Student's t over seeds) of the completed outcomes at one value."""
    if not outcomes:
        return Response(value, None, None, 0)
    mean = float(np.mean(outcomes))
    ci = mean_effect(np.asarray(outcomes, dtype=float)).ci() if len(outcomes) > 1 else None
    return Response(value, mean, ci, len(outcomes))
