"""Checks of a study's own workings: did each fix change what it says, does a placebo change nothing, can a run be repeated?

Values are compared exactly, bit by bit but for NaN, which equals NaN: the same seed must give the same run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.layout import Layout
from ablate.sections import PLACEBO, Change

#: What a run says of the clock, which no seed fixes: `seconds`, and what trainers call it.
CLOCK = re.compile(r"second|runtime|elapsed", re.IGNORECASE)
#: The check of a run that is trained twice.
PAIR = "A/A pair"
#: So many arms, outliers or changes are named; of more, the number is told.
MOST = 4
#: How a change that isn't there is put right: a placebo is a fix that changes nothing at all.
REMEDY = "mend it, take it out, or mark it placebo: true"


@dataclass(frozen=True)
class Check:
    """What was checked and what came of it.

    Attributes:
        name: for example `memory_bank changes bank/ptr`.
        compared: what was compared with what.
        passed: None where it could not be checked.
        detail: what was seen; of a check that failed, a reason that a person can act on.
        fatal: whether the verdict is withheld where it failed.
    """

    name: str
    compared: str
    passed: bool | None
    detail: str
    fatal: bool = False


@dataclass(frozen=True)
class Trace:
    """All that a run left.

    Attributes:
        final: its final metrics.
        steps: the steps at which it logged, [points], growing; not needed where they are in the curves as `step`.
        curves: metric → its value at each of them, [points]; NaN where it was not logged.
        whole: whether it came to its end with a finite outcome.
    """

    final: Mapping[str, float]
    steps: Array = field(default_factory=lambda: np.empty(0))
    curves: Mapping[str, Array] = field(default_factory=dict)
    whole: bool = True

    def points(self, metric: str) -> dict[int, float]:
        """The steps at which a metric was logged, with its values."""
        values = self.curves.get(metric)
        if values is None:
            return {}
        known = ~np.isnan(values)
        steps = self.curves.get("step", self.steps)
        return dict(zip(steps[known].astype(int).tolist(), values[known].tolist(), strict=True))

    @cached_property
    def metrics(self) -> list[str]:
        """Everything that the run says, but for the clock."""
        return sorted(name for name in {*self.final, *self.curves} - {"step"} if not CLOCK.search(name))


@dataclass(frozen=True)
class Pair:
    """Runs that differ in one fix alone, seed by seed.

    Attributes:
        label: `good and good+bad`.
        seeds: seed → the run with the fix off, and the one with it on.
    """

    label: str
    seeds: Mapping[int, tuple[Sequence[Trace], Sequence[Trace]]]


@dataclass(frozen=True)
class Difference:
    """Where a metric differs between off and on: at which step first, or in its final value (no step)."""

    metric: str
    seed: int
    step: int | None


def arm_pairs(layout: Layout, fix: str) -> list[tuple[str, int, int]]:
    """The pairs of arms that differ in a fix alone: a label, and the columns with it off and on. A fraction has none."""
    columns = {arm: index for index, arm in enumerate(layout.arms)}
    pairs = [(columns[arm - {fix}], column) for arm, column in columns.items() if fix in arm and arm - {fix} in columns]
    return [(f"{layout.labels[off]} and {layout.labels[on]}", off, on) for off, on in pairs]


def manipulation(fix: str, change: Change | None, pairs: Sequence[Pair]) -> Check:
    """Whether a fix changed what it says that it changes; where it says nothing, anything at all.

    Args:
        fix: its name.
        change: the probe that must differ in every pair of arms, and from which step on.
        pairs: the runs.
    """
    name = f"{fix} changes {change.metric if change else 'something'}"
    tested = [pair for pair in pairs if pair.seeds]
    if not tested:
        return Check(name, "", None, f"{fix}: there are no two runs of one seed that differ in it alone", fatal=True)
    compared = f"on and off, in {_count(len(tested), 'pair')} of arms over {_count(max(len(p.seeds) for p in tested), 'seed')}"
    passed, detail = _declared(fix, change, tested) if change else _anything(fix, tested)
    return Check(name, compared, passed, detail, fatal=True)


def _anything(fix: str, pairs: Sequence[Pair]) -> tuple[bool, str]:
    for pair in pairs:
        for offs, ons in pair.seeds.values():
            found = next(differing(offs, ons), None)
            if found is not None:
                return True, f"runs differ with it on and off, {found} for one"
    return False, f"{fix} changed nothing: all that a run logs and returns is the same with it on and off; {REMEDY}"


def differing(offs: Sequence[Trace], ons: Sequence[Trace]) -> Iterator[str]:
    """The metrics in which runs differ at all: in a value, or in the steps at which it was logged."""
    for metric in sorted({name for trace in (*offs, *ons) for name in trace.metrics}):
        sides = [{_whole(trace, metric) for trace in side} for side in (offs, ons)]
        if sides[0] != sides[1]:
            yield metric


def _whole(trace: Trace, metric: str) -> tuple[object, ...]:
    curve = trace.curves.get(metric)
    logged = "" if curve is None else repr(trace.points(metric))
    return logged, repr(trace.final.get(metric))


def _declared(fix: str, change: Change, pairs: Sequence[Pair]) -> tuple[bool | None, str]:
    runs = [trace for pair in pairs for sides in pair.seeds.values() for side in sides for trace in side]
    if not any(trace.points(change.metric) or change.metric in trace.final for trace in runs):
        why = f"no run logs or returns {change.metric}; name a metric that runs have in fixes.{fix}.changes.metric"
        return False, f"whether {fix} changed anything can't be told: {why}"
    seen = {pair.label: list(_differences(pair, change)) for pair in pairs}
    still = [pair for pair in pairs if not seen[pair.label] and _came_to_its_end(pair)]
    if still:
        return False, _still(fix, change, still, pairs)
    first = [(label, found) for label, all_found in seen.items() for found in all_found]
    if not first:
        return None, f"{fix}: runs diverged before {change.metric} could differ"
    if change.steps:
        for label, found in first:
            if found.step is None or not change.steps[0] <= found.step <= change.steps[1]:
                return False, _elsewhere(fix, change, label, found)
    return True, f"{change.metric} differs in {len(pairs) - len(still)} of {len(pairs)} pairs{_span(first)}"


def _still(fix: str, change: Change, still: Sequence[Pair], pairs: Sequence[Pair]) -> str:
    """What is said of a probe that is the same in some pairs; where anything else differs, the fix does something."""
    part = len(still) < len(pairs)
    which = f" in {len(still)} of {len(pairs)} pairs of arms" if part else ""
    where = f" in {still[0].label}" if part else " with it on and off"
    if not _anything(fix, pairs)[0]:
        return f"{fix} changed nothing{which}: {change.metric} is the same{where}; {REMEDY}"
    mend = f"mend the fix or fixes.{fix}.changes, or take it out"
    return f"{fix} did not change {change.metric}{which}, which is the same{where}; {mend}"


def _came_to_its_end(pair: Pair) -> bool:
    """Whether some seed's runs are whole: of those cut short, nothing can be concluded from what is alike."""
    return any(all(trace.whole for side in sides for trace in side) for sides in pair.seeds.values())


