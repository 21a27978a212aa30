"""How far a study that may stop early has come: which looks were taken, whether it has ended, what is to be trained now.

All of it follows from the plan and the records, so `run`, `report`, `status` and `plan` agree, and an interrupted study goes on
at the look it was in. A look beyond which a block was begun is passed, whatever is found at it later: more records never take a
study back. Sweeps are trained together with the first look's blocks: workers that a look would leave idle have work,
and wherever a study ends its parts are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ablate.analysis.verdict import Verdict, judge, withheld
from ablate.checks import hindered
from ablate.design import Plan, PlannedRun, run_id
from ablate.driver import missing
from ablate.records import Record
from ablate.tables import design_table


@dataclass(frozen=True)
class Look:
    """A look that was taken.

    Attributes:
        seeds: paired seeds trained by then.
        verdict: what they showed.
    """

    seeds: int
    verdict: Verdict

    def word(self, fix: str) -> str | None:
        """The fix's word; None where the verdict was withheld."""
        return self.verdict.fixes[fix].word if fix in self.verdict.fixes else None


@dataclass(frozen=True)
class Stage:
    """Where a study stands.

    Attributes:
        whole: the plan with every seed there may be.
        plan: as far as the study has got: up to the look it ended at, or the one that is being trained for.
        taken: the looks taken; none of a study of fixed size.
        ended: whether no further block is to come.
        hindered: why it ended where it could have no verdict; nothing where that is not so.
    """

    whole: Plan
    plan: Plan
    taken: tuple[Look, ...] = ()
    ended: bool = True
    hindered: tuple[str, ...] = ()

    @property
    def looks(self) -> tuple[int, ...]:
        """Paired seeds at each look planned; none of a study of fixed size."""
        return self.whole.looks.seeds if self.whole.looks else ()

    @property
    def index(self) -> int:
        """The number of the look it stands at, from 1."""
        return self.looks.index(self.plan.seeds) + 1

    @property
    def saved(self) -> int:
        """Runs that need not be trained, as the study was decided before its last look."""
        return len(self.whole.runs) - len(self.plan.runs) if self.ended and not self.hindered else 0

    def decided_at(self, fix: str) -> Look | None:
        """The first look from which on a fix had the word that it has now; None where it has none or is inconclusive."""
        now = self.taken[-1].word(fix) if self.taken else None
        if now in (None, "inconclusive"):
            return None
        same = takewhile(lambda look: look.word(fix) == now, reversed(self.taken))
        return list(same)[-1]

    @property
    def place(self) -> str:
        """`stopped after 6 of up to 12 seeds, look 2 of 4`; empty for a study of fixed size."""
        if not self.looks:
            return ""
        now = f"look {self.index} of {len(self.looks)}"
        if not self.ended:
            return f"at {now}: {self.plan.seeds} of up to {self.looks[-1]} seeds"
        if self.plan.seeds == self.looks[-1]:
            return f"ended after all {self.plan.seeds} seeds, {now}"
        return f"stopped after {self.plan.seeds} of up to {self.looks[-1]} seeds, {now}"


def verdict_at(plan: Plan, records: Mapping[str, Record]) -> Verdict:
    """The verdict over the plan's seeds, with the error rate spent over the looks up to there."""
    outcome = plan.study.outcome
    return judge(design_table(plan, records, outcome), plan.layout, outcome.metric, outcome.minimum_effect, plan.looks)


def stage(plan: Plan, records: Mapping[str, Record]) -> Stage:
    """Where a study stands by its records.

    A look is taken once each run of its arms and placebos was tried. A verdict that is withheld there decides nothing: the study
    goes on. It ends at the earliest look that decides every fix and beyond which no block was begun. It ends as well where more
    seeds would get no verdict either, until the study file says what is to be done.
    """
    if plan.looks is None:
        return Stage(plan, plan)
    seeds = plan.looks.seeds
    whole, taken = plan.up_to(seeds[-1]), list[Look]()
    begun = _begun(whole, records)
    for each in seeds:
        now = plan.up_to(each)
        passed = begun > each
        if not passed and not _tried(now, records):
            return Stage(whole, now, tuple(taken), ended=False)
        why = hindered(now, records)
        taken.append(Look(each, withheld(*why) if why else verdict_at(now, records)))
        if not passed and (why or taken[-1].verdict.decided):
            break
    return Stage(whole, now, tuple(taken), hindered=why)


