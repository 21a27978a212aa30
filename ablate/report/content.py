"""What the report says, as data for the template: numbers already written as text, strings plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.claims import ClaimResult
from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.design import Plan
from ablate.report.appendix import Appendix, appendix
from ablate.report.checks import ChecksPart, checks_part
from ablate.report.curves import LAST_PART, Curves
from ablate.report.first import First, first_page
from ablate.report.gallery import Figure, cautioned
from ablate.report.holds import Contexts, Price, contexts_part, courses_said, price_part
from ablate.report.knobs import KnobPart, knob_part
from ablate.report.labels import alone
from ablate.report.looks import LooksPart, looks_part
from ablate.report.rows import Estimate, FixRow, estimate, fix_rows, proposed_rows
from ablate.report.sweeps_plot import shown_sweeps
from ablate.report.symptoms import SymptomsPart, symptoms_part
from ablate.report.text import duration, interval, number, p_value, plural, point, true_minus, with_minus
from ablate.sections import Goal
from ablate.target import Metric


@dataclass(frozen=True)
class EffectRow:
    """A fix's or a pair's effect with its adjusted p."""

    name: str
    effect: Estimate
    p: str


@dataclass(frozen=True)
class Secondary:
    """A secondary outcome: the same main effects; no rows where two complete seeds are wanting."""

    metric: str
    goal: str
    rows: tuple[EffectRow, ...]


@dataclass(frozen=True)
class RawRow:
    """A fix's place by the outcome and by a metric that can't be compared."""

    name: str
    rank: int
    word: str
    raw_rank: int
    raw_effect: Estimate
    raw_word: str


@dataclass(frozen=True)
class RawRanking:
    """What ranking the fixes by an incomparable metric would have said."""

    metric: str
    why: str
    last: str
    rows: tuple[RawRow, ...]
    agrees: bool


@dataclass(frozen=True)
class CurveGroup:
    """A metric that can't be compared, why, its figures, and the counterpart drawn below it (or an empty string)."""

    metric: str
    why: str
    figures: tuple[Figure, ...]
    said: str


@dataclass(frozen=True)
class SweepNote:
    """A sweep's values with what was seen: (value, mean, interval, completed seeds)."""

    name: str
    param: str
    arm: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class Content:
    """The whole report but its looks."""

    study: str
    quick: bool
    headline: str
    first: First
    metric: str
    goal: str
    minimum: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    fixes: tuple[FixRow, ...]
    proposed: tuple[FixRow, ...]
    ends: tuple[tuple[str, str, str], ...]
    raw: tuple[RawRanking, ...]
    interactions: tuple[EffectRow, ...]
    secondary: tuple[Secondary, ...]
    looks: LooksPart | None
    price: Price | None
    courses: tuple[str, ...]
    contexts: Contexts | None
    symptoms: SymptomsPart | None
    curves: tuple[CurveGroup, ...]
    figures: Mapping[str, Figure]
    sweeps: tuple[SweepNote, ...]
    knobs: tuple[KnobPart, ...]
    claims: tuple[Mapping[str, str], ...]
    checks: ChecksPart
    appendix: Appendix
    ended: float


def gather(found: Assessment, curves: Curves, figures: Sequence[Figure]) -> Content:
    """Everything that the template sets."""
    outcome, price, rows = found.plan.study.outcome, price_part(found), fix_rows(found)
    raw = _raws(found, curves)
    warnings = _warnings(found, raw)
    content = Content(
        study=found.plan.name,
        quick=found.plan.quick,
        headline=found.verdict.headline,
        first=first_page(found, warnings),
        metric=outcome.metric,
        goal="higher is better" if outcome.sign > 0 else "lower is better",
        minimum=f"{outcome.minimum_effect:g}" if outcome.minimum_effect else "",
        facts=_facts(found),
        warnings=warnings,
        fixes=rows,
        proposed=rows or proposed_rows(found),
        ends=_ends(found),
        raw=raw,
        interactions=_interactions(found),
        secondary=tuple(
            _secondary(found, goal)
            for goal in found.plan.study.secondary
            if not found.silent and not (price and goal.metric == "seconds")
        ),
        price=price,
        courses=courses_said(found),
        contexts=contexts_part(found),
        looks=looks_part(found.stage),
        symptoms=symptoms_part(found.symptoms, found.defects, "all off", plural(found.plan.seeds, "seed")),
        curves=_curve_groups(found, figures),
        figures={figure.group: figure for figure in figures if not figure.group.startswith("curve:")},
        sweeps=tuple(_sweep(found, name) for name in shown_sweeps(found)),
        knobs=tuple(knob_part(found, name) for name in shown_sweeps(found)),
        claims=claim_rows(found.plan, found.claims),
        checks=checks_part(found),
        appendix=appendix(found),
        ended=max((record.ended for record in found.records.values()), default=0.0),
    )
    return with_minus(content)


def all_warnings(found: Assessment, curves: Curves) -> tuple[str, ...]:
    """What to know before believing the verdict: of the assessment, and of metrics that would rank the fixes otherwise."""
    return _warnings(found, _raws(found, curves))


def _warnings(found: Assessment, raw: Sequence[RawRanking]) -> tuple[str, ...]:
    return (*found.warnings, *(_otherwise(each) for each in raw if not each.agrees))


