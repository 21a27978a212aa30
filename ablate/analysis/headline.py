"""The verdict in words: one sentence with its numbers, and what a reader should know besides.

The sentence names what helps and harms. The rest are `findings`: what a fix does only beside another, what is too small to
matter, what can't be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ablate.analysis.effects import Effect, decimals

if TYPE_CHECKING:
    from ablate.analysis.attribution import Ends
    from ablate.analysis.verdict import FixVerdict, Interaction

#: Fixes that the headline names of a kind, and interactions that are told in words.
MOST, MOST_TOLD = 3, 3
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

Kind = Literal["worth", "interaction", "apart", "negligible", "open", "contexts"]


@dataclass(frozen=True)
class Finding:
    """A sentence beside the headline.

    Attributes:
        kind: `worth`: an effect that may be too small to matter; `interaction`; `apart`: pairs of arms that disagree;
            `negligible`; `open`: what can't be told; `contexts`: what the study's contexts add.
    """

    kind: Kind
    text: str


def headline(fixes: Mapping[str, FixVerdict], metric: str, minimum: float = 0.0, ends: Ends | None = None) -> str:
    """The verdict in one sentence: the fixes that help and harm with their effects, and what all of them together do.

    Args:
        fixes: the judged fixes.
        metric: the outcome.
        minimum: the smallest effect worth having.
        ends: the outcome with all fixes off and with all on, where the design has both.
    """
    found = {which: _largest(fixes, which) for which in ("helps", "harms")}
    named = [effect.effect for group in found.values() for _, effect in group[:MOST]]
    if not named:
        return f"{_nothing(fixes, metric, minimum)}."
    said = [_group(group, which) for which, group in found.items() if group]
    text = (", and " if any(len(group) > 1 for group in found.values()) else " and ").join(said)
    if ends is None:
        return f"On {metric}, {text}."
    places = min(_places(effect, 2) for effect in named)
    return f"{text}; with {_all(len(fixes))} on, {_moved(ends, metric, places)}."


def findings(
    fixes: Mapping[str, FixVerdict], interactions: Mapping[str, Interaction], minimum: float = 0.0
) -> tuple[Finding, ...]:
    """What the headline leaves out, the cautions first."""
    told = together(fixes, interactions)
    said = [Finding("worth", text) for name, fix in fixes.items() if (text := _worth(name, fix, minimum))]
    said += [Finding("interaction", f"{text}.") for text in told[:MOST_TOLD]]
    if len(told) > MOST_TOLD:
        said.append(Finding("interaction", f"{len(told) - MOST_TOLD} more pairs of fixes act on each other."))
    said += [Finding("apart", f"{fix.apart}.") for fix in fixes.values() if fix.apart]
    small = [name for name in fixes if fixes[name].word == "negligible"]
    said += [Finding("negligible", f"Too small to matter: {', '.join(small)}.")] if small else []
    return (*said, *(Finding("open", text) for text in _open(fixes)))


def _largest(fixes: Mapping[str, FixVerdict], which: str) -> list[tuple[str, Effect]]:
    """(fix, effect) of the fixes with that word, the largest first."""
    found = [(name, fix.effect) for name, fix in fixes.items() if fix.word == which]
    return sorted(found, key=lambda each: -abs(each[1].effect))


def _group(found: Sequence[tuple[str, Effect]], which: str) -> str:
    """`a (+1.2), b (+0.9) and c (+0.4) help`; of many the largest, and how many more."""
    most = MOST if len(found) > MOST + 1 else MOST + 1
    names = [f"{name} ({_shown(effect)})" for name, effect in found[:most]]
    if len(found) > most:
        names.append(f"{len(found) - most} more")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed} {which if len(found) == 1 else which.removesuffix('s')}"


def _shown(effect: Effect) -> str:
    """An effect to the decimals that its interval tells, as in the tables; to three digits at most."""
    return _fixed(effect.effect, min(decimals(effect), _places(effect.effect, 3)), "+")


def _all(count: int) -> str:
    """`it`, `both`, `all three`."""
    return {1: "it", 2: "both"}.get(count) or f"all {COUNTS[count] if count < len(COUNTS) else count}"


def _moved(ends: Ends, metric: str, places: int) -> str:
    """`top1 rises from 0.158 to 0.299`, in the metric's own direction."""
    off, on = ends.off.effect, ends.on.effect
    places = max(places, _places(max(abs(off), abs(on)), 3))
    span = f"{_fixed(off, places)} to {_fixed(on, places)}"
    low, high = ends.difference.ci()
    if low <= 0 <= high:
        return f"{metric} is not shown to change ({span})"
    return f"{metric} {'rises' if on > off else 'falls'} from {span}"