def _elsewhere(fix: str, change: Change, label: str, found: Difference) -> str:
    assert change.steps
    when = "in its final value alone" if found.step is None else f"at step {found.step}"
    within = f"{change.steps[0]} to {change.steps[1]}" if change.steps[0] < change.steps[1] else str(change.steps[0])
    return (
        f"{fix} did not change {change.metric} when it says: it first differs {when} ({label}, seed {found.seed}) and not at "
        f"step {within}; mend the fix, or fixes.{fix}.changes.steps"
    )


def _span(found: Sequence[tuple[str, Difference]]) -> str:
    steps = sorted({each.step for _, each in found if each.step is not None})
    if not steps:
        return ""
    return f", first at step {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")


def _differences(pair: Pair, change: Change) -> Iterator[Difference]:
    """Of each seed in which the probe differs, where it does so first."""
    for seed, (offs, ons) in pair.seeds.items():
        step = first_step(offs, ons, change.metric)
        if step is not None:
            yield Difference(change.metric, seed, step)
        elif {repr(run.final.get(change.metric)) for run in offs} != {repr(run.final.get(change.metric)) for run in ons}:
            yield Difference(change.metric, seed, None)


def first_step(offs: Sequence[Trace], ons: Sequence[Trace], metric: str) -> int | None:
    """The first step at which a metric's values differ between two sides, among the steps that all runs logged.

    Where one side never logs it, the first step of the other; None where neither does or nothing differs.
    """
    sides = [[points for trace in side if (points := trace.points(metric))] for side in (offs, ons)]
    logged = [points for side in sides for points in side]
    if not all(sides):
        return min((min(points) for points in logged), default=None)
    common = set.intersection(*(set(points) for points in logged))
    return next((step for step in sorted(common) if {p[step] for p in sides[0]} != {p[step] for p in sides[1]}), None)


