"""What the root-cause report of a diagnosis says, as data for its Markdown and its PDF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.analysis.symptoms import SymptomResult
from ablate.diagnose import SEED, Diagnosis
from ablate.report.content import claim_rows
from ablate.report.gallery import Figure
from ablate.report.rows import meaning
from ablate.report.symptoms import SymptomsPart, symptoms_part
from ablate.report.text import duration, number, plural, with_minus

CLAIMS_SAID = (
    "What the report under test expects once its fixes are in, and what it asks to be verified, each in the arm it speaks of, "
    "trained once. One run shows whether a thing happens; whether a fix helps takes the study."
)


@dataclass(frozen=True)
class FixLine:
    """A fix, what off and on set (param, off, on), and whether its defect was found."""

    name: str
    params: tuple[tuple[str, str, str], ...]
    verdict: str


@dataclass(frozen=True)
class FigureLine:
    """A figure of the data."""

    name: str
    text: str
    value: str


@dataclass(frozen=True)
class DiagnosisContent:
    """The whole root-cause report but its looks; `study`, `quick` and the date are for the page's header."""

    study: str
    quick: bool
    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    symptoms: SymptomsPart
    claims: tuple[Mapping[str, str], ...]
    claims_said: str
    quality: tuple[FigureLine, ...]
    quality_said: str
    fixes: tuple[FixLine, ...]
    next_said: str
    command: str
    figure: Figure | None


def diagnosis_content(found: Diagnosis, command: str, figure: Figure | None = None) -> DiagnosisContent:
    """Everything that both documents say.

    Args:
        found: the diagnosis.
        command: what would test the fixes; see `run_command`.
        figure: of the symptoms that have a range, if any has.
    """
    part = symptoms_part(found.symptoms, found.defects, found.label, f"one run, seed {SEED}")
    assert part is not None, "a diagnosis has symptoms"
    verdicts = {defect.fix: defect.verdict for defect in found.defects}
    content = DiagnosisContent(
        study=found.plan.name,
        quick=False,
        title=found.plan.study.name,
        headline=headline(found),
        facts=_facts(found),
        warnings=tuple(f"a training failed: {text}" for text in found.failures),
        symptoms=part,
        claims=claim_rows(found.plan, found.claims),
        claims_said=CLAIMS_SAID,
        quality=tuple(FigureLine(figure.name, figure.text, number(figure.value)) for figure in found.data),
        quality_said=quality_said(found),
        fixes=tuple(FixLine(name, meaning(fix), verdicts[name]) for name, fix in found.plan.study.fixes.items()),
        next_said=_next_said(found),
        command=command,
        figure=figure,
    )
    return with_minus(content)


def headline(found: Diagnosis) -> str:
    """Which defects are there, in one sentence, and how far what was reported agrees with what is seen.

    Figures that the training was set up to show are counted apart: that they agree is no finding.
    """
    where = "the training without fixes" if found.reference else f"arm {found.label}"
    told = [result for result in found.symptoms if result.symptom.reported is not None]
    arranged = [result for result in told if result.symptom.set]
    others = [result for result in told if not result.symptom.set]
    said = f"In {where}, {_defects(found)}."
    if told:
        said += f" Of {plural(len(told), 'reported figure')} {_arranged(arranged, found.reference)}"
        said += (
            "; of the " * bool(arranged and others)
            + _agreement(others, f"{plural(len(others), 'other')} " * bool(arranged))
            + "."
        )
    return said


def _arranged(results: Sequence[SymptomResult], reference: bool) -> str:
    """`6 were set to be as reported`; which failed to be, where no fix is on that would change them. Empty where none was."""
    if not results:
        return ""
    said = f"{len(results)} {'was' if len(results) == 1 else 'were'} set to be as reported"
    wrong = sum(result.agreement == "differs" for result in results)
    if reference:
        return said + (f", though {_verb(wrong, 'differ')}" if wrong else "")
    return f"{said} in the training without fixes"


def _agreement(results: Sequence[SymptomResult], of_them: str) -> str:
    """`11 others 10 agree with what is seen here and 1 differs`; empty where there are none."""
    if not results:
        return ""
    count = Counter(result.agreement for result in results)
    said = f"{of_them}{_verb(count['consistent'], 'agree')} with what is seen here and {_verb(count['differs'], 'differ')}"
    return said + (f"; {count['untestable']} can't be tested" if count["untestable"] else "")


def _verb(count: int, verb: str) -> str:
    return f"{count} {verb}{'s' * (count == 1)}"


def _defects(found: Diagnosis) -> str:
    """`all 3 defects are found`, `none of the 3 defects is found`, or each kind with its names."""
    all_of_them = len(found.defects)
    names = {verdict: [d.fix for d in found.defects if d.verdict == verdict] for verdict in ("found", "not found", "unclear")}
    if len(names["found"]) == all_of_them:
        return (
            f"{'all ' if all_of_them > 1 else 'the '}{plural(all_of_them, 'defect')} {'are' if all_of_them > 1 else 'is'} found"
        )
    if len(names["not found"]) == all_of_them:
        return f"none of the {plural(all_of_them, 'defect')} is found"
    listed = [f"{verdict}: {', '.join(which)}" for verdict, which in names.items() if which]
    return f"{len(names['found'])} of {plural(all_of_them, 'defect')} found ({'; '.join(listed)})"


def _facts(found: Diagnosis) -> tuple[tuple[str, str], ...]:
    spent = sum(record.seconds for record in found.records.values())
    return (
        ("arm looked at", found.label),
        ("seed", str(SEED)),
        ("trainings", f"{sum(r.state == 'completed' for r in found.records.values())} of {len(found.plan.runs)} completed"),
        ("training time", duration(spent)),
    )


def quality_said(found: Diagnosis) -> str:
    """What is known of the data, and what would say more."""
    said = f"As the target reports them of the data that {found.label} was trained on."
    if not found.data:
        said = "The target reports no figure of its data: none of its final metrics has a name that starts with data/."
    if found.audit:
        said += f" python -m ablate audit {found.audit} counts its invalid boxes by reason, and what each filter would discard."
    return said


def _next_said(found: Diagnosis) -> str:
    arms = len(found.plan.arms)
    return (
        f"That a defect is there does not say that mending it helps. The study trains all {arms} combinations of the fixes over "
        f"paired seeds, {found.study_runs} runs in all, and says of each fix whether it helps or harms:"
    )
