"""Symptoms: what a report saw, held against what the runs show. Curves in, `SymptomResult`s and `DefectResult`s out.

Several runs of an arm (its seeds) may be given. Counts and tables of values add up over them, means and medians are taken over
all their steps; `first`, `last`, `min` and `max` give one number a run, and every run has to agree.

How sharp the comparison is depends on what was reported. Counts and tables are held to an exact test at 5 %. A list of typical
values gives the range in which one more printed value would lie; three leave it wide, so that only a training that is far off is
told. A mean or median reported as one number may be that of a single step. Any other number is compared digit by digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ablate.analysis.chance import (
    ALPHA,
    Bounds,
    count_interval,
    fisher_p,
    free_interval,
    prediction_interval,
    prediction_p,
    tables_p,
)
from ablate.analysis.claims import COMPARE, too_short
from ablate.analysis.effects import Array
from ablate.statements import Share, Symptom

Agreement = Literal["consistent", "differs", "untestable", "not reported"]
#: Numbers (one a run, or one of all), a count, or how often each value was seen.
Observed = tuple[float, ...] | Share | dict[float, int]
Interval = Bounds | dict[float, Bounds]
#: A run's logged points: `step` and the metrics, [points] each, NaN where a metric was not logged.
Curves = Mapping[str, Array]


@dataclass(frozen=True)
class SymptomResult:
    """One symptom, reported beside observed.

    Attributes:
        observed: None where it is untestable.
        interval: for counts, those that the test lets pass; for typical values, where one more reported value would lie; None
            where numbers are compared digit by digit.
        spread: whether the interval is instead that of one more observed step, for the reported number to lie in.
        p: of the test behind the agreement; None where there is none.
        present: whether it is there by its own comparison; None where that can't be said, or the study has no comparison.
        detail: why it is untestable, or why presence can't be said.
    """

    symptom: Symptom
    observed: Observed | None
    interval: Interval | None = None
    spread: bool = False
    agreement: Agreement = "not reported"
    p: float | None = None
    present: bool | None = None
    detail: str = ""

    @property
    def reported_text(self) -> str:
        """What the report printed: `2.656250`, `34 of 134 (25 %)`, `4: 114, 5: 20 of 134`; `–` where nothing."""
        told = self.symptom.reported
        if isinstance(told, list):
            return ", ".join(self._written(number) for number in told)
        return "–" if told is None else self._written(told)

    @property
    def observed_text(self) -> str:
        """The same of what the runs show; the range over runs where each has its own number."""
        if not isinstance(self.observed, tuple):
            return "–" if self.observed is None else self._written(self.observed)
        low, high = self._written(min(self.observed)), self._written(max(self.observed))
        return low if low == high else f"{low} to {high}"

    @property
    def chance_text(self) -> str:
        """What chance allows, as text; `–` where nothing was compared."""
        if isinstance(self.interval, dict):
            return ", ".join(f"{value:g}: {low:.0f}–{high:.0f}" for value, (low, high) in self.interval.items())
        if self.interval is None:
            exact = self.observed is not None and self.symptom.reported is not None
            return "the same number" if exact else "–"
        if isinstance(self.observed, Share):
            return f"{self.interval[0]:.0f} to {self.interval[1]:.0f}"
        low, high = (self._written(bound) for bound in self.interval)
        return f"{low} to {high}" + (" in one step" if self.spread else "")

    def _written(self, value: float | Share | Mapping[float, int]) -> str:
        if isinstance(value, Share):
            return f"{value.count} of {value.of} ({100 * value.count / value.of:.0f} %)"
        if isinstance(value, Mapping):
            return ", ".join(f"{key:g}: {count}" for key, count in sorted(value.items())) + f" of {sum(value.values())}"
        rounded = round(value, self.symptom.digits) or 0.0  # no -0
        return f"{rounded:.{self.symptom.digits}f}"


@dataclass(frozen=True)
class DefectResult:
    """Whether a fix's defect is there: `evidence` has a line for each of its symptoms that can show it."""

    fix: str
    verdict: Literal["found", "not found", "unclear"]
    evidence: tuple[str, ...]


def judge_symptom(symptom: Symptom, runs: Sequence[Curves], why: str = "no run of the arm completed") -> SymptomResult:
    """Look for a symptom in the runs of an arm.

    Args:
        symptom: what was reported.
        runs: the curves of the arm's completed runs.
        why: why there are none, where there are none.
    """
    samples = [sample for sample in (select(symptom, run) for run in runs) if len(sample)]
    if not samples:
        return SymptomResult(symptom, None, agreement="untestable", detail=_why_empty(symptom, runs) if runs else why)
    observed = reduce(symptom, samples)
    present, detail = _present(symptom, observed)
    return _compare(symptom, observed, np.concatenate(samples), present, detail)


def select(symptom: Symptom, run: Curves) -> Array:
    """The symptom's values of one run: finite, within its steps, where its other metrics have their values."""
    if _why_short(symptom, run) or not {symptom.metric, *symptom.where} <= set(run):
        return np.empty(0)
    steps, values = run["step"], run[symptom.metric]
    keep = np.isfinite(values)
    if symptom.steps:
        keep &= (steps >= symptom.steps[0]) & (steps <= symptom.steps[1])
    for name, wanted in symptom.where.items():
        keep &= np.isclose(run[name], wanted, rtol=0, atol=1e-9)
    return values[keep]


