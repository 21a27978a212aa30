"""Does the verdict hold? From what is recorded to each fix's effect as training went on, and in each of the study's contexts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ablate.analysis.contexts import OWN, Agreement, agreement, summary
from ablate.analysis.effects import Array
from ablate.analysis.trajectory import Course, follow, warned
from ablate.analysis.verdict import Table, Verdict, as_estimate, judge, withheld
from ablate.design import Plan, run_id
from ablate.diverged import diverged, unvalued
from ablate.records import Record, Records
from ablate.tables import design_table


@dataclass(frozen=True)
class Holding:
    """What is known of whether a verdict holds.

    Attributes:
        courses: each fix's effect as training went on.
        beyond: whether the final outcome is another than the last one logged, so that the courses stop short of the verdict.
        contexts: each context's own verdict, by the same rules; one without fixes has its reason in `warnings`.
        compared: what the test of agreement holds against each other: the contexts, and the study's own params unless a context
            is the same.
        agreement: of each fix; nothing where fewer than two have a verdict.
        lost: context → the seeds left out there because an arm is missing.
        findings: what is to be said of contexts beside the headline; nothing where the study's own params have no verdict.
    """

    courses: Mapping[str, Course]
    beyond: bool
    contexts: Mapping[str, Verdict]
    compared: Mapping[str, Verdict]
    agreement: Mapping[str, Agreement]
    lost: Mapping[str, Sequence[int]]
    findings: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Effects that had not settled, and contexts without a verdict."""
        moving = [text for name, course in self.courses.items() for text in warned(name, course)]
        return (*moving, *(f"context {name}: {text}" for name in self.contexts for text in self._said(name)))

    def silent(self) -> Holding:
        """The same without verdicts: where what the study rests on failed, its contexts have none, and no effect has settled."""
        none = {name: Verdict({}, {}, "", ("as for the study itself",)) for name in self.contexts}
        return replace(self, courses={}, contexts=none, compared={}, agreement={}, findings=())

    def _said(self, context: str) -> list[str]:
        verdict, lost = self.contexts[context], self.lost[context]
        if not verdict.fixes:
            return [f"no verdict: {'; '.join(verdict.warnings)}"]
        gaps = [f"seeds left out because an arm is missing: {', '.join(map(str, lost))}"] if lost else []
        return [*gaps, *verdict.warnings]

    def as_json(self) -> dict[str, Any]:
        """The keys of verdict.json that say whether it holds."""
        return {
            "trajectory": {
                name: [{"step": step, **(as_estimate(effect) or {})} for step, effect in course.points]
                for name, course in self.courses.items()
                if course.points
            },
            "settled": {name: course.word for name, course in self.courses.items()},
            "contexts": {
                name: {fix: {**(as_estimate(f.effect) or {}), "verdict": f.word} for fix, f in verdict.fixes.items()}
                for name, verdict in self.contexts.items()
            },
            "agreement": {fix: {"p_adjusted": a.p_adjusted, "differs": a.differs} for fix, a in self.agreement.items()},
        }


def holding(plan: Plan, kept: Mapping[str, Record], records: Records, own: Verdict) -> Holding:
    """Whether a study's own verdict holds as training goes on and in its contexts."""
    outcome = plan.study.outcome
    logged = step_tables(plan, records, {run for run, record in kept.items() if record.state == "diverged"})
    tables = {name: design_table(plan, kept, outcome, name) for name in plan.contexts}
    contexts = {name: _judged(plan, kept, name, table) for name, table in tables.items()}
    repeated = any(plan.arm_ids(name) == plan.arm_ids() for name in contexts)
    compared = ({} if repeated or not contexts else {OWN: own}) | contexts
    agreed = agreement(compared)
    return Holding(
        courses=follow(logged, plan.layout.mains, outcome.minimum_effect),
        beyond=_ends_otherwise(logged, design_table(plan, kept, outcome).values * outcome.sign),
        contexts=contexts,
        compared=compared,
        agreement=agreed,
        lost={name: np.flatnonzero(~np.isfinite(table.values).all(axis=1)).tolist() for name, table in tables.items()},
        findings=summary(compared, agreed) if own.fixes else (),
    )


def _judged(plan: Plan, kept: Mapping[str, Record], context: str, table: Table) -> Verdict:
    """A context's verdict; none where runs diverged there and nothing says what they are worth."""
    reason, outcome = unvalued(plan, diverged(plan, kept, context)), plan.study.outcome
    return withheld(reason) if reason else judge(table, plan.layout, outcome.metric, outcome.minimum_effect, plan.looks)


def step_tables(plan: Plan, records: Records, without: Collection[str] = ()) -> dict[int, Array]:
    """Step → the outcome logged there over the study's own arms, [seeds, arms], more is better; NaN where it was not logged.

    Args:
        without: runs that are left out.
    """
    outcome, arms = plan.study.outcome, plan.arm_ids()
    runs = [[run_id(arm, seed) for arm in arms] for seed in range(plan.seeds)]
    logged = [[None if run in without else records.series(run).logged(outcome.metric) for run in block] for block in runs]
    steps = np.unique(np.concatenate([np.empty(0), *(found[0] for block in logged for found in block if found)]))
    grid = np.full((len(steps), len(logged), len(arms)), np.nan)
    for seed, block in enumerate(logged):
        for arm, found in enumerate(block):
            if found:
                grid[np.searchsorted(steps, found[0]), seed, arm] = outcome.sign * found[1]
    return dict(zip(steps.astype(int).tolist(), grid, strict=True))


def _ends_otherwise(tables: Mapping[int, Array], final: Array) -> bool:
    """Whether any run's final outcome is not the last value it logged."""
    if not tables:
        return False
    last = tables[max(tables)]
    both = np.isfinite(last) & np.isfinite(final)
    return not np.allclose(last[both], final[both], rtol=1e-6, atol=0.0)
