"""The designs that a study's fixes could have, side by side: what each costs, what it could show, and which to take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ablate.analysis.fractions import ROMAN, Fraction, exists, fraction
from ablate.analysis.layout import Layout, full_factorial
from ablate.analysis.power import detectable_effect, seeds_for
from ablate.arms import MOST_ARMS, fraction_of, one_at_a_time
from ablate.design import Plan

#: A design that keeps all two-way interactions apart may cost so many times the cheapest.
WORTH = 2
#: A study takes no more paired seeds than this (`design.seeds`, `stopping.looks`), so none are advised.
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Pairs:
    """What a design tells of two-way interactions.

    Attributes:
        total: how many there are.
        apart: told by themselves, clear of each other.
        groups: of the aliased ones, in how many groups only the sum is told.
        aliased: how many these are; what is left of `total` isn't told at all.
    """

    total: int
    apart: int
    groups: int = 0
    aliased: int = 0

    @property
    def whole(self) -> bool:
        """Whether all are kept apart."""
        return self.apart == self.total

    def __str__(self) -> str:
        if not self.total:
            return "–"
        if self.whole:
            return f"all {self.total} apart" if self.total > 1 else "told"
        of = "" if self.aliased else f" of {self.total}"
        apart = f"{self.apart}{of} apart" if self.apart else ""
        aliased = f"{self.aliased} in {self.groups} groups" if self.aliased else ""
        return ", ".join(filter(None, (apart, aliased))) or "none told"


@dataclass(frozen=True)
class Option:
    """A design for the study's fixes.

    Attributes:
        kind: as `design.kind` names it.
        resolution: of a fraction, as it comes out.
        asked: of a fraction, what `design.resolution` has to be.
        also: other kinds that have the very same arms.
        runs: at the study's seeds, of the design alone: sweeps come on top, contexts are counted.
        seconds: that these take; None where no run was timed or estimated.
        detectable: smallest main effect found with 80 % power at the study's seeds, in units of a run's noise.
        seeds, needed: paired seeds and runs that find the effect sought with 80 % power; None beyond `MOST_SEEDS`.
        own: whether it is the study's own.
    """

    kind: str
    arms: int
    runs: int
    seconds: float | None
    detectable: float
    seeds: int | None
    needed: int | None
    pairs: Pairs
    own: bool
    resolution: int | None = None
    asked: int | None = None
    also: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As a table names it: `fractional IV`."""
        return f"{self.kind} {ROMAN[self.resolution]}" if self.resolution else self.kind

    @property
    def section(self) -> str:
        """What the study file has to say for it."""
        return f"kind: {self.kind}" + (f", resolution: {self.asked}" if self.asked else "")


@dataclass(frozen=True)
class Comparison:
    """The designs side by side.

    Attributes:
        sought: the effect that `Option.seeds` find, in the outcome's unit; None for one as large as a run's noise.
        noise: a run's, in the outcome's unit; None where it was not measured.
        taken: the design to take; None where none finds the effect.
        why: in a sentence.
    """

    options: tuple[Option, ...]
    sought: float | None
    noise: float | None
    taken: Option | None
    why: str

    @property
    def basis(self) -> str:
        """What the seeds rest on, where it is not a noise that was measured and an effect that is named; else nothing."""
        if self.sought is None:
            return "the study names no minimum_effect, so these seeds find an effect as large as a run's noise"
        if self.noise is not None:
            return ""
        return f"the noise isn't measured yet, so it is taken to be as large as minimum_effect, {self.sought:g}"

    def as_json(self) -> dict[str, Any]:
        """`designs` and `recommended` of `plan --json`."""
        return {
            "designs": [_option_json(option, self.noise) for option in self.options],
            "recommended": None
            if self.taken is None
            else {"kind": self.taken.kind, "resolution": self.taken.asked, "seeds": self.taken.seeds, "runs": self.taken.needed},
            "why": self.why,
            "assumed": self.basis or None,
        }


def looks_for(plan: Plan, seeds: int) -> list[int]:
    """A study's looks, spread over so many seeds; two at least in each."""
    rule = plan.looks
    planned = rule.seeds if rule else (seeds,)
    return sorted({max(2, math.ceil(each * seeds / planned[-1])) for each in planned})


def compare(plan: Plan, seconds: float | None, noise: float | None) -> Comparison:
    """Compare the designs that a plan's fixes could have.

    Args:
        plan: the study's own.
        seconds: of a run, over all workers; None where not known.
        noise: a run's standard deviation within its block and arm, in the outcome's unit; None where not measured.
    """
    minimum = plan.study.outcome.minimum_effect
    size = 1.0 if noise is None or not minimum else minimum / noise if noise else math.inf
    merged: list[tuple[Layout, Option]] = []
    for kind, asked, made in _layouts(plan):
        same = next((index for index, (known, _) in enumerate(merged) if set(known.arms) == set(made.arms)), None)
        if same is None:
            merged.append((made, _option(plan, kind, asked, made, seconds, size)))
        elif kind not in (merged[same][1].kind, *merged[same][1].also):
            known, option = merged[same]
            merged[same] = known, replace(option, also=(*option.also, kind))
    options = tuple(option for _, option in merged)
    sought = minimum or None
    taken, why = _take(options, "an effect as large as a run's noise" if sought is None else f"an effect of {sought:g}")
    return Comparison(options, sought, noise, taken, why)