def _why_short(symptom: Symptom, run: Curves) -> str:
    values = run.get(symptom.metric, np.empty(0))
    return too_short(symptom.steps, run["step"], values)


def _why_empty(symptom: Symptom, runs: Sequence[Curves]) -> str:
    for run in runs:
        if short := _why_short(symptom, run):
            return short
        for name in (symptom.metric, *symptom.where):
            if name not in run:
                return f"the runs never logged {name}"
    return (
        "no step has " + " and ".join(f"{k} = {v:g}" for k, v in symptom.where.items()) if symptom.where else "never logged there"
    )


def reduce(symptom: Symptom, samples: Sequence[Array]) -> Observed:
    """The runs' values, [steps] each, reduced as the symptom says."""
    everything = np.concatenate(samples)
    if symptom.reduction == "count":
        assert symptom.comparison is not None and symptom.value is not None
        return Share(count=int(np.sum(COMPARE[symptom.comparison](everything, symptom.value))), of=len(everything))
    if symptom.reduction == "values":
        values, counts = np.unique(everything, return_counts=True)
        return {float(value): int(count) for value, count in zip(values, counts, strict=True)}
    if symptom.reduction in ("mean", "median"):
        return (float(np.mean(everything) if symptom.reduction == "mean" else np.median(everything)),)
    return tuple(_one_number(symptom.reduction, sample) for sample in samples)


def _one_number(reduction: str, sample: Array) -> float:
    return float({"first": sample[0], "last": sample[-1], "min": sample.min(), "max": sample.max()}[reduction])


def _present(symptom: Symptom, observed: Observed) -> tuple[bool | None, str]:
    """Whether the symptom is there, and where the runs don't agree on it, how many show it."""
    if isinstance(observed, Share):
        return observed.count > 0, ""
    if symptom.comparison is None or symptom.value is None or isinstance(observed, dict):
        return None, ""
    shown = [bool(COMPARE[symptom.comparison](number, symptom.value)) for number in observed]
    if len(set(shown)) == 1:
        return shown[0], ""
    return None, f"present in {sum(shown)} of {len(shown)} runs"


def _compare(symptom: Symptom, observed: Observed, sample: Array, present: bool | None, detail: str) -> SymptomResult:
    told = symptom.reported
    interval: Interval | None = None
    spread, p, alike = False, None, False
    if isinstance(told, Share) and isinstance(observed, Share):
        interval, p = count_interval(told.count, told.of, observed.of), fisher_p(observed.count, observed.of, told.count, told.of)
    elif isinstance(told, dict) and isinstance(observed, dict):
        interval, p = _table_intervals(told, observed), tables_p(observed, told)
    elif isinstance(told, list) and isinstance(observed, tuple):
        interval, p = prediction_interval(told), min(prediction_p(told, number) for number in observed)
    elif isinstance(told, int | float) and isinstance(observed, tuple):
        alike = all(same(number, told, symptom.digits) for number in observed)
        interval, spread = _spread(symptom, sample), True
        alike |= interval is not None and interval[0] <= told <= interval[1]
    if told is None:
        return SymptomResult(symptom, observed, present=present, detail=detail)
    agrees = alike or (p is not None and p >= ALPHA)
    return SymptomResult(symptom, observed, interval, spread, "consistent" if agrees else "differs", p, present, detail)


def _spread(symptom: Symptom, sample: Array) -> Bounds | None:
    """The interval of one more observed step, for a mean or median of many steps that differ at so many decimals."""
    bounds = free_interval(sample) if symptom.reduction in ("mean", "median") else None
    return None if bounds is None or same(*bounds, symptom.digits) else bounds


def same(a: float, b: float, digits: int) -> bool:
    """Whether two numbers read alike when written to so many decimals."""
    return abs(round(a, digits) - round(b, digits)) < 0.5 * 10.0**-digits


def _table_intervals(told: Mapping[float, int], observed: Mapping[float, int]) -> dict[float, Bounds]:
    """For each value, the counts that chance allows, as for a count by itself."""
    n, of = sum(observed.values()), sum(told.values())
    return {value: count_interval(told.get(value, 0), of, n) for value in sorted({*told, *observed})}


def judge_defect(fix: str, results: Sequence[SymptomResult]) -> DefectResult:
    """Found when all of the fix's symptoms that have a comparison are present, not found when none is, else unclear."""
    signs = [result for result in results if result.symptom.fix == fix and result.symptom.comparison is not None]
    evidence = tuple(_evidence(result) for result in signs)
    if not signs:
        return DefectResult(fix, "unclear", ("no symptom of the study has it as its fix and says when it is present",))
    shown = {result.present for result in signs}
    return DefectResult(fix, "found" if shown == {True} else "not found" if shown == {False} else "unclear", evidence)


def _evidence(result: SymptomResult) -> str:
    """`logit_scale: 2.6592, present (< 4.6)`."""
    symptom = result.symptom
    if result.observed is None:
        return f"{symptom.name}: untestable, {result.detail}"
    sign = f"{symptom.metric} {symptom.sign}" if symptom.reduction == "count" else symptom.sign
    state = {True: f"present ({sign})", False: f"absent (not {sign})", None: f"{result.detail} ({sign})"}[result.present]
    return f"{symptom.name}: {result.observed_text}, {state}"