def _raws(found: Assessment, curves: Curves) -> tuple[RawRanking, ...]:
    return tuple(filter(None, (_raw(found, curves, name, about) for name, about in cautioned(found).items())))


def _row(name: str, effect: Effect, p: float) -> EffectRow:
    return EffectRow(name, estimate(effect), p_value(p))


def _facts(found: Assessment) -> tuple[tuple[str, str], ...]:
    """The line under the title."""
    plan = found.plan
    kind = plan.study.design.kind.replace("_", " ")
    fixes = "fix" if len(plan.fixes) == 1 else "fixes"
    done, total = found.count("completed"), plan.planned
    spent = sum(record.spent for record in found.records.values())
    return (
        (
            "design",
            f"{kind}, {len(plan.arms)} arms of {len(plan.fixes)} {fixes}",
        ),
        ("paired seeds", found.stage.place or str(plan.seeds)),
        ("runs completed", f"{done} of {total}"),
        ("training time, all runs", duration(spent)),
        ("budget", "quick" if plan.quick else "full"),
    )


def _ends(found: Assessment) -> tuple[tuple[str, str, str], ...]:
    """All off, all on and their difference on the outcome, over complete seeds: (what, mean, interval)."""
    ends = found.verdict.ends
    if ends is None:
        return ()
    return (
        ("all off", number(ends.off.effect), _between(ends.off.ci())),
        ("all on", number(ends.on.effect), _between(ends.on.ci())),
        ("difference", point(ends.difference), interval(ends.difference)),
    )


def _between(ci: tuple[float, float] | None) -> str:
    """The interval of a level, which has no sign to show."""
    return f"[{number(ci[0])}, {number(ci[1])}]" if ci else "–"


def _raw(found: Assessment, curves: Curves, metric: str, about: Metric) -> RawRanking | None:
    """The ranking by each run's late mean of a metric that can't be compared, beside the verdict's."""
    effects = curves.late_effects(metric)
    ranking = found.verdict.ranking
    if not effects or not ranking:
        return None
    by_raw = sorted(effects, key=lambda name: -effects[name][0].effect)
    rows = []
    for name in ranking:
        effect, p = effects[name]
        said = "unclear" if p >= 0.05 else "helps" if effect.effect > 0 else "harms"
        place = by_raw.index(name) + 1
        rows.append(RawRow(name, ranking.index(name) + 1, found.verdict.fixes[name].word, place, estimate(effect), said))
    return RawRanking(metric, about.incomparable, f"{100 * LAST_PART:.0f} %", tuple(rows), by_raw == ranking)


def _otherwise(raw: RawRanking) -> str:
    """The warning where the raw metric would rank the fixes in another order."""
    order = ", ".join(row.name for row in sorted(raw.rows, key=lambda row: row.raw_rank))
    return f"the raw {raw.metric} would rank the fixes otherwise ({order}): it can't be compared across arms"


def _interactions(found: Assessment) -> tuple[EffectRow, ...]:
    """Pairs of fixes, the clearest interaction first."""
    pairs = sorted(found.verdict.interactions.items(), key=lambda item: item[1].effect.p)
    return tuple(_row(name.replace("*", " × "), pair.effect, pair.p_adjusted) for name, pair in pairs)


def _secondary(found: Assessment, goal: Goal) -> Secondary:
    effects = found.secondary.get(goal.metric, {})
    ordered = [name for name in (found.verdict.ranking or found.plan.fixes) if name in effects]
    better = "higher is better" if goal.sign > 0 else "lower is better"
    return Secondary(goal.metric, better, tuple(_row(name, *effects[name]) for name in ordered))


def _curve_groups(found: Assessment, figures: Sequence[Figure]) -> tuple[CurveGroup, ...]:
    groups = []
    for metric, about in cautioned(found).items():
        drawn = tuple(figure for figure in figures if figure.group == f"curve:{metric}")
        if drawn:
            groups.append(CurveGroup(metric, about.incomparable, drawn, about.twin or ""))
    return tuple(groups)


def _sweep(found: Assessment, name: str) -> SweepNote:
    sweep = found.plan.study.sweeps[name]
    arm = sweep.fixes.replace("_", " ") if isinstance(sweep.fixes, str) else " + ".join(sweep.fixes) or "all off"
    rows = tuple((f"{r.value:g}", number(r.mean), _between(r.ci), str(r.seeds)) for r in found.sweeps[name])
    return SweepNote(name, sweep.param, arm, rows)


def claim_rows(plan: Plan, claims: Sequence[ClaimResult]) -> tuple[Mapping[str, str], ...]:
    """The table of claims; the last words of what is expected stay on one line."""
    arms = [claim.arm for claim in plan.study.claims]
    return tuple(
        {
            "name": true_minus(claim.name),
            "arm": arm.replace("_", " ") if arm in ("all_on", "all_off") else alone(plan.fixes, arm),
            "expected": true_minus("\N{NO-BREAK SPACE}".join(claim.expected.rsplit(" ", 2))),
            "observed": number(claim.observed) if claim.observed is None or np.isfinite(claim.observed) else "–",
            "verdict": claim.verdict,
            "detail": true_minus(claim.detail),
        }
        for claim, arm in zip(claims, arms, strict=True)
    )
