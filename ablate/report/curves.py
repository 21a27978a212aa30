"""Step metrics of all runs as arrays over seeds and steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from ablate.analysis.effects import Array, Effect
from ablate.analysis.verdict import Table, secondary
from ablate.design import Plan, run_id
from ablate.records import Record, Records

#: A metric logged at more steps than this is drawn as means over windows of steps.
MOST_POINTS = 50
#: What the last part of a curve is, for the ranking by a raw metric.
LAST_PART = 0.2


@dataclass(frozen=True)
class Band:
    """One metric of one cell over its seeds.

    Attributes:
        steps: the steps (the middle of each window where windows are meant), [points].
        mean: over seeds.
        low, high: its 95 % interval by Student's t, at each point by itself; the mean where there is one seed.
        seeds: how many seeds logged it.
    """

    steps: Array
    mean: Array
    low: Array
    high: Array
    seeds: int


class Curves:
    """Curves of a plan's runs that did not fail.

    Args:
        plan, kept: what was planned, and the records that there are.
        records: where the curves lie.
    """

    def __init__(self, plan: Plan, kept: Mapping[str, Record], records: Records) -> None:
        self._plan = plan
        self._series: dict[str, dict[str, tuple[Array, Array]]] = {}
        wanted = _wanted(plan)
        arms = set(plan.arm_ids())
        runs = (run for run in plan.runs if run.cell.id in arms) if wanted else ()
        for run in runs:
            if run.id in kept and kept[run.id].state != "failed":
                self._series[run.id] = _read(records, run.id, wanted)
        self.window = cache(self._window)
        self.band = cache(self._band)
        self.start = cache(self._start)

    def _window(self, metric: str) -> int:
        """Steps a window; 1 where every logged step is drawn."""
        series = [found[metric][0] for found in self._series.values() if metric in found]
        if not series or max(len(steps) for steps in series) <= MOST_POINTS:
            return 1
        span = max(steps[-1] for steps in series) - min(steps[0] for steps in series) + 1
        size = 10 ** math.floor(math.log10(max(1, span / MOST_POINTS)))
        return next(int(size * nice) for nice in (1, 2, 5, 10, 20) if size * nice >= span / MOST_POINTS)

    def _first(self, metric: str) -> float:
        return float(min(found[metric][0][0] for found in self._series.values() if metric in found))

    def _band(self, cell: str, metric: str) -> Band | None:
        """Mean and interval over seeds of the window means; None where no run logged it."""
        window = self.window(metric)
        runs = (self._series.get(run_id(cell, seed), {}).get(metric) for seed in range(self._plan.seeds))
        found = [_windowed(steps, values, window, self._first(metric)) for steps, values in filter(None, runs)]
        if not found:
            return None
        grid = np.unique(np.concatenate([steps for steps, _ in found]))
        values = np.full((len(found), len(grid)), np.nan)
        for row, (steps, means) in enumerate(found):
            values[row, np.searchsorted(grid, steps)] = means
        count = np.isfinite(values).sum(axis=0)
        mean = np.nansum(values, axis=0) / count
        spread = np.nansum((values - mean) ** 2, axis=0) / np.maximum(count - 1, 1)
        half = _quantile(count) * np.sqrt(spread / count)
        middle = grid + (window - 1) / 2
        return Band(middle, mean, mean - half, mean + half, len(found))

    def _start(self, cell: str, metric: str) -> float | None:
        """The first step at which a metric is above 0, median over the seeds; None unless most of them get there."""
        runs = [self._series.get(run_id(cell, seed), {}).get(metric) for seed in range(self._plan.seeds)]
        found = [steps[values > 0].min(initial=np.inf) for steps, values in filter(None, runs)]
        middle = float(np.median(found)) if found else math.inf
        return middle if math.isfinite(middle) else None

    def late_effects(self, metric: str) -> dict[str, tuple[Effect, float]]:
        """Main effects and adjusted p of each run's mean over its last part, less counted as better."""
        arms = self._plan.arm_ids()
        values = [[self._late(run_id(arm, seed), metric) for arm in arms] for seed in range(self._plan.seeds)]
        return secondary(Table(np.asarray(values, dtype=float), -1.0), self._plan.layout)

    def _late(self, run: str, metric: str) -> float:
        steps, values = self._series.get(run, {}).get(metric, (np.empty(0), np.empty(0)))
        if not len(steps):
            return float("nan")
        return float(values[steps >= steps[-1] - LAST_PART * (steps[-1] - steps[0])].mean())


def _quantile(count: Array) -> Array:
    """Student's t at 97.5 % for the mean of so many seeds; 0 where there is one."""
    return np.where(count > 1, special.stdtrit(np.maximum(count - 1, 1), 0.975), 0.0)


def _wanted(plan: Plan) -> list[str]:
    """The study's curves with their chance levels and twins, the outcome, and what the target declares as probes and events."""
    declared = plan.target.declaration.metrics
    named = [
        *plan.study.curves,
        plan.study.outcome.metric,
        *(name for name, about in declared.items() if about.probe or about.event),
    ]
    for name in plan.study.curves:
        if name in declared:
            named += [other for other in (declared[name].chance, declared[name].twin) if other]
    return list(dict.fromkeys(named))


def _read(records: Records, run: str, wanted: list[str]) -> dict[str, tuple[Array, Array]]:
    series = records.series(run)
    return {name: logged for name in wanted if (logged := series.logged(name))}


def _windowed(steps: Array, values: Array, window: int, first: float) -> tuple[Array, Array]:
    """First step and mean value of each window that holds a point; windows are counted from the step `first`.

    A last window that is less than half full goes with the one before: its mean would be that of a few
    noisy steps.
    """
    number = np.floor((steps - first) / window)
    if window > 1 and len(number) > window and np.sum(number == number[-1]) < window / 2:
        number[number == number[-1]] -= 1
    starts, index = np.unique(first + number * window, return_inverse=True)
    return starts, np.bincount(index, weights=values) / np.bincount(index)
