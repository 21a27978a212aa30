"""`report.html`: the report as one file that a browser opens from disk, with curves to point at."""

from __future__ import annotations

from pathlib import Path

from ablate.assess import Assessment
from ablate.records import write_atomic
from ablate.report.content import Content
from ablate.report.curves import Curves
from ablate.report.html.lines import lines
from ablate.report.html.page import page


def write_html(found: Assessment, content: Content, curves: Curves, figures: Path, out: Path) -> Path:
    """Write the page and move it into place whole. The same content gives the same bytes.

    Args:
        found, content, curves: what the report says, and the curves behind it.
        figures: the folder of the SVGs that the content names.
        out: the page.
    """
    write_atomic(out, page(content, lines(found, curves), figures, found.plan.fixes).encode())
    return out