def _begun(whole: Plan, records: Mapping[str, Record]) -> int:
    """Blocks up to the last of which a run was tried; a sweep's run is no block's, though an arm may share it."""
    swept = {run.id for run in whole.up_to(0).runs}
    return max((run.seed + 1 for run in whole.runs if run.id in records and run.id not in swept), default=0)


def _tried(plan: Plan, records: Mapping[str, Record]) -> bool:
    cells = [*plan.arm_ids(), *(cell for pair in plan.placebos.values() for cell in pair)]
    return all(run_id(cell, seed) in records for seed in range(plan.seeds) for cell in cells)


def due(plan: Plan, records: Mapping[str, Record]) -> list[PlannedRun]:
    """The runs that are to be trained now: those up to the look at which the study stands that are missing or have failed."""
    return missing(stage(plan, records).plan, records)


def until_decided(
    plan: Plan, load: Callable[[], Mapping[str, Record]], tell: Callable[[str], None]
) -> Iterator[tuple[Plan, list[PlannedRun]]]:
    """What is to be trained next, again and again until the study has ended: (the plan up to that look, its runs).

    A run that failed is tried once more in each sitting. Whoever iterates trains the runs before asking for more.

    Args:
        load: reads the records.
        tell: is given a line for each look as it is taken, and why the study ends.
    """
    tried: set[str] = set()
    said = 0
    while True:
        records = load()
        now = stage(plan, records)
        for look in now.taken[said:] if tried else ():
            tell(look_line(now, look))
        said = len(now.taken)
        todo = [run for run in missing(now.plan, records) if run.id not in tried]
        if not todo:
            break
        tried |= {run.id for run in todo}
        yield now.plan, todo
    if tried and now.hindered:
        tell(f"no verdict can be given: {'; '.join(now.hindered)}; nothing more is trained")
    elif tried and now.saved:
        tell(f"every fix is decided: {now.place}; {now.saved} runs saved")


def with_checks(
    parts: Iterator[tuple[Plan, list[PlannedRun]]], plan: Plan, checks: Sequence[PlannedRun]
) -> Iterator[tuple[Plan, list[PlannedRun]]]:
    """The same parts, the first with the runs that check the study behind its own; these alone where there is no part."""
    part, todo = next(parts, (plan, []))
    if todo or checks:
        yield part, [*todo, *checks]
    yield from parts


def look_line(now: Stage, look: Look) -> str:
    """`look 2 of 4 (6 seeds): logit_scale helps, bbox_filter open`."""
    number = now.looks.index(look.seeds) + 1
    found = look.verdict.fixes
    words = {name: "open" if fix.word == "inconclusive" else fix.word for name, fix in found.items()}
    said = ", ".join(f"{name} {word}" for name, word in words.items()) or look.verdict.headline.rstrip(".")
    return f"look {number} of {len(now.looks)} ({look.seeds} seeds): {said}"


def looks_json(now: Stage) -> dict[str, Any] | None:
    """`stopping` of verdict.json; None for a study of fixed size."""
    rule = now.whole.looks
    if rule is None:
        return None
    decided = {name: now.decided_at(name) for name in now.plan.fixes}
    return {
        "looks": list(rule.seeds),
        "alpha": rule.alpha,
        "spending": rule.spending,
        "taken": [look.seeds for look in now.taken],
        "stopped_at": now.plan.seeds if now.ended else None,
        "decided": {
            name: look and {"look": look.seeds, "verdict": look.verdict.fixes[name].word} for name, look in decided.items()
        },
        "saved_runs": now.saved,
    }


def looks_warnings(now: Stage) -> Sequence[str]:
    """That the study has not ended, where it hasn't."""
    if now.ended:
        return ()
    return (f"not ended: {now.place}; the verdict may change until its runs are complete",)
