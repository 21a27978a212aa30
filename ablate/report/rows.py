"""The verdict table's rows as text: the same figures for the PDF, the HTML page and the terminal. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ablate.analysis.effects import decimals
from ablate.report.text import interval, p_value, param, point

if TYPE_CHECKING:
    from ablate.analysis.effects import Effect
    from ablate.analysis.verdict import FixVerdict
    from ablate.assess import Assessment
    from ablate.design import Plan
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


Params = Mapping[str, Any]
_NONE: Params = MappingProxyType({})
#: Where a design can't tell an effect.
NONE = Estimate("–", "")


def estimate(effect: Effect | None, places: int | None = None) -> Estimate:
    """An effect as text, to so many decimals or as many as its own interval tells; a dash where the design can't tell it."""
    return Estimate(point(effect, places), interval(effect, places)) if effect else NONE


def estimates(fix: FixVerdict) -> dict[str, Estimate]:
    """`effect`, `alone`, `removed` and `share` of a fix, all to the effect's decimals: figures side by side are compared."""
    places = decimals(fix.effect)
    return {part: estimate(getattr(fix, part), places) for part in ("effect", "alone", "removed", "share")}


def meaning(fix: Fix, off: Params = _NONE, on: Params = _NONE) -> tuple[tuple[str, str, str], ...]:
    """What off and on set: (param, off, on).

    Args:
        off, on: resolved params where the fix is off and on: what holds for a param that the fix sets on one side only. A
            param that these lack as well is `unset`.
    """
    keys = dict.fromkeys([*fix.off, *fix.on])
    sides = ({**off, **fix.off}, {**on, **fix.on})
    off_said, on_said = ({key: param(side[key]) if key in side else "unset" for key in keys} for side in sides)
    return tuple((key, off_said[key], on_said[key]) for key in keys)


def sets(plan: Plan, name: str) -> tuple[tuple[str, str, str], ...]:
    """`meaning` of a fix of a plan, with the defaults that its target fills in."""
    return meaning(plan.study.fixes[name], plan.params_of(frozenset()), plan.params_of(frozenset({name})))


def fix_rows(found: Assessment) -> tuple[FixRow, ...]:
    """A row a fix, the most helpful first; none where the verdict was withheld."""
    return tuple(_row(found, name) for name in found.verdict.ranking)


def proposed_rows(found: Assessment) -> tuple[FixRow, ...]:
    """The rows of a study without a verdict: what each fix is."""
    plan = found.plan
    return tuple(FixRow(name, sets(plan, name), NONE, "–", "no verdict", NONE, NONE, NONE) for name in plan.fixes)


def _row(found: Assessment, name: str) -> FixRow:
    fix = found.verdict.fixes[name]
    return FixRow(
        name=name,
        params=sets(found.plan, name),
        p=p_value(fix.p_adjusted),
        word=fix.word,
        **estimates(fix),
    )