def _layouts(plan: Plan) -> Iterator[tuple[str, int | None, Layout]]:
    """(kind, resolution asked for, arms) of every design there is for the fixes, the study's own among them."""
    fixes = plan.layout.fixes
    if 2 ** len(fixes) <= MOST_ARMS:
        yield "full_factorial", None, full_factorial(fixes)
    for resolution in (4, 5):
        if exists(len(fixes), resolution):
            yield "fractional", resolution, fraction(fixes, resolution).layout
    yield "one_at_a_time", None, one_at_a_time(fixes)
    if plan.study.design.kind == "custom":
        yield "custom", None, plan.layout


def _option(plan: Plan, kind: str, asked: int | None, made: Layout, seconds: float | None, size: float) -> Option:
    each = len(made.arms) * _times(plan)  # runs a seed
    alpha = plan.alpha / len(made.mains)
    found = [seeds_for(weights, size, alpha) for weights in made.mains.values()]
    known = [seeds for seeds in found if seeds is not None and seeds <= MOST_SEEDS]
    seeds = max(known) if len(known) == len(found) else None
    part = fraction(made.fixes, asked) if asked else None
    return Option(
        kind=kind,
        arms=len(made.arms),
        runs=each * plan.seeds,
        seconds=None if seconds is None else seconds * each * plan.seeds,
        detectable=detectable_effect(made, plan.seeds, alpha=plan.alpha),
        seeds=seeds,
        needed=None if seeds is None else each * seeds,
        pairs=_pairs(made, part),
        own=set(made.arms) == set(plan.layout.arms),
        resolution=part.resolution if part else None,
        asked=asked,
    )


def _times(plan: Plan) -> int:
    """How often the design is trained: under its own params, and in contexts that differ from these and from others."""
    return len({tuple(plan.arm_ids(name)) for name in (None, *plan.contexts)})


def _pairs(made: Layout, part: Fraction | None) -> Pairs:
    total = math.comb(len(made.fixes), 2)
    if part:
        groups = [len(group) for group in part.pairs]
        alone = groups.count(1)
        return Pairs(total, alone, len(groups) - alone, total - alone)
    whole = len(made.arms) == 2 ** len(made.fixes)
    return Pairs(total, total if whole else len(made.interactions))


def _take(options: tuple[Option, ...], sought: str) -> tuple[Option | None, str]:
    """The fewest runs among the designs that keep all two-way interactions apart, unless the cheapest needs less than half."""
    able = [(option.needed, -option.arms, index) for index, option in enumerate(options) if option.needed is not None]
    if not able:
        return None, f"no design finds {sought} with up to {MOST_SEEDS} paired seeds; name a larger minimum_effect"
    cheapest = options[min(able)[2]]
    if not any(option.needed is not None and option.pairs.whole for option in options):
        return cheapest, f"it finds {sought} with the fewest runs; none of these designs keeps all two-way interactions apart"
    whole = options[min(key for key in able if options[key[2]].pairs.whole)[2]]
    assert cheapest.needed is not None and whole.needed is not None
    if whole.needed == cheapest.needed:
        clear = ", and keeps all two-way interactions apart" if whole.pairs.total else ""
        return whole, f"it finds {sought} with the fewest runs{clear}"
    if whole.needed <= WORTH * cheapest.needed:
        return whole, (
            f"it keeps all two-way interactions apart, and finds {sought} with no more than twice the {cheapest.needed} runs of "
            f"{cheapest.label}"
        )
    return cheapest, (
        f"it finds {sought} with the fewest runs; to keep all two-way interactions apart takes {whole.needed} ({whole.label}), "
        "over twice as many"
    )


def _option_json(option: Option, noise: float | None) -> dict[str, Any]:
    pairs = option.pairs
    return {
        "kind": option.kind,
        "resolution": option.resolution,
        "also": list(option.also),
        "own": option.own,
        "arms": option.arms,
        "runs": option.runs,
        "seconds": option.seconds,
        "detectable": {
            "in_run_noise": option.detectable,
            "in_outcome_units": None if noise is None else option.detectable * noise,
        },
        "seeds_to_find_minimum_effect": option.seeds,
        "runs_to_find_minimum_effect": option.needed,
        "interactions": {"all": pairs.total, "apart": pairs.apart, "aliased": pairs.aliased, "groups": pairs.groups},
    }


def fraction_json(plan: Plan) -> dict[str, Any] | None:
    """A fractional design's generators, defining relation and aliases in the fixes' names; None for another design."""
    part = fraction_of(plan.study)
    if part is None:
        return None
    return {
        "name": part.name,
        "resolution": part.resolution,
        "generators": list(part.generated),
        "letters": part.letters,
        "defining_relation": ["*".join(name for name in part.factors if name in word) for word in part.words],
        "main_effects": {name: ["*".join(alias) for alias in aliases] for name, aliases in part.mains.items()},
        "interactions": [["*".join(pair) for pair in group] for group in part.pairs],
    }
