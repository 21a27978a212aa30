"""From outcomes to a verdict: `Table`s of numbers in, a `Verdict` out. It knows nothing of files, engines or trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ablate.analysis.aliases import unattributed
from ablate.analysis.attribution import Attribution, Ends, attribute, ends_of
from ablate.analysis.effects import Array, Effect, adjusted, contrasts
from ablate.analysis.headline import Finding, findings, headline
from ablate.analysis.layout import Layout
from ablate.analysis.pairs import disagreements, remedy
from ablate.analysis.power import seeds_needed
from ablate.analysis.sequential import Looks, equivalence_p, over_looks

SCHEMA_VERSION = 1
ALPHA = 0.05


@dataclass(frozen=True)
class Table:
    """One metric over the design.

    Attributes:
        values: [seeds, arms in the layout's order], in the metric's own unit and direction; NaN where a run is missing.
        sign: +1 where more is better, -1 where less is.
    """

    values: Array
    sign: float = 1.0

    def complete(self) -> Array:
        """The blocks (rows) with every arm, signed so that more is better."""
        return self.first(len(self.values))

    def first(self, seeds: int) -> Array:
        """The complete blocks among the first so many seeds."""
        part = self.values[:seeds]
        return self.sign * part[np.isfinite(part).all(axis=1)]


@dataclass(frozen=True)
class FixVerdict:
    """What is known of one fix.

    Attributes:
        p_adjusted: over the fixes, by Holm.
        word: helps, harms, negligible or inconclusive.
        alone, removed, share: as `attribution` has them; None where the design lacks the arms for it.
        seeds_needed: paired seeds that would show an effect of an inconclusive fix (`power.seeds_needed`); None for one that is
            decided, or without noise.
        apart: what its matched pairs of arms show, where they disagree and the design can't tell why; such a fix is never
            negligible, and no number of seeds would decide it.
    """

    effect: Effect
    p_adjusted: float
    word: str
    alone: Effect | None = None
    removed: Effect | None = None
    share: Effect | None = None
    seeds_needed: int | None = None
    apart: str = ""


@dataclass(frozen=True)
class Interaction:
    """How much one fix's effect grows when another is turned on.

    Attributes:
        p_adjusted: over the pairs, by Holm.
        word: as for a fix; `helps` is that the two do more together than apart.
        simple: where the interaction is real, each of the two fixes' effect with the other off and on, each with its word.
    """

    effect: Effect
    p_adjusted: float
    word: str
    simple: Mapping[str, tuple[tuple[Effect, str], tuple[Effect, str]]] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Shown to differ from 0, and not too small to matter."""
        return self.word in ("helps", "harms")


@dataclass(frozen=True)
class Verdict:
    """The answer: a word for each fix, and what it rests on. `fixes` is empty where no verdict can be given.

    Attributes:
        headline: the answer in a sentence.
        findings: what a reader should know besides.
        ends: the outcome with all fixes off and on; None where the design lacks these arms.
    """

    fixes: Mapping[str, FixVerdict]
    interactions: Mapping[str, Interaction]
    headline: str
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    ends: Ends | None = None

    @property
    def ranking(self) -> list[str]:
        """The fixes by effect, most helpful first."""
        return sorted(self.fixes, key=lambda name: -self.fixes[name].effect.effect)

    @property
    def decided(self) -> bool:
        """Whether there is a verdict, and no fix is inconclusive."""
        return bool(self.fixes) and all(fix.word != "inconclusive" for fix in self.fixes.values())


def withheld(*reasons: str) -> Verdict:
    """No verdict, and why."""
    return Verdict({}, {}, f"No verdict: {'; '.join(reasons)}.", reasons)


def word(effect: float, p_adjusted: float, p_negligible: float, alpha: float = ALPHA) -> str:
    """helps, harms, negligible or inconclusive.

    Negligible is shown, not assumed: by two one-sided tests. It goes before helps and harms: a real effect too small to be
    worth having is negligible.

    Args:
        effect: the estimate, more is better.
        p_adjusted: of no effect.
        p_negligible: of an effect beyond the smallest that is worth having (`equivalence_p`).
    """
    if p_negligible < alpha:
        return "negligible"
    if p_adjusted < alpha:
        return "helps" if effect > 0 else "harms"
    return "inconclusive"


def judge(outcome: Table, layout: Layout, metric: str, minimum: float, looks: Looks | None = None) -> Verdict:
    """Judge each fix by the outcome.

    Args:
        outcome: the outcome over the design; seeds that lack an arm are left out.
        layout: the design's arms, in the order of the outcome's columns.
        metric: the outcome's name, for the headline.
        minimum: the smallest effect worth having, in the outcome's unit.
        looks: when it was looked at so far, where it may have stopped early.
    """
    y = outcome.complete()
    if len(y) < 2:
        return withheld(_too_few(outcome, layout, len(y)))
    family = Family(outcome, minimum, looks)
    mains = family.test(layout.mains)
    interactions = {name: _interaction(family, layout, name, *found) for name, found in family.test(layout.interactions).items()}
    level = next(iter(mains.values()))[0].level
    parts, ends = attribute(y, layout, level), ends_of(y, layout, outcome.sign, level)
    fixes = {
        name: _fix(y, layout.mains[name], found, parts[name], minimum, len(mains), family.alpha) for name, found in mains.items()
    }
    apart = disagreements(family, y, layout)
    fixes |= {name: _depends(fixes[name], said) for name, said in apart.items()}
    warnings = (*unattributed(interactions), *(remedy(said, layout) for said in apart.values()))
    said = headline(fixes, metric, minimum, ends)
    return Verdict(fixes, interactions, said, warnings, findings(fixes, interactions, minimum), ends)


class Family:
    """Tests families of contrasts of one outcome, over all looks taken.

    Args:
        outcome, minimum, looks: as for `judge`.
    """

    def __init__(self, outcome: Table, minimum: float, looks: Looks | None = None) -> None:
        self._minimum = minimum
        self.alpha = looks.alpha if looks else ALPHA
        seeds = [seeds for seeds in looks.seeds if seeds <= len(outcome.values)] if looks else []
        tables = [outcome.first(each) for each in seeds]
        self._tables = [y for y in tables if len(y) >= 2] or [outcome.complete()]
        several = looks is not None and len(looks.seeds) > 1
        last = looks is not None and len(outcome.values) >= looks.seeds[-1]
        self._bounds = looks.boundaries([len(y) for y in self._tables], last) if looks and several else None

    def test(self, weights: Mapping[str, Array]) -> dict[str, tuple[Effect, float, str]]:
        """Each contrast's effect, its p adjusted over the family by Holm, and its word."""
        taken = [contrasts(y, weights) for y in self._tables]
        history = {name: [found[name] for found in taken] for name in weights}
        effects = {name: over_looks(h, self._bounds) if self._bounds else h[-1] for name, h in history.items()}
        p = adjusted(effects)
        near = {name: equivalence_p(h, self._minimum, self._bounds) if self._minimum else 1.0 for name, h in history.items()}
        return {name: (e, p[name], word(e.effect, p[name], near[name], self.alpha)) for name, e in effects.items()}


def _fix(
    y: Array,
    weights: Array,
    found: tuple[Effect, float, str],
    parts: Attribution,
    minimum: float,
    family: int,
    alpha: float,
) -> FixVerdict:
    effect, p, said = found
    needed = seeds_needed(effect, weights, len(y), minimum, alpha / family) if said == "inconclusive" else None
    return FixVerdict(effect, p, said, parts.alone, parts.removed, parts.share, needed)


def _depends(fix: FixVerdict, apart: str) -> FixVerdict:
    """A fix whose pairs disagree: small on average is not small."""
    said = "inconclusive" if fix.word == "negligible" else fix.word
    return replace(fix, word=said, seeds_needed=None, apart=apart)


def _interaction(family: Family, layout: Layout, name: str, effect: Effect, p: float, said: str) -> Interaction:
    found = Interaction(effect, p, said)
    if not found.real or " = " in name:  # an aliased pair is never claimed through
        return found
    a, b = name.split("*")
    weights = {f"{fix} {on}": layout.simple(fix, other, on) for fix, other in ((a, b), (b, a)) for on in (False, True)}
    tested = family.test({key: each for key, each in weights.items() if each is not None})  # Holm over the pair's four
    told = {key: (simple, word) for key, (simple, _, word) in tested.items()}
    pairs = {fix: (told.get(f"{fix} False"), told.get(f"{fix} True")) for fix in (a, b)}
    return Interaction(effect, p, said, {fix: (off, on) for fix, (off, on) in pairs.items() if off and on})


def _too_few(outcome: Table, layout: Layout, whole: int) -> str:
    """Why there are fewer than two complete blocks: an arm that none of the seeds has, or too many gaps."""
    seen: Array = np.isfinite(outcome.values).sum(axis=0)
    lost = [arm for arm, runs in zip(layout.labels, seen, strict=True) if not runs]
    if lost and len(lost) < len(layout.arms):
        which = "an arm" if len(lost) == 1 else f"{len(lost)} arms"
        return f"the design lost {which}, of which no run completed: {', '.join(lost[:4])}"
    return f"only {whole} of {len(outcome.values)} seeds have every arm, and a verdict takes two"


def secondary(table: Table, layout: Layout, looks: Looks | None = None) -> dict[str, tuple[Effect, float]]:
    """The same main effects for another metric, Holm-adjusted over the fixes; empty where two complete seeds are wanting."""
    if len(table.complete()) < 2:
        return {}
    return {name: (effect, p) for name, (effect, p, _) in Family(table, 0.0, looks).test(layout.mains).items()}


def as_estimate(effect: Effect | None) -> dict[str, Any] | None:
    """`{"effect", "ci"}`, as verdict.json writes it; None where the design can't tell."""
    return None if effect is None else {"effect": effect.effect, "ci": list(effect.ci())}
