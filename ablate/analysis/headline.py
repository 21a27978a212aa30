"""The verdict in words: what helps, with its size; where a fix helps only beside another; what can't be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ablate.analysis.effects import Effect

if TYPE_CHECKING:
    from ablate.analysis.verdict import FixVerdict, Interaction

#: Interactions that the headline has room for.
MOST = 2


def headline(fixes: Mapping[str, FixVerdict], interactions: Mapping[str, Interaction], metric: str, minimum: float = 0.0) -> str:
    """The verdict in a few sentences; an effect shown to be there, but not to be worth having, is said to be so."""
    said = []
    for which in ("helps", "harms"):
        found = sorted((n for n in fixes if fixes[n].word == which), key=lambda n: -abs(fixes[n].effect.effect))
        said += [f"{name} {which} ({signed(fixes[name].effect)}){_worth(fixes[name].effect, minimum)}" for name in found]
    apart = [fix.apart for fix in fixes.values() if fix.apart]
    if not said:
        said = [f"no fix is shown to change {metric}" + (" on average" if apart else "")]
    text = f"On {metric}: " + "; ".join(said) + "."
    for sentence in (*together(fixes, interactions)[:MOST], *apart):
        text += f" {sentence}."
    small = [name for name in fixes if fixes[name].word == "negligible"]
    text += f" Too small to matter: {', '.join(small)}." if small else ""
    return text + _open(fixes)


def _worth(effect: Effect, minimum: float) -> str:
    """A caution where the interval reaches into what is too small to matter."""
    nearest = min(effect.ci(), key=abs)
    return f", though perhaps by less than the {minimum:g} worth having" if abs(nearest) < minimum else ""


def _open(fixes: Mapping[str, FixVerdict]) -> str:
    """What can't be told, and the seeds that would tell."""
    unclear = {name: fixes[name].seeds_needed for name in fixes if fixes[name].word == "inconclusive" and not fixes[name].apart}
    if not unclear:
        return ""
    listed = [f"{name} (about {seeds} seeds would)" if seeds else name for name, seeds in unclear.items()]
    return f" Can't be told from this many seeds: {', '.join(listed)}."


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
    parts = f"{_point(on_effect)} with it on, {_point(off_effect)} with it off"
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


def _point(effect: Effect) -> str:
    return f"{effect.effect:+.3g}".replace("-", "−")
