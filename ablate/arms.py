"""Which arms each kind of design trains."""

from __future__ import annotations

from ablate.analysis.fractions import MOST_FACTORS, Fraction, fraction
from ablate.analysis.layout import Arm, Layout, full_factorial, layout
from ablate.errors import BadInput
from ablate.study import Study

#: More arms than this are refused: a study of so many is a mistake.
MOST_ARMS = 4096


def arms_of(study: Study) -> Layout:
    """The arms of a study's design, in the order in which they are trained and analysed.

    Raises:
        BadInput: where the design can't be had for so many fixes, or can't tell one of them.
    """
    fixes = tuple(study.proposed)
    return {
        "full_factorial": _full,
        "fractional": _fraction,
        "one_at_a_time": _one_at_a_time,
        "custom": _custom,
    }[study.design.kind](study, fixes)


def _full(study: Study, fixes: tuple[str, ...]) -> Layout:
    if 2 ** len(fixes) > MOST_ARMS:
        raise BadInput(f"design.kind: full_factorial of {len(fixes)} fixes takes {2 ** len(fixes)} arms; {_instead(fixes)}")
    return full_factorial(fixes)


def _instead(fixes: tuple[str, ...]) -> str:
    return "use fractional" if len(fixes) <= MOST_FACTORS else "use one_at_a_time, or propose fewer fixes"


def _fraction(study: Study, fixes: tuple[str, ...]) -> Layout:
    """The tabled fraction; of its siblings the one with all off, the training as it was (`analysis.fractions`)."""
    return fraction(fixes, study.design.resolution or 4).layout


def fraction_of(study: Study) -> Fraction | None:
    """A fractional study's fraction; None for another design."""
    return fraction(tuple(study.proposed), study.design.resolution or 4) if study.design.kind == "fractional" else None


def _one_at_a_time(study: Study, fixes: tuple[str, ...]) -> Layout:
    return one_at_a_time(fixes)


def one_at_a_time(fixes: tuple[str, ...]) -> Layout:
    """All off, each fix added to it, all on, each fix left out of it."""
    full = frozenset(fixes)
    added = [frozenset({name}) for name in fixes]
    left_out = [full - {name} for name in fixes]
    return layout(fixes, tuple(dict.fromkeys([frozenset(), *added, *left_out, full])))


def _custom(study: Study, fixes: tuple[str, ...]) -> Layout:
    named = [study.arm(text, "design.arms") for text in study.design.arms or ()]
    arms: tuple[Arm, ...] = tuple(dict.fromkeys(named))
    if len(arms) < len(named):
        raise BadInput(f"design.arms: {study.design.arms} names an arm twice; name each once")
    made = layout(fixes, arms)
    for name in fixes:
        if name not in made.mains:
            raise BadInput(f"design.arms: no two arms differ in {name} alone, so its effect can't be told; add such a pair")
    return made
