"""The page from its templates: every string of a study goes through Jinja's autoescape, and nothing is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ablate.report.content import Content
from ablate.report.first import MARKS
from ablate.report.gallery import Figure
from ablate.report.html.faces import face_rules
from ablate.report.html.lines import Lines
from ablate.report.html.svg import inline_svg
from ablate.report.palette import SIGNS, FixStyle, fix_styles

HERE = Path(__file__).parent
#: Parts of the page, in its order.
PARTS = ("opening", "answer", "evidence", "appendix")
#: What a verdict's word looks like: its class; other words are plain.
TONES = {
    **dict.fromkeys(("helps", "confirmed", "consistent"), "firm"),
    **dict.fromkeys(("harms", "refuted", "differs", "found"), "against"),
    **dict.fromkeys(("negligible", "not found"), "quiet"),
}
#: Signs of further words.
MORE_SIGNS = {"confirmed": "✓", "consistent": "✓", "refuted": "✗", "differs": "✗"}
#: A longer word may break.
LONGEST = 16
#: Titles of the appendix's lists of (key, value); another list gets its field's name as its title.
LISTINGS = {
    "environment": "Where the runs were trained",
    "versions": "Versions when they were trained",
    "params": "Params that every arm shares",
}


def page(content: Content, lines: Lines, figures: Path, fixes: Sequence[str]) -> str:
    """The whole page.

    Args:
        content: what it says.
        lines: the curves that it draws itself.
        figures: the folder of the SVGs that the content names.
        fixes: the fixes in the study's order, which gives each its colour.
    """
    from markupsafe import Markup

    environment = _environment(figures, fix_styles(fixes))
    unused = {group: figure for group, figure in content.figures.items() if group != "profile"}  # which is the appendix's
    said: dict[str, Any] = {
        "data": content,
        "lines": lines,
        "figure": unused.get,
        "take": unused.pop,
        "rest": lambda: tuple(unused.values()),
    }
    body = "\n".join(environment.get_template(f"{name}.html.j2").render(said) for name in PARTS)
    at = datetime.fromtimestamp(int(content.ended), UTC)
    whole: str = environment.get_template("page.html.j2").render(
        data=content,
        date=f"{at.day} {at:%B %Y}" if content.ended else "",
        body=Markup(body),
        contents=[(name, Markup(title)) for name, title in _headings(body)],
        faces=Markup(face_rules(body)),
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        curve_data=Markup(_json(lines.script())),
        scripts=[Markup(source) for source in _scripts(bool(lines.plots))],
    )
    return whole


def _environment(figures: Path, styles: dict[str, FixStyle]) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unparted,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.tests["contains"] = lambda text, part: part in text
    made.filters |= {
        "breaks": breaks,
        "tone": lambda word: TONES.get(word, "open"),
        "sign": lambda word: SIGNS.get(word) or MORE_SIGNS.get(word, ""),
        "heads": lambda names, align: [(name, align) for name in names],
        "listings": _listings,
        "svg": partial(_svg, figures),
        "fix": partial(_marked, styles),
        "mark": partial(_mark, styles),
    }
    return made


def _unparted(value: Any) -> Any:
    """A figure and its percent sign stay on one line."""
    from markupsafe import Markup

    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) and not isinstance(value, Markup) else value


def breaks(text: object) -> Any:
    """A text whose long words may break behind a separator."""
    from markupsafe import Markup

    words = re.split(r"(\s+)", _unparted(str(text)))
    parts = (re.split(r"(?<=[_/+.=:,;-])", word) if len(word) > LONGEST else [word] for word in words)
    return Markup("").join(Markup("<wbr>").join(filter(None, pieces)) for pieces in parts)


def _mark(styles: dict[str, FixStyle], name: str, said: str = "") -> Any:
    """A fix's mark in its colour; `said` is what it stands for where no name stands beside it."""
    from markupsafe import Markup

    style = styles.get(name)
    if style is None:
        return ""
    told = Markup('role="img" aria-label="{}"').format(said) if said else Markup('aria-hidden="true"')
    return Markup('<span class="mark" style="--fix: {}" {}>{}</span>').format(style.colour, told, MARKS[style.mark])


def _marked(styles: dict[str, FixStyle], name: str) -> Any:
    """A fix's name behind its mark."""
    from markupsafe import Markup

    return Markup("{}<span>{}</span>").format(_mark(styles, name), breaks(name))


def _svg(figures: Path, figure: Figure) -> Any:
    from markupsafe import Markup

    return Markup(
        inline_svg((figures / f"{figure.name}.svg").read_text(encoding="utf-8"), figure.name, figure.alt or figure.caption)
    )


def _listings(appendix: Any) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """(title, rows) of each list of (key, value) that the appendix has besides its design."""
    for each in fields(appendix):
        rows = getattr(appendix, each.name)
        if each.name != "design" and isinstance(rows, tuple) and rows and _are_pairs(rows):
            yield LISTINGS.get(each.name, each.name.replace("_", " ").capitalize()), rows


def _are_pairs(rows: tuple[Any, ...]) -> bool:
    return all(isinstance(row, tuple) and len(row) == 2 and all(isinstance(part, str) for part in row) for row in rows)


def _headings(body: str) -> list[tuple[str, str]]:
    """(id, title) of the page's sections."""
    return re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)


def _json(data: Any) -> str:
    """JSON that can stand in a script element, whatever its strings hold."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _scripts(drawn: bool) -> Iterator[str]:
    """The scripts of the page: Bokeh's own only where there is a curve to draw."""
    if drawn:
        from bokeh.resources import Resources

        files = Resources(mode="inline", components=["bokeh", "bokeh-api"], log_level="warn").js_raw
        yield from (re.sub(r"(?m)^//# sourceMappingURL=.*$", "", source).replace("</script", "<\\/script") for source in files)
        yield (HERE / "curves.js").read_text(encoding="utf-8")
    yield (HERE / "page.js").read_text(encoding="utf-8")
