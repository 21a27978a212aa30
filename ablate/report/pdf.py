"""Typesetting: content and figures in, a PDF out."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablate.files import write_atomic

TEMPLATES = Path(__file__).parent


def typeset(content: Mapping[str, Any], ended: float, figures: Path, out: Path, template: str = "template.typ") -> Path:
    """Set a document and move it into place whole.

    The content goes to the template as JSON, so no string of a study is ever read as markup. Only the fonts
    that come with typst are used, and the PDF's date is the end of the last run: the same content gives the
    same bytes.

    Args:
        content: what the template reads.
        ended: when the last run ended, seconds since the epoch; 0 where there is none.
        figures: the folder of SVGs that the content names.
        out: the PDF.
        template: one of this folder's.
    """
    import typst

    at = datetime.fromtimestamp(int(ended), UTC)
    data = {**content, "date": f"{at.day} {at:%B %Y}" if ended else ""}
    with tempfile.TemporaryDirectory(prefix="ablate-report-") as folder:
        root = Path(folder)
        for source in TEMPLATES.glob("*.typ"):
            shutil.copy(source, root)
        (root / "content.json").write_text(json.dumps(data, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        for svg in figures.glob("*.svg"):
            shutil.copy(svg, root)
        pdf = typst.compile(
            str(root / template), root=str(root), ignore_system_fonts=True, timestamp=int(ended), pdf_standards=["ua-1"]
        )
    write_atomic(out, pdf)
    return out
