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
from ablate.shown import plain

TEMPLATES = Path(__file__).parent


def typeset(content: Mapping[str, Any], ended: float, figures: Path, out: Path, template: str = "template.typ") -> Path:
    """Set a document and move it into place whole.

    The content goes to the template as JSON, so no string of a study is ever read as markup. Only the fonts
    that come with typst are used, and the PDF's date is the end of the last run: the same content gives the
    same bytes.

    Where a study's own words have letters that these fonts lack, the system's fonts are taken too, and what they lack is an
    empty box: such a PDF makes no promise of accessibility (PDF/UA), which forbids the box.

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
        text = json.dumps(_visible(data), ensure_ascii=False, allow_nan=False)
        (root / "content.json").write_text(text, encoding="utf-8")
        for svg in figures.glob("*.svg"):
            shutil.copy(svg, root)
        try:
            pdf = _compiled(root / template, int(ended), accessible=True)
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            pdf = _compiled(root / template, int(ended), accessible=False)
    write_atomic(out, pdf)
    return out


def _compiled(template: Path, timestamp: int, accessible: bool) -> Any:
    """The PDF's bytes: of typst's own fonts and PDF/UA where `accessible`, else of the system's too and no such standard."""
    import typst

    return typst.compile(
        str(template),
        root=str(template.parent),
        ignore_system_fonts=accessible,
        timestamp=timestamp,
        pdf_standards=["ua-1"] if accessible else None,
    )


def _visible(value: Any) -> Any:
    """The same content without control characters, which no font shows."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: _visible(part) for key, part in value.items()}
    return [_visible(part) for part in value] if isinstance(value, list | tuple) else value
