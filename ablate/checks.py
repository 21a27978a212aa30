"""A study's own checks, from its records: what `analysis.checks`, `analysis.divergence` and `analysis.noise` are asked.

A check that failed and is fatal withholds the verdict, and all else that rests on it: verdicts of contexts, effects on secondary
metrics and as training goes on, best values and words of sweeps. The runs are kept, and what was measured is still shown: claims,
curves, symptoms, and the outcome by arm and by swept value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from ablate.analysis.checks import PAIR, Check, Pair, Trace, arm_pairs, manipulation, placebo, repeated, some
from ablate.analysis.divergence import Divergence
from ablate.analysis.noise import Unequal, differs, outliers
from ablate.analysis.seeds import same_in_every_seed
from ablate.analysis.verdict import Verdict, withheld
from ablate.design import Plan, arm_label, run_id
from ablate.diverged import diverged, unvalued
from ablate.preregistration import Registered
from ablate.records import Record, Records
from ablate.sections import Goal
from ablate.tables import design_table, value_of

ENDED = ("completed", "diverged")


class Inspection:
    """What a plan's records say of the study itself.

    Args:
        plan, kept: what was planned, and the records that there are.
        records: where curves lie, and the run that was trained twice.
        noted: how the analysis stands to what was noted before the runs.
    """

    def __init__(self, plan: Plan, kept: Mapping[str, Record], records: Records, noted: Registered) -> None:
        self._plan, self._kept, self._records = plan, kept, records
        self.registered = noted
        self._traces: dict[str, Trace | None] = {}

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Everything that is checked, the fatal ones first."""
        plan = self._plan
        found = [manipulation(name, plan.study.fixes[name].changes, self._pairs(name)) for name in plan.fixes]
        found += [_placebo(plan, self._kept, name) for name in plan.placebos]
        found += [self._repeated(run.id, run.cell.id, run.seed) for run in plan.checks if run.again]
        return (*found, self._noted_before(), self._comparable(), *self._noise())

    @cached_property
    def divergence(self) -> Divergence:
        """Diverged runs of the design's arms."""
        return diverged(self._plan, self._kept)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no verdict can be given; nothing where one can."""
        failed = [check.detail for check in self.checks if check.fatal and check.passed is False]
        return tuple(filter(None, (unvalued(self._plan, self.divergence), *failed)))

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of checks that withhold nothing."""
        said = [check.detail for check in self.checks if not check.fatal and check.passed is False]
        untold = [check.detail for check in self.checks if check.passed is None and (check.fatal or check.name == PAIR)]
        said += untold if self._testable else []
        return said + self._left_out

    def verdict(self, given: Verdict) -> Verdict:
        """The verdict, or none where a check failed."""
        return withheld(*self.reasons) if self.reasons else given

    @property
    def _testable(self) -> bool:
        """Whether every run of the plan ended: what couldn't be checked then is not just yet to come."""
        return all(self._state(run.id) in ENDED for run in self._plan.runs)

    @property
    def _left_out(self) -> list[str]:
        """What does without the seeds in which a run diverged, where there is a verdict beside it."""
        if not self.divergence.runs or self.reasons:
            return []
        parts = ["secondary outcomes"] if self._plan.study.secondary else []
        parts += ["the effect as training goes on"] if self._logged_outcome else []
        verb = "leave" if self._plan.study.secondary else "leaves"
        return [f"{' and '.join(parts)} {verb} out the seeds in which a run diverged"] if parts else []

    @property
    def _logged_outcome(self) -> bool:
        """Whether a run of the design that came to its end logged the outcome as it went on."""
        outcome, arms = self._plan.study.outcome.metric, self._plan.arm_ids()
        ended = [run for seed in range(self._plan.seeds) for arm in arms if self._state(run := run_id(arm, seed)) == "completed"]
        return any(outcome in trace.curves for trace in map(self._trace, ended) if trace)

    def _state(self, run: str) -> str:
        return self._kept[run].state if run in self._kept else "missing"

    def _trace(self, run: str) -> Trace | None:
        """All that a run left, read once; None where it has no record or failed."""
        if run not in self._traces:
            record = self._kept.get(run) or self._records.load_one(run)
            self._traces[run] = self._read(record) if record and record.state in ENDED else None
        return self._traces[run]

    def _read(self, record: Record) -> Trace:
        return Trace(record.metrics, curves=self._records.series(record.run_id), whole=record.state == "completed")

    def _pairs(self, fix: str) -> list[Pair]:
        """Runs that differ in the fix alone: of the design's arms, or else one of these and its twin."""
        arms, twin = self._plan.arm_ids(), self._plan.twins.get(fix)
        if twin is None:
            matched = arm_pairs(self._plan.layout, fix)
            return [Pair(label, self._seeds(arms[off], arms[on])) for label, off, on in matched]
        there, turned = run_id(self._plan.arms[twin.arm], twin.run.seed), twin.run.id
        off, on = (turned, there) if fix in twin.arm else (there, turned)
        labels = [arm_label(arm, self._plan.fixes) for arm in (twin.arm - {fix}, twin.arm | {fix})]
        sides = self._sides(off, on)
        return [Pair(" and ".join(labels), {twin.run.seed: sides} if sides else {})]

    def _seeds(self, off: str, on: str) -> dict[int, tuple[list[Trace], list[Trace]]]:
        found = {seed: self._sides(run_id(off, seed), run_id(on, seed)) for seed in range(self._plan.seeds)}
        return {seed: sides for seed, sides in found.items() if sides}

    def _sides(self, off: str, on: str) -> tuple[list[Trace], list[Trace]] | None:
        without, given = self._trace(off), self._trace(on)
        return ([without], [given]) if without and given else None

    def _repeated(self, again: str, cell: str, seed: int) -> Check:
        name = f"{self._plan.cells[cell].label} · seed {seed}"
        return repeated(name, self._trace(run_id(cell, seed)), self._trace(again))

    def _noted_before(self) -> Check:
        noted = self.registered
        name, compared = "preregistration", "the analysis now and as it was noted before the first run"
        if noted.changes:
            detail = f"the analysis was changed: {some(noted.changes)}"
            return Check(name, compared, False, detail)
        said = (
            f"fixed {noted.when}" if noted.time else "not noted before the runs were trained"
        )  # no clock time: a verdict has none
        return Check(name, compared, True if noted.time and not noted.runs else None, said)

    def _comparable(self) -> Check:
        outcome = self._plan.study.outcome.metric
        if self._plan.target.declaration.metrics:
            return Check(
                "comparability", f"{outcome} across arms", True, f"the target declares {outcome}, and no reason against it"
            )
        return Check("comparability", f"{outcome} across arms", None, "the target declares no metrics, so this is assumed")

    def _noise(self) -> list[Check]:
        """Runs that stand out and noise that differs between arms, over complete blocks without diverged runs."""
        plan, outcome = self._plan, self._plan.study.outcome
        table = design_table(plan, self._kept, Goal(metric=outcome.metric, goal=outcome.goal))
        varies = same_in_every_seed(table.complete(), plan.layout, outcome.metric)
        whole = np.flatnonzero(np.isfinite(table.values).all(axis=1))
        y, labels = table.values[whole], plan.layout.labels
        runs, arms = f"{y.size} runs", f"noise of {len(labels)} arms"
        if y.shape[0] < 3 or y.shape[1] < 3:
            few = "takes three complete seeds and three arms"
            return [Check("outliers", runs, None, few), Check("equal noise", arms, None, few), varies]
        far = [f"{labels[each.arm]} · seed {whole[each.seed]}" + _distance(each.distance) for each in outliers(y)]
        verb, them = ("stand", "them") if len(far) > 1 else ("stands", "it")
        said = f"{some(far)} {verb} out on {outcome.metric}; see what happened in {them}"
        found = [varies, Check("outliers", runs, not far, said if far else "none stands out (p < 0.01 over all runs)")]
        unlike = differs(y, plan.layout)
        if not unlike:
            return [*found, Check("equal noise", arms, True, "no arm's or fix's differs by more than chance and 3- or 2-fold")]
        detail = "; ".join(_louder(fix, ratio, outcome.metric) for fix, ratio in unlike.fixes.items())
        if not detail and unlike.arms:
            detail = _unequal(unlike.arms, labels, outcome.metric)
        return [*found, Check("equal noise", arms, False, detail)]


