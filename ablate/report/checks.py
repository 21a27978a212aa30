"""What the report says of the study's own checks, and of runs that diverged."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.assess import Assessment
from ablate.report.text import p_value, plural

#: The words of a check: as the table shows them.
WORDS = {True: "✓ passed", False: "✗ failed", None: "not tested"}


@dataclass(frozen=True)
class CheckRow:
    """A check as text."""

    name: str
    compared: str
    word: str
    detail: str


@dataclass(frozen=True)
class DivergedRow:
    """A fix's diverged runs: `3 of 24` off and on, pairs, p adjusted."""

    name: str
    off: str
    on: str
    pairs: str
    p: str


@dataclass(frozen=True)
class ChecksPart:
    """The section.

    Attributes:
        note: when the analysis was fixed.
        rows: the checks.
        diverged: what is said of diverged runs; empty where none did.
        arms: (arm, how many diverged), those in which one did.
        fixes: the fixes' rows; none where no run diverged.
    """

    note: str
    rows: tuple[CheckRow, ...]
    diverged: str
    arms: tuple[tuple[str, str], ...]
    fixes: tuple[DivergedRow, ...]


def checks_part(found: Assessment) -> ChecksPart:
    """The section for an assessment."""
    rows = tuple(CheckRow(check.name, check.compared, WORDS[check.passed], check.detail) for check in found.checks)
    note = f"The analysis was {found.registered.said}."
    counted = found.divergence
    if not counted.runs:
        return ChecksPart(note, rows, "", (), ())
    arms = tuple((arm, f"{counted.arms[arm]} of {found.plan.seeds}") for arm in counted.named)
    fixes = tuple(
        DivergedRow(
            name,
            f"{fix.off} of {fix.off_runs}",
            f"{fix.on} of {fix.on_runs}",
            str(fix.pairs),
            "–" if fix.p_adjusted is None else p_value(fix.p_adjusted),
        )
        for name, fix in counted.fixes.items()
    )
    return ChecksPart(note, rows, _diverged(found), arms, fixes)


def _diverged(found: Assessment) -> str:
    counted, outcome = found.divergence, found.plan.study.outcome
    said = (
        f"{counted.runs} of {plural(counted.ended, 'run')} of the design diverged: they ended without a finite {outcome.metric}."
    )
    if outcome.on_divergence is None:
        return f"{said} The study does not say what such a run is worth (outcome.on_divergence), so there is no verdict."
    return (
        f"{said} By outcome.on_divergence each counts as {outcome.on_divergence:g}. Pairs are runs of one seed that differ "
        "in the fix alone; p is of the exact sign test over seeds, each counted once, adjusted over the fixes."
    )
