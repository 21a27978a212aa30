"""What the report says of the design: how an effect is read from its arms, and what a fraction can't tell apart."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.analysis.fractions import Fraction
from ablate.arms import fraction_of
from ablate.assess import Assessment
from ablate.design import Plan
from ablate.report.text import MINUS


@dataclass(frozen=True)
class FractionPart:
    """A fractional design's alias structure, in the fixes' names.

    Attributes:
        said: name, arms and what may be read from it.
        rows: generators and what their letters stand for.
        mains: (main effect, its aliases among three-way interactions).
        pairs: two-way interactions of which only the sum is told, a group a line.
        clear: pairs that stand clear of the others.
    """

    said: str
    rows: tuple[tuple[str, str], ...]
    mains: tuple[tuple[str, str], ...]
    pairs: tuple[str, ...]
    clear: str


def fraction_part(plan: Plan) -> FractionPart | None:
    """The part; None where the design is no fraction."""
    part = fraction_of(plan.study)
    if part is None:
        return None
    return FractionPart(
        said=_said(part),
        rows=(
            ("generators", ", ".join(part.generated).replace("-", MINUS)),
            ("letters", ", ".join(f"{letter} {name}" for letter, name in part.letters.items())),
        ),
        mains=tuple((name, " = ".join(map(_crossed, aliases))) for name, aliases in part.mains.items() if aliases),
        pairs=tuple(" = ".join(map(_crossed, group)) for group in part.pairs if len(group) > 1),
        clear=", ".join(_crossed(group[0]) for group in part.pairs if len(group) == 1),
    )


def _crossed(names: tuple[str, ...]) -> str:
    return " × ".join(names)


def _said(part: Fraction) -> str:
    both = frozenset(part.factors) in part.arms
    ends = "All off and all on are among them. " if both else "All off, the training as it was, is among them; all on is not. "
    what = f"{part.name}: {len(part.arms)} of the {2 ** len(part.factors)} arms. {ends}"
    if part.resolution >= 5:
        return what + "No main effect and no two-way interaction is aliased with another."
    return what + (
        "Effects on one line can't be told apart: only their sum is estimated. Main effects are read as if three-way "
        "interactions were 0; a pair that shares its line with another is never claimed."
    )


def effect_said(plan: Plan) -> str:
    """How a fix's effect is read from the arms."""
    made = plan.layout
    if made.fraction:
        return "A fix's effect is the mean of all arms with it on less that of all arms with it off, and holds its aliases too"
    if len(made.arms) == 2 ** len(made.fixes):
        return "A fix's effect is the mean of all arms with it on less that of all arms with it off"
    pairs = "A fix's effect is the mean, over the pairs of arms that differ in it alone, of on less off"
    return pairs if made.interactions else f"{pairs} (these arms tell no interaction, so it holds beside their fixes alone)"


def parts_said(found: Assessment) -> str:
    """What alone, removed and share are, as far as the design has the arms for them."""
    fixes = found.verdict.fixes.values()
    told = [name for name in ("alone", "removed") if any(getattr(fix, name) for fix in fixes)]
    said = ""
    if told:
        compares = "compare two arms by their paired differences, so their intervals are wider"
        if len(told) == 1:
            compares = compares.replace("compare ", "compares ").replace("their intervals", "its intervals")
        said = f" {' and '.join(told).capitalize()} {compares}."
    if any(fix.share for fix in fixes):
        said += " Shares are Shapley values and add up to all on less all off."
    lacking = [name for name in ("alone", "removed", "share") if not any(getattr(fix, name) for fix in fixes)]
    return said + (f" A dash: the design lacks the arms ({', '.join(lacking)})." if lacking and fixes else "")
