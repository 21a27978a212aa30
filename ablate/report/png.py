"""PNGs of figures, from their SVGs: in the same type face as in the PDF, and in a fraction of the time of drawing again."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ablate.files import write_atomic

#: Pixels an inch.
PPI = 130
_PAGES = """\
#set page(width: auto, height: auto, margin: 0pt, fill: white)
#for name in json("names.json") { page(image(name + ".svg")) }
"""


def write_pngs(folder: Path, names: Sequence[str]) -> None:
    """Write `NAME.png` beside each `NAME.svg` of a folder, on white."""
    import typst

    if not names:
        return
    with tempfile.TemporaryDirectory(prefix="ablate-figures-") as scratch:
        root = Path(scratch)
        for name in names:
            shutil.copy(folder / f"{name}.svg", root)
        (root / "names.json").write_text(json.dumps(list(names)), encoding="utf-8")
        (root / "pages.typ").write_text(_PAGES, encoding="utf-8")
        pages = typst.compile(str(root / "pages.typ"), root=str(root), ignore_system_fonts=True, format="png", ppi=PPI)
    for name, page in zip(names, pages if isinstance(pages, list) else [pages], strict=True):
        write_atomic(folder / f"{name}.png", page, durable=False)
