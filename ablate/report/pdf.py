"""Typesetting: content and figures in, a PDF out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablate.report.content import Content

TEMPLATE = Path(__file__).with_name("template.typ")


def typeset(content: Content, figures: Path, out: Path) -> Path:
    """Set the report and move it into place whole.

    The content goes to the template as JSON, so no string of a study is ever read as markup. Only the fonts
    that come with typst are used, and the PDF's date is the end of the last run: the same content gives the
    same bytes.
    """
    import typst

    ended = datetime.fromtimestamp(int(content.ended), UTC)
    data = asdict(content) | {"date": f"{ended.day} {ended:%B %Y}" if content.ended else ""}
    with tempfile.TemporaryDirectory(prefix="ablate-report-") as folder:
        root = Path(folder)
        shutil.copy(TEMPLATE, root / "report.typ")
        (root / "content.json").write_text(json.dumps(data, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        for svg in figures.glob("*.svg"):
            shutil.copy(svg, root)
        pdf = typst.compile(str(root / "report.typ"), root=str(root), ignore_system_fonts=True, timestamp=int(content.ended))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    part.write_bytes(pdf)
    os.replace(part, out)
    return out
