"""Symptoms as the documents show them: what was reported beside what is observed, and the defects that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ablate.analysis.symptoms import DefectResult, SymptomResult
from ablate.report.text import MINUS, p_value
from ablate.statements import Share

#: How a defect is judged from its signs.
RULE = (
    "A sign is a symptom that the study gives a comparison (for example: below 4.6). A defect is found where all of its fix's "
    "signs are present, not found where none is, and unclear in between or where a sign can't be tested. Found says that it is "
    "there, not that mending it helps."
)

#: What the mark beside an agreement means.
SET = "Set: the training was set up to show this figure, so agreement says only that it was set up rightly."


@dataclass(frozen=True)
class SymptomRow:
    """A symptom, all as text; `set` is the mark of a figure that the training was set up to show, or empty."""

    name: str
    what: str
    note: str
    reported: str
    observed: str
    chance: str
    agreement: str
    set: str
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
    mark = "set" if result.symptom.set else ""
    return SymptomRow(result.symptom.name, result.symptom.what, note, reported, observed, chance, result.agreement, mark, p)


def _said(results: Sequence[SymptomResult], arm: str, runs: str) -> str:
    said = f"What the report under test printed, beside the same figure of {arm} here ({runs}), over the same steps."
    if arm != "all off":
        said += f" That report is about the training without fixes; here it is {arm} that is looked at."
    if held := list(_held(results)):
        text = "; ".join(held)
        said += f" {text[0].upper()}{text[1:]}."
    return said + (f" {SET}" if any(result.symptom.set for result in results) else "")


def _held(results: Sequence[SymptomResult]) -> Iterator[str]:
    """What the reported figures are held to, each kind that there is; how little some of it can tell included."""
    compared = [result for result in results if result.observed is not None and result.symptom.reported is not None]
    told = [result.symptom.reported for result in compared]
    if any(isinstance(each, Share | dict) for each in told):
        yield "counts and tables are held to an exact test at 5 %"
    if fewest := min((len(each) for each in told if isinstance(each, list)), default=0):
        yield (
            "typical values to the range in which one more printed value would lie, which "
            f"{'three' if fewest == 3 else fewest} values leave wide, so that it can only tell a training that is far off"
        )
    if any(result.spread and result.interval is not None for result in compared):
        yield "a number whose steps vary, as a loss does, to the range of a single step"
    if any(isinstance(result.observed, tuple) and result.interval is None for result in compared):
        yield "a single number to itself"
