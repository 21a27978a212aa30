"""Symptoms as the documents show them: what was reported beside what is observed, and the defects that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ablate.analysis.symptoms import DefectResult, SymptomResult
from ablate.report.text import MINUS, p_value

#: How a defect is judged from its signs.
RULE = (
    "A sign is a symptom that the study gives a comparison (for example: below 4.6). A defect is found where all of its fix's "
    "signs are present, not found where none is, and unclear in between or where a sign can't be tested. Found says that it is "
    "there, not that mending it helps."
)


@dataclass(frozen=True)
class SymptomRow:
    """A symptom, all as text."""

    name: str
    what: str
    note: str
    reported: str
    observed: str
    chance: str
    agreement: str
    p: str


@dataclass(frozen=True)
class SymptomsPart:
    """A sentence on what is compared, the comparison, and the defects with their evidence."""

    said: str
    rows: tuple[SymptomRow, ...]
    defects: tuple[DefectResult, ...]
    rule: str


def symptoms_part(results: Sequence[SymptomResult], defects: Sequence[DefectResult], arm: str, runs: str) -> SymptomsPart | None:
    """The part for some results; None where the study names no symptoms.

    Args:
        results, defects: as `analysis` judged them.
        arm: the arm that was looked at, as a person reads it.
        runs: what was looked at of it: `6 seeds`.
    """
    if not results:
        return None
    return SymptomsPart(_said(results, arm, runs), tuple(map(symptom_row, results)), tuple(defects), RULE)


def symptom_row(result: SymptomResult) -> SymptomRow:
    """One symptom as text; why it is untestable, or where its runs part, stands with the note."""
    note = "; ".join(filter(None, (result.symptom.note, result.detail)))
    texts = (result.reported_text, result.observed_text, result.chance_text)
    reported, observed, chance = (text.replace("-", MINUS) for text in texts)
    p = "" if result.p is None else p_value(result.p)
    return SymptomRow(result.symptom.name, result.symptom.what, note, reported, observed, chance, result.agreement, p)


def _said(results: Sequence[SymptomResult], arm: str, runs: str) -> str:
    ranged = sum(result.interval is not None for result in results)
    said = f"What the report under test printed, beside the same figure of {arm} here ({runs}), over the same steps."
    if arm != "all off":
        said += f" That report is about the training without fixes; here it is {arm} that is looked at."
    said += (
        " Counts are held to Fisher's exact test, typical values to the range for one more of them, a single number to itself."
    )
    if ranged:
        said += (
            " Chance allows what 95 of 100 such observations would show if this training were the reported one: of the "
            f"{ranged} symptoms that have a range, about one in twenty would lie outside it by chance alone."
        )
    return said
