"""What a study seems to say before it has ended: the verdict on its complete blocks, by the code that gives the last one.

It is shown and never kept, and nothing is stopped by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ablate.analysis.checks import Pair as Runs
from ablate.analysis.checks import Trace, arm_pairs, manipulation
from ablate.analysis.verdict import Verdict
from ablate.checks import hindered
from ablate.design import Plan, run_id
from ablate.records import Record
from ablate.report.rows import estimate
from ablate.report.text import clipped
from ablate.stages import verdict_at
from ablate.tables import value_of

#: Characters of a line in a log, and the most fixes whose intervals stand in it.
LINE, INTERVALS = 160, 4


@dataclass(frozen=True)
class Provisional:
    """The verdict over the complete blocks.

    Attributes:
        seeds: complete blocks that the verdict rests on: up to the last look, where there are looks.
        planned: blocks there may be.
        look: `at look 1 of 4`, `before look 1 of 4`; empty for a study of fixed size.
        at_look: whether a look is due at these very blocks.
    """

    seeds: int
    planned: int
    look: str
    at_look: bool
    verdict: Verdict

    @property
    def place(self) -> str:
        """`after 3 of 6 seeds`; `at look 1 of 4, after 4 of up to 12 seeds`."""
        if not self.look:
            return f"after {self.seeds} of {self.planned} seeds"
        return f"{self.look}, after {self.seeds} of up to {self.planned} seeds"

    @property
    def caution(self) -> str:
        """What a reader must know of it."""
        if self.look:
            return "may change; intervals allow for the looks"
        if self.seeds == self.planned:
            return "every seed is in; the study's checks are still to come"
        return "may change; intervals are not adjusted for looking"


class Blocks:
    """The seeds of which every arm has an outcome, as runs end: each is looked at once.

    Args:
        kept: the records of runs that ended before.
    """

    def __init__(self, plan: Plan, kept: Mapping[str, Record]) -> None:
        self._outcome, arms = plan.study.outcome, plan.arm_ids()
        self._lacking = {seed: {run_id(arm, seed) for arm in arms} for seed in range(plan.seeds)}
        self._seeds = {run: seed for seed, runs in self._lacking.items() for run in runs}
        self.complete: tuple[int, ...] = ()
        for run, record in kept.items():
            self.add(run, record)

    def add(self, run: str, record: Record) -> bool:
        """Take in how a run ended; returns whether its block is complete now, and was not."""
        seed = self._seeds.get(run)
        if seed is None or run not in self._lacking[seed] or not math.isfinite(value_of(record, self._outcome)):
            return False
        self._lacking[seed].remove(run)
        if self._lacking[seed]:
            return False
        self.complete = tuple(sorted((*self.complete, seed)))
        return True


def provisional(plan: Plan, kept: Mapping[str, Record], complete: tuple[int, ...]) -> Provisional | None:
    """The verdict over the complete blocks; None of fewer than two, and where it would be withheld.

    Args:
        kept: the records of its runs.
        complete: its seeds of which every arm has an outcome (`Blocks`).
    """
    if len(complete) < 2:
        return None
    now = plan.up_to(complete[-1] + 1)
    if hindered(now, kept) or _unsound(now, kept):
        return None
    verdict = verdict_at(now, kept)
    if not verdict.fixes:
        return None
    if plan.looks is None:
        return Provisional(len(complete), plan.seeds, "", False, verdict)
    looks = plan.looks.seeds
    taken = [seeds for seeds in looks if seeds <= now.seeds]
    seeds = sum(seed < taken[-1] for seed in complete) if taken else len(complete)
    look = f"{'at' if taken else 'before'} look {max(1, len(taken))} of {len(looks)}"
    return Provisional(seeds, looks[-1], look, now.seeds in looks, verdict)


def _unsound(plan: Plan, kept: Mapping[str, Record]) -> bool:
    """Whether final metrics alone show that a fatal check would fail; curves, which take longer, are not read."""
    finals = {key: Trace(record.metrics, whole=record.state == "completed") for key, record in kept.items()}
    return any(manipulation(fix, None, list(_pairs(plan, finals, fix))).passed is False for fix in plan.fixes)


def _pairs(plan: Plan, finals: Mapping[str, Trace], fix: str) -> Iterator[Runs]:
    arms = plan.arm_ids()
    for label, off, on in arm_pairs(plan.layout, fix):
        sides = {seed: [finals.get(run_id(arms[arm], seed)) for arm in (off, on)] for seed in range(plan.seeds)}
        yield Runs(label, {seed: ([a], [b]) for seed, (a, b) in sides.items() if a and b})


def line(found: Provisional, most: int = LINE) -> str:
    """On one line of at most so many characters: names, words, and effects with as much beside them as there is room for."""
    start = f"{found.place}, provisional: "
    fixes = [(name, fix.word, estimate(fix.effect)) for name in found.verdict.ranking for fix in (found.verdict.fixes[name],)]
    tries = [(name, f"{word} {effect.point} {effect.ci}") for name, word, effect in fixes] if len(fixes) <= INTERVALS else []
    short = [(name, f"{word} {effect.point}") for name, word, effect in fixes]
    for listed, width in ((tries, most), (short, most), (short, 24), (short, 12)):
        said = start + "; ".join(f"{clipped(name, width)} {text}" for name, text in listed)
        if listed and len(said) <= most:
            return said
    words = [word for _, word, _ in fixes]
    return start + ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
