"""Which arms each kind of design trains."""

from __future__ import annotations

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
        raise BadInput(f"design.kind: full_factorial of {len(fixes)} fixes takes {2 ** len(fixes)} arms; use fractional")
    return full_factorial(fixes)


def _fraction(study: Study, fixes: tuple[str, ...]) -> Layout:
    raise BadInput("design.kind: fractional is not built yet; use full_factorial")


def _one_at_a_time(study: Study, fixes: tuple[str, ...]) -> Layout:
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
