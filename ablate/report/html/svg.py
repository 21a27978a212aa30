"""A figure's SVG as part of a page: without what belongs to a file of its own, and with ids that no other figure has."""

from __future__ import annotations

import re
from html import escape

_HEAD = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_META = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
# matplotlib styles `*`, which in a page would be every element of it; the page's own sheet says the same of figures.
_STYLE = re.compile(r"<style\b[^>]*>[^<]*</style>")
_IDS = re.compile(r'(\bid="|"#|url\(#)')
_SIZE = re.compile(r'<svg\b[^>]*?\bviewBox="([^"]+)"[^>]*>', re.DOTALL)


def inline_svg(svg: str, name: str, alt: str) -> str:
    """The `<svg>` element of a figure.

    Args:
        svg: a file that matplotlib wrote, its text as text.
        name: of the figure; every id is prefixed with it, so that clip paths of two figures never clash.
        alt: what it shows, for those who can't see it.
    """
    body = _STYLE.sub("", _META.sub("", _HEAD.sub("", svg, count=1)))
    box = _SIZE.match(body)
    if box is None:
        raise AssertionError(f"figure {name} has no viewBox")
    opening = f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(alt)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    inner = _IDS.sub(lambda found: f"{found[1]}{name}-", body[box.end() :])
    return opening + re.sub(r"\n\s*", "\n", inner).replace("<defs>\n</defs>", "").strip()
