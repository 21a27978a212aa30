"""From an arm's records to what is said of it: its claims and its symptoms, for a study's report and for a diagnosis alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablate.analysis.claims import ClaimResult, judge_claim, reduce_curve, too_short
from ablate.analysis.symptoms import DefectResult, SymptomResult, judge_defect, judge_symptom
from ablate.design import Arm, Plan, arm_label, run_id
from ablate.records import Record, Records, outcome_of, reason
from ablate.series import Series
from ablate.statements import Claim, Share


class Evidence:
    """A plan's arms as they were recorded.

    Args:
        plan, kept: what was planned, and the records that there are.
        records: where the curves lie.
    """

    def __init__(self, plan: Plan, kept: Mapping[str, Record], records: Records) -> None:
        self._plan, self._kept, self._records = plan, kept, records

    def claims(self) -> tuple[ClaimResult, ...]:
        """The study's claims, each confirmed, refuted or untestable."""
        return tuple(self._claim(claim) for claim in self._plan.study.claims)

    def symptoms(self, arm: Arm = frozenset()) -> tuple[SymptomResult, ...]:
        """The study's symptoms, looked for in all seeds of an arm."""
        runs = [self._curve(run) for run in self._completed(arm)]
        return tuple(judge_symptom(symptom, runs, self._why_none(arm)) for symptom in self._plan.study.symptoms)

    def defects(self, symptoms: tuple[SymptomResult, ...]) -> tuple[DefectResult, ...]:
        """Whether each fix's defect is there, by its symptoms; nothing where the study names none."""
        return tuple(judge_defect(name, symptoms) for name in self._plan.fixes) if symptoms else ()

    def _claim(self, claim: Claim) -> ClaimResult:
        arms = tuple(self._plan.study.arm(name) for name in (claim.arm, claim.against) if name is not None)
        seeds = [seed for seed in range(self._plan.seeds) if all(self._done(arm, seed) for arm in arms)]
        if why := self._why_untestable(claim, arms, seeds):
            return judge_claim(claim, [], why)
        observed = [_less(*(self._value(claim, arm, seed) for arm in arms)) for seed in seeds]
        ends = [float(np.min([self._end(arm, seed) for arm in arms])) for seed in seeds] if claim.by is not None else []
        return judge_claim(claim, observed, ends=ends, planned=self._plan.seeds)

    def _why_untestable(self, claim: Claim, arms: Sequence[Arm], seeds: Sequence[int]) -> str:
        """Why an arm of a claim shows nothing, or its runs end before the claimed steps do; empty where neither is so."""
        if why := next(filter(None, map(self._why_none, arms)), ""):
            return why
        if not seeds:
            return "no seed completed in both arms"
        return next(filter(None, (self._why_short(claim, arm, seed) for arm in arms for seed in seeds)), "")

    def _why_short(self, claim: Claim, arm: Arm, seed: int) -> str:
        if claim.reduction == "final":
            return ""
        curve = self._curve(self._run(arm, seed))
        return too_short(claim.steps, curve["step"], curve.get(claim.metric, np.empty(0)))

    def _value(self, claim: Claim, arm: Arm, seed: int) -> float | None:
        run = self._run(arm, seed)
        if claim.reduction == "final":
            return outcome_of(self._kept[run], claim.metric)
        curve = self._curve(run)
        return reduce_curve(claim, curve["step"], curve[claim.metric]) if claim.metric in curve else None

    def _end(self, arm: Arm, seed: int) -> float:
        """The last step that a run logged, NaN where it logged none."""
        return float(max(self._curve(self._run(arm, seed)).steps, default=np.nan))

    def _run(self, arm: Arm, seed: int) -> str:
        return run_id(self._plan.arms[arm], seed)

    def _done(self, arm: Arm, seed: int) -> bool:
        if arm not in self._plan.arms:
            return False
        run = self._run(arm, seed)
        return run in self._kept and self._kept[run].state == "completed"

    def _completed(self, arm: Arm) -> list[str]:
        return [self._run(arm, seed) for seed in range(self._plan.seeds) if self._done(arm, seed)]

    def _why_none(self, arm: Arm) -> str:
        """Why no run of an arm completed, its failure's reason included; empty where one did."""
        if arm not in self._plan.arms:
            return f"the design does not train the arm {arm_label(arm, self._plan.fixes)}"
        if self._completed(arm):
            return ""
        ended = [self._kept[run] for seed in range(self._plan.seeds) if (run := self._run(arm, seed)) in self._kept]
        why = reason(ended[0].error) if ended else ""
        return "no run of the arm completed" + (f": {why}" if why else "")

    def _curve(self, run: str) -> Series:
        return self._records.series(run)


def _less(value: float | None, other: float | None = 0.0) -> float | None:
    """A value less the other's; None where either is missing."""
    return None if value is None or other is None else value - other


def symptom_json(result: SymptomResult) -> dict[str, Any]:
    """A symptom as verdict.json and diagnosis.json have it: `reported` and `observed` are a number, a list of numbers,
    `{count, of}` or value → count; `interval` is [low, high], or that for each value, of what chance allows."""
    observed, told = result.observed, result.symptom.reported
    if isinstance(observed, tuple):
        observed_json: Any = observed[0] if len(observed) == 1 else list(observed)
    else:
        observed_json = _plain(observed)
    return {
        "name": result.symptom.name,
        "fix": result.symptom.fix,
        "what": result.symptom.what,
        "reported": _plain(told),
        "observed": observed_json,
        "interval": _plain(result.interval),
        "agreement": result.agreement,
        "set": result.symptom.set,
        "p": result.p,
        "present": result.present,
        "detail": result.detail,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return {"count": value.count, "of": value.of}
    if isinstance(value, dict):
        return {f"{key:g}": _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