def _louder(fix: str, ratio: float, metric: str) -> str:
    """`noise of score is 6 times as large with a on as with it off`."""
    more, less = ("on", "off") if ratio > 1 else ("off", "on")
    return f"noise of {metric} is {max(ratio, 1 / ratio):.2g} times as large with {fix} {more} as with it {less}"


def _unequal(found: Unequal, labels: Sequence[str], metric: str) -> str:
    most, least = labels[found.most], labels[found.least]
    return (
        f"noise differs between arms: {metric} varies {found.ratio:.3g} times as much in {most} as in {least} "
        f"(standard deviations {found.most_sd:.3g} and {found.least_sd:.3g})"
    )


def hindered(plan: Plan, kept: Mapping[str, Record]) -> tuple[str, ...]:
    """Why further seeds would get no verdict either, as far as outcomes tell; curves are not read."""
    placebos = [_placebo(plan, kept, name) for name in plan.placebos]
    moved = [check.detail for check in placebos if check.passed is False]
    return tuple(filter(None, (unvalued(plan, diverged(plan, kept)), *moved)))


def _placebo(plan: Plan, kept: Mapping[str, Record], name: str) -> Check:
    metric = plan.study.outcome.metric
    without, given = (
        [_outcome(kept.get(run_id(cell, seed)), metric) for seed in range(plan.seeds)] for cell in plan.placebos[name]
    )
    return placebo(name, metric, np.array(without), np.array(given))


def _outcome(record: Record | None, metric: str) -> float:
    """A run's outcome; infinite where it diverged."""
    return math.inf if record and record.state == "diverged" else value_of(record, Goal(metric=metric))


def _distance(value: float) -> str:
    return f" ({abs(value):.1f} standard deviations {'above' if value > 0 else 'below'} what its seed and arm give)"
