"""The reports: typeset PDFs and their figures. What plots and typesets is imported only to write one."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.diagnose import Diagnosis
    from ablate.records import Records


#: What a report is made with: modules of its own, and what they import only as they draw and typeset.
PARTS = ("ablate.report.gallery", "ablate.report.content", "ablate.report.html", "ablate.report.pdf", "ablate.report.png")
TOOLS = (
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "fontTools.subset",
    "typst",
    "jinja2",
    "bokeh.resources",
)


def import_ahead() -> None:
    """Import all that a report needs, which takes a while: there is time for it while trainings run elsewhere."""
    with suppress(ImportError):  # it is said where it is needed
        for name in (*PARTS, *TOOLS):
            import_module(name)


def write_report(found: Assessment, records: Records, out: Path, paper: str = "a4") -> Path:
    """Write `report.pdf`, `report.html` and `figures/` (each figure as SVG and PNG) under `out`; returns the PDF's path.

    The same assessment gives the same files, byte for byte: they carry the time of the last run, not of
    the writing.

    Args:
        paper: of the PDF, `a4` or `letter`.
    """
    from concurrent.futures import ThreadPoolExecutor
    from dataclasses import asdict

    from ablate.report.content import gather
    from ablate.report.curves import Curves
    from ablate.report.gallery import draw_all
    from ablate.report.html import write_html
    from ablate.report.pdf import typeset
    from ablate.report.png import write_pngs

    curves = Curves(found.plan, found.records, records)
    figures = draw_all(found, curves, out / "figures")
    content = gather(found, curves, figures)
    with ThreadPoolExecutor(2) as beside:  # typst leaves the interpreter free while it works
        said = {**asdict(content), "paper": paper}
        pdf = beside.submit(typeset, said, content.ended, out / "figures", out / "report.pdf")
        pngs = beside.submit(write_pngs, out / "figures", [figure.name for figure in figures])
        write_html(found, content, curves, out / "figures", out / "report.html")
        pngs.result()
        return pdf.result()


def write_diagnosis(found: Diagnosis, command: str, out: Path) -> tuple[Path, Path]:
    """Write `diagnosis.md` and `diagnosis.pdf` under `out`, and the figure under `diagnosis/figures/`; returns both paths.

    Args:
        found: the diagnosis.
        command: what would test the fixes.
        out: the study's folder.
    """
    from dataclasses import asdict

    from ablate.records import write_atomic
    from ablate.report.diagnosis import diagnosis_content
    from ablate.report.diagnosis_md import as_markdown
    from ablate.report.gallery import draw_symptoms
    from ablate.report.pdf import typeset
    from ablate.report.png import write_pngs

    figures, markdown = out / "diagnosis" / "figures", out / "diagnosis.md"
    drawn = draw_symptoms(found.symptoms, figures)
    write_pngs(figures, [drawn.name] if drawn else [])
    content = diagnosis_content(found, command, drawn)
    write_atomic(markdown, as_markdown(content).encode())
    ended = max((record.ended for record in found.records.values()), default=0.0)
    return markdown, typeset(asdict(content), ended, figures, out / "diagnosis.pdf", "diagnosis.typ")
