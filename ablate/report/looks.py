"""The looks of a study that may stop early, as the report shows them: what each one took and what it decided."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.report.text import plural
from ablate.stages import Look, Stage


@dataclass(frozen=True)
class LookRow:
    """A planned look: `p` is what a fix's p value must lie below, `taken` whether it was taken."""

    look: str
    seeds: str
    runs: str
    p: str
    said: str
    taken: bool


@dataclass(frozen=True)
class LooksPart:
    """A sentence on how looks are judged, and the looks."""

    said: str
    rows: tuple[LookRow, ...]


def looks_part(now: Stage) -> LooksPart | None:
    """The part for a study; None for one of fixed size."""
    rule = now.whole.looks
    if rule is None:
        return None
    taken = {look.seeds: look for look in now.taken}
    rows = [
        LookRow(
            look=f"{number} of {len(rule.seeds)}",
            seeds=str(seeds),
            runs=str(len(now.whole.up_to(seeds).runs)),
            p=f"{level:.2g}",
            said=_said(now, taken.get(seeds)),
            taken=seeds in taken,
        )
        for number, (seeds, level) in enumerate(zip(rule.seeds, rule.levels, strict=True), 1)
    ]
    return LooksPart(_about(now, rule.alpha), tuple(rows))


def _about(now: Stage, alpha: float) -> str:
    """How the study was to end, and how it did."""
    said = (
        "Whole blocks of paired seeds were added until every fix was decided, or the last look was reached. The error rate of "
        f"{100 * alpha:g} % is spent over the looks: at each, a fix's p value by itself must lie below the figure given; with "
        "several fixes Holm's method asks for less."
    )
    if now.ended and now.saved:
        said += f" The study ended {plural(len(now.looks) - now.index, 'look')} early, which saved {plural(now.saved, 'run')}."
    if now.hindered and now.plan.seeds < now.looks[-1]:
        said += " The study stopped where no verdict could be given."
    return said


def _said(now: Stage, look: Look | None) -> str:
    """What a look decided: the words that are new at it, and what is still open."""
    if look is None:
        return "not taken" if now.hindered else "not needed" if now.ended else "to come"
    if not look.verdict.fixes:
        return look.verdict.headline
    before = {name: earlier.word(name) for earlier in now.taken if earlier.seeds < look.seeds for name in now.plan.fixes}
    words = {name: look.word(name) for name in now.plan.fixes}
    fresh = [f"{name} {word}" for name, word in words.items() if word not in ("inconclusive", before.get(name))]
    undecided = [name for name, word in words.items() if word == "inconclusive"]
    return "; ".join(filter(None, [", ".join(fresh), f"open: {', '.join(undecided)}" if undecided else ""]))
