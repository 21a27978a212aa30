"""The report: a typeset PDF and its figures. What plots and typesets is imported only to write one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.records import Records


def write_report(found: Assessment, records: Records, out: Path) -> Path:
    """Write `report.pdf` and `figures/` (each figure as SVG and PNG) under `out`; returns the PDF's path.

    The same assessment gives the same files, byte for byte: they carry the time of the last run, not of
    the writing.
    """
    from ablate.report.content import gather
    from ablate.report.curves import Curves
    from ablate.report.gallery import draw_all
    from ablate.report.pdf import typeset

    curves = Curves(found.plan, found.records, records)
    figures = draw_all(found, curves, out / "figures")
    return typeset(gather(found, curves, figures), out / "figures", out / "report.pdf")
