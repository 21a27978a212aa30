"""Does the verdict hold, and at what price: what the report says of courses, contexts and seconds, as data for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.contexts import OWN, described
from ablate.analysis.effects import Effect, decimals
from ablate.analysis.trajectory import described as course_said
from ablate.assess import Assessment
from ablate.report.text import MINUS, interval, number, p_value, param, plural, point, signed
from ablate.tables import design_table

UNLOGGED = "The outcome was not logged as training went on, so whether the effects would hold longer can't be told."
BEYOND = "The final outcome is not the last value that was logged, so the curves may stop short of what the verdict rests on."
AGREE = (
    "Each context is judged by itself, by the same rules. Whether a fix's effect is the same in all of them is tested by Welch's "
    "F test of equal means, p adjusted over the fixes by Holm's method. Contexts share seeds, which makes the test careful: it "
    "may miss a difference, but seldom invents one."
)
SECONDS = "Wall time of whole runs, with what a worker loads for its first; runs that share a machine slow each other."


@dataclass(frozen=True)
class ContextRow:
    """A context: what it changes, over how many seeds it could be judged, and why not, where it could not."""

    name: str
    params: tuple[tuple[str, str], ...]
    seeds: str
    reason: str


@dataclass(frozen=True)
class There:
    """A fix in a context."""

    context: str
    point: str
    ci: str
    word: str


@dataclass(frozen=True)
class FixAcross:
    """A fix in every context that has a verdict, the test's p, and the sentence on it."""

    name: str
    there: tuple[There, ...]
    p: str
    differs: bool
    said: str


@dataclass(frozen=True)
class Contexts:
    """The section on contexts."""

    rows: tuple[ContextRow, ...]
    fixes: tuple[FixAcross, ...]
    rule: str


@dataclass(frozen=True)
class PriceRow:
    """What a fix adds to the seconds of a run: more time is positive here, and the word says so."""

    name: str
    added: str
    ci: str
    percent: str
    p: str
    word: str


@dataclass(frozen=True)
class Price:
    """The seconds of a run; `off` is the mean of all off, or of all arms where there is no such arm."""

    off: str
    rows: tuple[PriceRow, ...]
    said: str


def courses_said(found: Assessment) -> tuple[str, ...]:
    """A sentence for each fix on whether its effect had settled; nothing where nothing is recorded, or there is no verdict."""
    courses = found.holding.courses
    if not found.records or found.silent:
        return ()
    if not found.trajectory:
        return (UNLOGGED,)
    names = found.verdict.ranking or found.plan.fixes
    said = [course_said(name, courses[name]) for name in names if name in courses]
    return (*said, *([BEYOND] if found.holding.beyond else []))


def contexts_part(found: Assessment) -> Contexts | None:
    """The section on contexts; None where the study has none."""
    if not found.plan.contexts:
        return None
    return Contexts(tuple(_contexts(found)), tuple(_across(found)), AGREE)


def _contexts(found: Assessment) -> list[ContextRow]:
    rows = []
    for name, verdict in found.holding.compared.items():
        whole = _whole(found, None if name == OWN else name)
        reason = "" if verdict.fixes else "; ".join(verdict.warnings)
        params = found.plan.study.contexts.get(name, {})
        rows.append(ContextRow(name, tuple((key, param(value)) for key, value in params.items()), whole, reason))
    return rows


def _whole(found: Assessment, context: str | None) -> str:
    blocks = design_table(found.plan, found.records, found.plan.study.outcome, context).complete()
    return f"{len(blocks)} of {plural(found.plan.seeds, 'seed')}"


def _across(found: Assessment) -> list[FixAcross]:
    holding, rows = found.holding, []
    judged = {name: verdict for name, verdict in holding.compared.items() if verdict.fixes}
    for fix in found.verdict.ranking or found.plan.fixes:
        there = [(name, verdict.fixes[fix]) for name, verdict in judged.items() if fix in verdict.fixes]
        cells = tuple(There(name, point(f.effect), interval(f.effect), f.word) for name, f in there)
        agreed = holding.agreement.get(fix)
        if agreed:
            rows.append(FixAcross(fix, cells, p_value(agreed.p_adjusted), agreed.differs, described(fix, judged, agreed)))
        elif cells:
            rows.append(FixAcross(fix, cells, "–", False, f"{fix}: fewer than two contexts have a verdict to compare."))
    return rows


def price_part(found: Assessment) -> Price | None:
    """What each fix costs in seconds a run; None where the study doesn't ask, or two complete seeds are wanting."""
    effects = found.secondary.get("seconds", {})
    goal = next((goal for goal in found.plan.study.secondary if goal.metric == "seconds"), None)
    if not effects or goal is None:
        return None
    plan = found.plan
    y = goal.sign * design_table(plan, found.records, goal).complete()
    has_off = frozenset[str]() in plan.arms
    base = float(np.mean(y[:, plan.layout.named(())] if has_off else y))
    names: Sequence[str] = [name for name in (found.verdict.ranking or plan.fixes) if name in effects]
    rows = tuple(_price(name, *effects[name], goal.sign, base) for name in names)
    return Price(f"{'all off' if has_off else 'all arms'}: {number(base)} s a run on average", rows, SECONDS)


def _price(name: str, effect: Effect, p: float, sign: float, base: float) -> PriceRow:
    """A fix's row: `effect` is positive where it is better by the goal, the row's figures where it takes longer."""
    places, added = decimals(effect), sign * effect.effect
    low, high = sorted(sign * end for end in effect.ci())
    percent = signed(100 * added / base, 0 if abs(added) >= 0.1 * base else 1) + " %" if base else "–"
    word = "no clear change" if p >= 0.05 else "costs time" if added > 0 else "saves time"
    ci = f"[{signed(low, places)}, {signed(high, places)}]".replace("-", MINUS)
    return PriceRow(name, f"{signed(added, places)} s", ci, percent, p_value(p), word)