def _nothing(fixes: Mapping[str, FixVerdict], metric: str, minimum: float) -> str:
    """The sentence where no fix is shown to help or to harm."""
    count = COUNTS[len(fixes)] if len(fixes) < len(COUNTS) else str(len(fixes))
    which = f"{'Neither' if len(fixes) == 2 else 'None'} of the {count} fixes" if len(fixes) > 1 else next(iter(fixes))
    if all(fix.word == "negligible" for fix in fixes.values()):
        return f"{which} changes {metric} by {'as much as' if len(fixes) > 1 else 'less than'} the {minimum:g} worth having"
    said = f"{which} is {'not ' * (len(fixes) == 1)}shown to change {metric}"
    if any(fix.apart for fix in fixes.values()):
        return f"{said} on average"
    name, fix = max(((n, f) for n, f in fixes.items() if f.word == "inconclusive"), key=lambda item: abs(item[1].effect.effect))
    if fix.effect.effect == 0:
        return said
    seen = _fixed(fix.effect.effect, _places(fix.effect.effect, 2), "+")
    if len(fixes) == 1:
        return f"{said}: the {seen} seen may be chance"
    return f"{said}: the largest effect seen, {seen} of {name}, may be chance"


def _worth(name: str, fix: FixVerdict, minimum: float) -> str:
    """A caution where the interval of what helps or harms reaches into what is too small to matter."""
    nearest = min(fix.effect.ci(), key=abs)
    if fix.word not in ("helps", "harms") or abs(nearest) >= minimum:
        return ""
    return f"{name} {fix.word}, though perhaps by less than the {minimum:g} worth having ({signed(fix.effect)})."


def _open(fixes: Mapping[str, FixVerdict]) -> list[str]:
    """What can't be told, and the seeds that would tell."""
    unclear = {name: fixes[name].seeds_needed for name in fixes if fixes[name].word == "inconclusive" and not fixes[name].apart}
    listed = [f"{name} (about {seeds} seeds would)" if seeds else name for name, seeds in unclear.items()]
    return [f"Can't be told from this many seeds: {', '.join(listed)}."] if listed else []


def _places(value: float, digits: int) -> int:
    """Decimals that show so many significant digits; below 0 where fewer than all before the point are."""
    return digits - 1 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else digits - 1


def _fixed(value: float, places: int, sign: str = "") -> str:
    return f"{value:{sign}.{min(12, max(0, places))}f}".replace("-", "−")


def together(fixes: Mapping[str, FixVerdict], interactions: Mapping[str, Interaction]) -> list[str]:
    """A sentence for each real interaction, the largest first: how one fix's effect depends on the other."""
    real = [(name, found) for name, found in interactions.items() if found.real and found.simple]
    return [_sentence(fixes, found) for _, found in sorted(real, key=lambda item: -abs(item[1].effect.effect))]


def _sentence(fixes: Mapping[str, FixVerdict], found: Interaction) -> str:
    """Of the two readings of an interaction the one where a fix's word changes; else that of the smaller fix."""
    a, b = found.simple if len(found.simple) == 2 else (next(iter(found.simple)),) * 2
    readings = [(fix, other) for fix, other in ((a, b), (b, a)) if fix in found.simple]

    def plainness(reading: tuple[str, str]) -> tuple[bool, float]:
        (_, off), (_, on) = found.simple[reading[0]]
        return off == on, abs(fixes[reading[0]].effect.effect)

    fix, other = min(readings, key=plainness)
    (off_effect, off), (on_effect, on) = found.simple[fix]
    parts = f"{_shown(on_effect)} with it on, {_shown(off_effect)} with it off"
    signs = {off, on}
    if signs == {"helps", "harms"}:
        first, second = ("on", "off") if on == "helps" else ("off", "on")
        return f"{fix} helps while {other} is {first} and harms while it is {second} ({parts})"
    verb = next((said for said in (on, off) if said in ("helps", "harms")), None)
    if verb is None:
        return f"what {fix} does depends on {other} ({parts})"
    state = "on" if on == verb else "off"
    rest = off if state == "on" else on
    if rest == verb:
        more = "on" if abs(on_effect.effect) > abs(off_effect.effect) else "off"
        return f"{fix} {verb} more while {other} is {more} ({parts})"
    shown = verb if rest == "negligible" else f"is shown to {verb.removesuffix('s')}"
    return f"{fix} {shown} only while {other} is {state} ({parts})"


def signed(effect: Effect) -> str:
    """`+0.041, 95 % interval +0.012 to +0.07`."""
    low, high = effect.ci()
    return f"{effect.effect:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}".replace("-", "−")