def placebo_check(name: str) -> str:
    """What the check of a placebo is called."""
    return f"{name} changes nothing" if name == PLACEBO else f"{name} (placebo) changes nothing"


def placebo(name: str, metric: str, without: Array, given: Array) -> Check:
    """Whether a placebo's effect is exactly 0 in every seed.

    Args:
        name, metric: of the placebo and the outcome.
        without, given: the outcome of each seed's run, [seeds]; NaN where there is none, infinite where it diverged.
    """
    title, known = placebo_check(name), ~np.isnan(without) & ~np.isnan(given)
    total = int(known.sum())
    compared = f"{metric} without and with it, over {_count(total, 'seed')}"
    moved = known & (without != given)
    if not total:
        return Check(title, compared, None, f"{name}: no seed has a run both without and with it", fatal=True)
    if not moved.any():
        return Check(title, compared, True, f"exactly the same in {total} of {total} seeds", fatal=True)
    ended = moved & np.isfinite(without) & np.isfinite(given)
    size = f", by up to {np.abs(given[ended] - without[ended]).max():.3g}" if ended.any() else ""
    who = name if name == PLACEBO else f"{name} (a placebo)"
    detail = (
        f"{who} moved {metric} in {int(moved.sum())} of {_count(total, 'seed')}{size}: the training has randomness "
        f"that the seed does not fix, or {name} is no placebo"
    )
    return Check(title, compared, False, detail, fatal=True)


def repeated(run: str, first: Trace | None, again: Trace | None) -> Check:
    """Whether a run that was trained twice gave the same, bit by bit (an A/A pair).

    Where it did not, intervals still hold, as the runs' own noise has that too; but arms are less alike than pairing takes them
    to be, and a difference in one run says nothing. So it warns, and withholds nothing: not every GPU kernel repeats.

    Args:
        run: its name.
        first, again: the two; None where one has no record or failed.
    """
    title, compared = PAIR, f"{run} and the same run again"
    if first is None or again is None:
        why = f"{run} was not trained twice, so nothing shows that a run can be repeated; run the study again"
        return Check(title, compared, None, why)
    differs = _first_unlike(first, again)
    if differs:
        detail = (
            f"{run}, trained a second time, differs: {differs}; the training has randomness that the seed does not fix. The "
            "intervals have it in them, but would be narrower if all of it came from run.seed"
        )
        return Check(title, compared, False, detail)
    values = sum(len(first.points(name)) for name in first.metrics) + len(first.final)
    return Check(title, compared, True, f"bit-identical in all {values} values that it logged and returned")


def _first_unlike(first: Trace, again: Trace) -> str:
    """The first metric and step in which two runs differ; final metrics come last."""
    unlike: list[tuple[float, str, str]] = []
    for metric in differing([first], [again]):
        one, two = first.points(metric), again.points(metric)
        steps = [step for step in sorted({*one, *two}) if one.get(step) != two.get(step)]
        step = steps[0] if steps else None
        pair = (one.get(step), two.get(step)) if step is not None else (first.final.get(metric), again.final.get(metric))
        where = f"at step {step}" if step is not None else "in its final value"
        told = " and ".join("nothing" if value is None else f"{value!r}" for value in pair)
        unlike.append((np.inf if step is None else step, metric, f"{metric} {where} ({told})"))
    return min(unlike)[2] if unlike else ""


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
