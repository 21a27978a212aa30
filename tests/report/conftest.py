"""One full report that the tests of this folder read, and how they read a PDF."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ablate.assess import Assessment
from ablate.design import Plan
from ablate.records import Records
from ablate.report import write_report


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
    from synthetic import add_results

    found = add_results(plan, out, broken, skip)
    pdf = write_report(found, Records(out), out)
    raw = subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return Written(found, out, squeezed(raw), raw.count("\f"))


def pdf_text(pdf: Path) -> str:
    ran = subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True, text=True)
    return squeezed(ran.stdout)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Three fixes, six seeds, two sweeps, four claims, nothing failed."""
    from synthetic import planned

    return write(planned(), tmp_path_factory.mktemp("full"))
