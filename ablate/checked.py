"""What a study's own checks leave in verdict.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.analysis.checks import Check, placebo_check

if TYPE_CHECKING:
    from ablate.assess import Assessment


def own_json(found: Assessment) -> dict[str, Any]:
    """The keys `checks`, `divergence` and `preregistration`. No clock time is among them."""
    counted, noted = found.divergence, found.registered
    return {
        "checks": [{"name": each.name, "passed": each.passed, "detail": each.detail} for each in found.checks],
        "divergence": {
            "value": found.plan.study.outcome.on_divergence,
            "runs": counted.runs,
            "arms": dict(counted.arms),
            "fixes": {
                name: {"off": fix.off, "on": fix.on, "pairs": fix.pairs, "p": fix.p, "p_adjusted": fix.p_adjusted}
                for name, fix in counted.fixes.items()
            },
        },
        "preregistration": {"hash": noted.hash, "registered": noted.when, "changes": list(noted.changes)},
    }


def placebos_json(found: Assessment) -> dict[str, Any]:
    """Each placebo as a fix: exactly no effect, or there would be no verdict. Nothing where it was not checked.

    It was added to the arm with the most fixes on only; what it does alone, removed and shared was not measured.
    """
    untold = dict.fromkeys(("alone", "removed", "share", "seeds_needed"))
    shown = {"effect": 0.0, "ci": [0.0, 0.0], "p": 1.0, "p_adjusted": 1.0, "verdict": "negligible", **untold}
    passed = {check.name for check in found.checks if check.passed}
    names = [name for name in found.plan.placebos if placebo_check(name) in passed]
    return {name: dict(shown) for name in names} if found.verdict.fixes else {}


def summary(checks: Sequence[Check]) -> str:
    """The checks in one line: how many passed, and those that did not by name."""
    parts = [f"{sum(check.passed is True for check in checks)} of {len(checks)} passed"]
    for passed, word in ((False, "failed"), (None, "not tested")):
        names = [check.name for check in checks if check.passed is passed]
        parts += [f"{word}: {', '.join(names)}"] if names else []
    return "; ".join(parts)
