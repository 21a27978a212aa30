"""From outcomes to a verdict: `Table`s of numbers in, a `Verdict` out. It knows nothing of files, engines or trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.analysis import attribution
from ablate.analysis.effects import Array, Effect, factorial_effects, holm

SCHEMA_VERSION = 1
ALPHA = 0.05


@dataclass(frozen=True)
class Table:
    """One metric over the design.

    Attributes:
        values: [seeds, 2^k arms in standard order], in the metric's own unit and direction; NaN where a run is missing.
        sign: +1 where more is better, -1 where less is.
    """

    values: Array
    sign: float = 1.0

    def complete(self) -> Array:
        """The blocks (rows) with every arm, signed so that more is better."""
        return self.sign * self.values[np.isfinite(self.values).all(axis=1)]


@dataclass(frozen=True)
class FixVerdict:
    """What is known of one fix."""

    effect: Effect
    p_adjusted: float
    word: str
    alone: Effect
    removed: Effect
    share: Effect


@dataclass(frozen=True)
class Verdict:
    """The answer: a word for each fix, and what it rests on. `fixes` is empty where there is nothing to judge by."""

    fixes: Mapping[str, FixVerdict]
    interactions: Mapping[str, tuple[Effect, float]]
    headline: str
    warnings: tuple[str, ...] = ()

    @property
    def ranking(self) -> list[str]:
        """The fixes by effect, most helpful first."""
        return sorted(self.fixes, key=lambda name: -self.fixes[name].effect.effect)


def word(effect: Effect, p_adjusted: float, minimum: float) -> str:
    """helps, harms, negligible or inconclusive.

    Negligible is shown, not assumed: two one-sided tests at 5 % put the effect within ± `minimum` (the 90 % interval lies
    inside; Schuirmann 1987). It goes before helps and harms: a real effect too small to be worth having is negligible.
    """
    low, high = effect.ci(1 - 2 * ALPHA)
    if -minimum < low and high < minimum:
        return "negligible"
    if p_adjusted < ALPHA:
        return "helps" if effect.effect > 0 else "harms"
    return "inconclusive"


def judge(outcome: Table, names: Sequence[str], metric: str, minimum: float) -> Verdict:
    """Judge each fix by the outcome.

    Args:
        outcome: the outcome over the design; seeds that lack an arm are left out.
        names: the k fixes, in the order of the arms.
        metric: the outcome's name, for the headline.
        minimum: the smallest effect worth having, in the outcome's unit.
    """
    y = outcome.complete()
    if len(y) < 2:
        reason = f"only {len(y)} of {len(outcome.values)} seeds have every arm, and a verdict takes two"
        return Verdict({}, {}, f"No verdict: {reason}.", (reason,))
    mains, pairs = factorial_effects(y, names)
    adjusted = holm({name: effect.p for name, effect in mains.items()})
    fixes = {
        name: FixVerdict(
            effect=mains[name],
            p_adjusted=adjusted[name],
            word=word(mains[name], adjusted[name], minimum),
            alone=attribution.alone(y, index),
            removed=attribution.removed(y, index),
            share=attribution.share(y, index),
        )
        for index, name in enumerate(names)
    }
    pair_p = holm({name: effect.p for name, effect in pairs.items()})
    interactions = {name: (effect, pair_p[name]) for name, effect in pairs.items()}
    return Verdict(fixes, interactions, headline(fixes, metric))


def secondary(table: Table, names: Sequence[str]) -> dict[str, tuple[Effect, float]]:
    """The same main effects for another metric, Holm-adjusted over the fixes; empty where two complete seeds are wanting."""
    y = table.complete()
    if len(y) < 2:
        return {}
    mains, _ = factorial_effects(y, names)
    adjusted = holm({name: effect.p for name, effect in mains.items()})
    return {name: (mains[name], adjusted[name]) for name in names}


def headline(fixes: Mapping[str, FixVerdict], metric: str) -> str:
    """The verdict in a sentence or two: what helps, with its size; what harms; what can't be told."""
    said = []
    for which, verb in (("helps", "helps"), ("harms", "harms")):
        found = sorted((n for n in fixes if fixes[n].word == which), key=lambda n: -abs(fixes[n].effect.effect))
        said += [f"{name} {verb} ({_signed(fixes[name].effect)})" for name in found]
    if not said:
        said = [f"no fix is shown to change {metric}"]
    text = f"On {metric}: " + "; ".join(said) + "."
    for which, phrase in (("negligible", "Too small to matter"), ("inconclusive", "Can't be told from this many seeds")):
        found = [name for name in fixes if fixes[name].word == which]
        if found:
            text += f" {phrase}: {', '.join(found)}."
    return text


def _signed(effect: Effect) -> str:
    low, high = effect.ci()
    return f"{effect.effect:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}".replace("-", "−")


def as_estimate(effect: Effect) -> dict[str, Any]:
    """`{"effect", "ci"}`, as verdict.json writes it."""
    return {"effect": effect.effect, "ci": list(effect.ci())}
