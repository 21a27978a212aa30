"""The page's typeface, inside the page: figures are laid out for it, and a reader's machine may not have it."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

#: What the page's script may write besides the characters of the page.
ALWAYS = "".join(map(chr, range(0x20, 0x7F))) + "−–×●"
#: CSS weight → file of matplotlib's copy of the STIX fonts, which may be embedded (LICENSE_STIX beside them).
FILES = {"400": "STIXGeneral", "700": "STIXGeneralBol"}


def face_rules(text: str) -> str:
    """The `@font-face` rules, each with its font as a data URL of about 20 kB.

    Args:
        text: the page; the fonts hold its characters and no others.
    """
    codes = sorted({ord(char) for char in ALWAYS + text})
    return "\n".join(
        f'@font-face {{ font-family: "STIXGeneral"; font-weight: {weight}; font-display: block; '
        f'src: url("data:font/woff;base64,{_subset(name, codes)}") format("woff"); }}'
        for weight, name in FILES.items()
    )


def _subset(name: str, codes: list[int]) -> str:
    """The font with some characters alone, as base64."""
    from fontTools import subset
    from matplotlib import get_data_path

    # Old tables of an editor, and those of mathematics and small capitals, are no use here.
    dropped = [*subset.Options().drop_tables, "FFTM", "GSUB", "GPOS", "GDEF"]
    options = subset.Options(flavor="woff", layout_features=[], drop_tables=dropped, name_IDs=[1], notdef_outline=True)
    buffer, file = BytesIO(), Path(get_data_path(), "fonts", "ttf", f"{name}.ttf")
    with subset.load_font(str(file), options) as font:
        cut = subset.Subsetter(options)
        cut.populate(unicodes=codes)
        cut.subset(font)
        subset.save_font(font, buffer, options)
    return base64.b64encode(buffer.getvalue()).decode()
