"""The verdict table's rows as text: the same figures for the PDF, the HTML page and the terminal. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.report.text import interval, p_value, param, point

if TYPE_CHECKING:
    from ablate.analysis.effects import Effect
    from ablate.assess import Assessment
    from ablate.sections import Fix


@dataclass(frozen=True)
class Estimate:
    """An effect as text: `+0.041` and `[+0.012, +0.070]`."""

    point: str
    ci: str


@dataclass(frozen=True)
class FixRow:
    """A row of the verdict table; `params` holds (param, off, on)."""

    name: str
    params: tuple[tuple[str, str, str], ...]
    effect: Estimate
    p: str
    word: str
    alone: Estimate
    removed: Estimate
    share: Estimate


#: Where a design can't tell an effect.
NONE = Estimate("–", "")


def estimate(effect: Effect | None) -> Estimate:
    """An effect as text; a dash where the design can't tell it."""
    return Estimate(point(effect), interval(effect)) if effect else NONE


def meaning(fix: Fix) -> tuple[tuple[str, str, str], ...]:
    """What off and on set: (param, off, on), `unset` where one of them leaves the param alone."""
    keys = dict.fromkeys([*fix.off, *fix.on])
    off, on = ({key: param(side[key]) if key in side else "unset" for key in keys} for side in (fix.off, fix.on))
    return tuple((key, off[key], on[key]) for key in keys)


def fix_rows(found: Assessment) -> tuple[FixRow, ...]:
    """A row a fix, the most helpful first; none where the verdict was withheld."""
    return tuple(_row(found, name) for name in found.verdict.ranking)


def proposed_rows(found: Assessment) -> tuple[FixRow, ...]:
    """The rows of a study without a verdict: what each fix is."""
    fixes = found.plan.study.fixes
    return tuple(FixRow(name, meaning(fixes[name]), NONE, "–", "no verdict", NONE, NONE, NONE) for name in found.plan.fixes)


def _row(found: Assessment, name: str) -> FixRow:
    fix = found.verdict.fixes[name]
    return FixRow(
        name=name,
        params=meaning(found.plan.study.fixes[name]),
        effect=estimate(fix.effect),
        p=p_value(fix.p_adjusted),
        word=fix.word,
        alone=estimate(fix.alone),
        removed=estimate(fix.removed),
        share=estimate(fix.share),
    )
