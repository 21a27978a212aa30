"""A study's own checks, from its records: what `analysis.checks`, `analysis.divergence` and `analysis.noise` are asked.

A check that failed and is fatal withholds the verdict; the runs are kept, and what was measured is still shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from ablate.analysis.checks import PAIR, Check, Pair, Trace, arm_pairs, manipulation, placebo, repeated
from ablate.analysis.divergence import Divergence, count_diverged
from ablate.analysis.noise import Unequal, differs, outliers
from ablate.analysis.seeds import same_in_every_seed
from ablate.analysis.verdict import Verdict, withheld
from ablate.design import Plan, run_id
from ablate.preregistration import Registered
from ablate.records import Record, Records
from ablate.sections import Goal
from ablate.tables import design_table, value_of

ENDED = ("completed", "diverged")
#: So many arms, outliers or changes are named; of more, the number is told.
MOST = 4


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
        found += [self._placebo(name) for name in plan.placebos]
        found += [self._repeated(run.id, run.cell.id, run.seed) for run in plan.checks]
        return (*found, self._noted_before(), self._comparable(), *self._noise())

    @cached_property
    def divergence(self) -> Divergence:
        """Diverged runs of the design's arms."""
        states = {"completed": 0.0, "diverged": 1.0}
        arms, seeds = self._plan.arm_ids(), range(self._plan.seeds)
        grid = [[states.get(self._state(run_id(arm, seed)), math.nan) for arm in arms] for seed in seeds]
        return count_diverged(np.array(grid), self._plan.layout)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no verdict can be given; nothing where one can."""
        failed = [check.detail for check in self.checks if check.fatal and check.passed is False]
        found = self.divergence
        if found.runs and self._plan.study.outcome.on_divergence is None:
            planned = self._plan.seeds * len(self._plan.arms)
            said = f"{found.runs} of {planned} runs diverged ({_some(found.named)})"
            failed.insert(0, f"{said}; say what such a run is worth by outcome.on_divergence")
        return tuple(failed)

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of checks that withhold nothing."""
        said = [check.detail for check in self.checks if not check.fatal and check.passed is False]
        untold = [check.detail for check in self.checks if check.passed is None and (check.fatal or check.name == PAIR)]
        said += untold if self._testable else []
        if self.divergence.runs and (self._plan.study.secondary or self._logged_outcome):
            said.append("secondary outcomes and the effect as training goes on leave out the seeds in which a run diverged")
        return said

    def verdict(self, given: Verdict) -> Verdict:
        """The verdict, or none where a check failed."""
        return withheld(*self.reasons) if self.reasons else given

    @property
    def _testable(self) -> bool:
        """Whether every run of the plan ended: what couldn't be checked then is not just yet to come."""
        return all(self._state(run.id) in ENDED for run in self._plan.runs)

    @property
    def _logged_outcome(self) -> bool:
        about = self._plan.target.declaration.metrics.get(self._plan.study.outcome.metric)
        return about is None or about.step

    def _state(self, run: str) -> str:
        return self._kept[run].state if run in self._kept else "missing"

    def _trace(self, run: str) -> Trace | None:
        """All that a run left, read once; None where it has no record or failed."""
        if run not in self._traces:
            record = self._kept.get(run) or self._records.load_one(run)
            self._traces[run] = self._read(record) if record and record.state in ENDED else None
        return self._traces[run]

    def _read(self, record: Record) -> Trace:
        frame = self._records.curves(record.run_id)
        curves = {str(name): frame[name].to_numpy(float) for name in frame if name != "step"}
        return Trace(record.metrics, frame["step"].to_numpy(float), curves, record.state == "completed")

    def _pairs(self, fix: str) -> list[Pair]:
        arms = self._plan.arm_ids()
        return [
            Pair(label, dict(self._seeds([arms[column] for column in off], [arms[column] for column in on])))
            for label, off, on in arm_pairs(self._plan.layout, fix)
        ]

    def _seeds(self, off: Sequence[str], on: Sequence[str]) -> list[tuple[int, tuple[list[Trace], list[Trace]]]]:
        found = []
        for seed in range(self._plan.seeds):
            sides = [[self._trace(run_id(cell, seed)) for cell in cells] for cells in (off, on)]
            there = [[trace for trace in side if trace] for side in sides]
            if sides == there:
                found.append((seed, (there[0], there[1])))
        return found

    def _placebo(self, name: str) -> Check:
        outcome = self._plan.study.outcome
        sides = [[self._outcome(run_id(cell, seed)) for seed in range(self._plan.seeds)] for cell in self._plan.placebos[name]]
        return placebo(name, outcome.metric, np.array(sides[0]), np.array(sides[1]))

    def _outcome(self, run: str) -> float:
        """A run's outcome; infinite where it diverged."""
        if self._state(run) == "diverged":
            return math.inf
        return value_of(self._kept.get(run), Goal(metric=self._plan.study.outcome.metric))

    def _repeated(self, again: str, cell: str, seed: int) -> Check:
        name = f"{self._plan.cells[cell].label} · seed {seed}"
        return repeated(name, self._trace(run_id(cell, seed)), self._trace(again))

    def _noted_before(self) -> Check:
        noted = self.registered
        name, compared = "preregistration", "the analysis now and as it was noted before the first run"
        if noted.changes:
            detail = f"the analysis was changed: {_some(noted.changes)}"
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
        said = f"{_some(far)} {verb} out on {outcome.metric}; see what happened in {them}"
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


def _distance(value: float) -> str:
    return f" ({abs(value):.1f} standard deviations {'above' if value > 0 else 'below'} what its seed and arm give)"


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
