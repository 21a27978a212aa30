"""Writing a report for a test, and reading its PDF back."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ablate.assess import Assessment
from ablate.design import Plan
from ablate.records import Records
from ablate.report import write_report
from tests.report.synthetic import add_results


@dataclass(frozen=True)
class Written:
    """A report that was written, with its text stripped of all white space: lines may break anywhere."""

    found: Assessment
    out: Path
    text: str
    pages: int

    def says(self, wanted: str) -> bool:
        return squeezed(wanted) in self.text


def squeezed(text: str) -> str:
    return "".join(text.replace("\u200b", "").split())


def write(plan: Plan, out: Path, broken: dict[str, str] | None = None, skip: int = 0) -> Written:
    found = add_results(plan, out, broken, skip)
    pdf = write_report(found, Records(out), out)
    raw = subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return Written(found, out, squeezed(raw), raw.count("\f"))


def pdf_text(pdf: Path) -> str:
    ran = subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True, text=True)
    return squeezed(ran.stdout)
