"""The page's typeface, inside the page: figures are laid out for it, and a reader's machine may not have it."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

#: What the report writes besides ASCII and the accented letters of Europe.
SIGNS = "–—−×÷→←↑↓▲▼◆●■✓✗≤≥≈±·…’‘“”•′µσρΔα"
CODES = (*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, SIGNS))
#: CSS weight and style → file of matplotlib's copy of the STIX fonts (SIL Open Font License).
FILES = {("400", "normal"): "STIXGeneral", ("700", "normal"): "STIXGeneralBol", ("400", "italic"): "STIXGeneralItalic"}


def face_rules() -> str:
    """The `@font-face` rules, each with its font as a data URL: about 30 kB a face."""
    return "\n".join(
        f'@font-face {{ font-family: "STIXGeneral"; font-weight: {weight}; font-style: {style}; font-display: block; '
        f'src: url("data:font/woff;base64,{_subset(name)}") format("woff"); }}'
        for (weight, style), name in FILES.items()
    )


def _subset(name: str) -> str:
    """The font with the report's characters alone, as base64."""
    from fontTools import subset
    from matplotlib import get_data_path

    options = subset.Options(flavor="woff", layout_features=["kern"], drop_tables=[*subset.Options().drop_tables, "FFTM"])
    font = subset.load_font(str(Path(get_data_path(), "fonts", "ttf", f"{name}.ttf")), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=CODES)
    cut.subset(font)
    buffer = BytesIO()
    font.flavor = "woff"
    font.save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()
