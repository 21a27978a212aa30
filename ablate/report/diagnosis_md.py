"""The root-cause report as GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ablate.report.diagnosis import DiagnosisContent
from ablate.report.symptoms import SymptomRow

Rows = Iterable[Sequence[str]]


def as_markdown(content: DiagnosisContent) -> str:
    """The whole report: what the PDF says, without its figure."""
    part = content.symptoms
    blocks = [
        f"# Root-cause report: {content.title}",
        content.headline,
        " · ".join(f"{what}: {said}" for what, said in content.facts),
        *(f"> **Before you act on this:** {_cell(warning)}" for warning in content.warnings),
        "## Defects found and not found",
        _table(("defect mended by", "verdict", "signs"), _defects(content)),
        part.rule,
        "## Symptoms: observed beside reported",
        part.said,
        _table(("symptom", "reported", "observed here", "chance allows", "agreement"), map(_symptom, part.rows)),
        *_claims(content),
        "## Data quality",
        *_quality(content),
        content.quality_said,
        "## The fixes, and what would test them",
        _table(("fix", "off → on", "its defect"), _fixes(content)),
        content.next_said,
        f"```sh\n{content.command}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _symptom(row: SymptomRow) -> Sequence[str]:
    what = _cell("; ".join(filter(None, (row.what, row.note))))
    aside = ", ".join(filter(None, (row.set, f"p {row.p}" if row.p else "")))
    agreement = f"**{row.agreement}**" + (f" ({aside})" if aside else "")
    return f"**{_cell(row.name)}**<br>{what}", row.reported, row.observed, row.chance, agreement


def _defects(content: DiagnosisContent) -> Rows:
    return [(each.fix, f"**{each.verdict}**", "<br>".join(map(_cell, each.evidence))) for each in content.symptoms.defects]


def _claims(content: DiagnosisContent) -> list[str]:
    if not content.claims:
        return []
    keys = ("name", "arm", "expected", "observed", "verdict", "detail")
    rows = [[_cell(claim[key]) for key in keys] for claim in content.claims]
    return ["## Claims and verification steps", content.claims_said, _table(("claim", *keys[1:]), rows)]


def _quality(content: DiagnosisContent) -> list[str]:
    rows = [(f"`{figure.name}`", _cell(figure.text), figure.value) for figure in content.quality]
    return [_table(("figure", "what it is", "value"), rows)] if rows else []


def _fixes(content: DiagnosisContent) -> Rows:
    for fix in content.fixes:
        params = "<br>".join(f"`{_cell(key)}` {_cell(off)} → {_cell(on)}" for key, off, on in fix.params)
        yield fix.name, params, fix.verdict


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that stays within its cell, on one line."""
    return " ".join(text.split()).replace("|", "\\|")
