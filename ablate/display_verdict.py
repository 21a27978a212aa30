"""The verdict on a terminal: the PDF's table in as much room as there is, and the provisional one while runs are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ablate.report.rows import Estimate, FixRow, estimate, fix_rows
from ablate.report.text import clipped
from ablate.terminal import STYLES, signed_word, simple_box

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.provisional import Provisional

#: Names are cut before figures are left out, but not below this.
LEAST_NAME = 12
HEAD = ("fix", "effect", "adjusted p", "verdict", "alone", "removed", "Shapley share")
#: What a table does to take less room: intervals beside the estimate, below it, or (of the last three) not at all; and its gap.
LAYOUTS = (
    ("beside", "beside", 3),
    ("beside", "beside", 2),
    ("below", "below", 3),
    ("below", "below", 2),
    ("below", "below", 1),
    ("beside", "none", 2),
    ("below", "none", 2),
    ("below", "none", 1),
)


def fixes_table(found: Assessment, width: int) -> RenderableType:
    """A row a fix: with every interval where `width` columns allow, else with the effect's alone; a list where no table fits."""
    rows = fix_rows(found)
    for effect, others, gap in LAYOUTS:
        cells = [_cells(row, effect, others) for row in rows]
        head = HEAD if others == "beside" else (*HEAD[:2], "adjusted\np", *HEAD[3:6], "Shapley\nshare")
        name = width - 2 - gap * (len(head) - 1) - sum(_widths([head, *cells])[1:])
        longest = max(cell_len(row.name) for row in rows)
        if name >= min(longest, LEAST_NAME):
            return _table(head, [(clipped(row.name, name), *rest) for row, (_, *rest) in zip(rows, cells, strict=True)], gap)
    return Group(*(_listed(row, width) for row in rows))


def _cells(row: FixRow, effect: str, others: str) -> tuple[str, ...]:
    parts = (_estimate(part, others) for part in (row.alone, row.removed, row.share))
    return row.name, _estimate(row.effect, effect), row.p, signed_word(row.word), *parts


def _estimate(part: Estimate, interval: str) -> str:
    if interval == "none" or not part.ci:
        return part.point
    return f"{part.point}{' ' if interval == 'beside' else chr(10)}{part.ci}"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], gap: int) -> Table:
    # The box itself puts one space between columns.
    table = Table(header_style="bold", box=simple_box(), padding=(0, gap - 1, 0, 0), pad_edge=False)
    for name in head:
        table.add_column(name, justify="left" if name in ("fix", "verdict") else "right", no_wrap=True, vertical="top")
    for name, effect, p, word, *others in rows:
        style = STYLES.get(word.rpartition(" ")[2], "")
        table.add_row(Text(name), effect_text(effect), p, Text(word, style=style), *map(Text, others))
    return table


def effect_text(written: str) -> Text:
    """An estimate in bold, its interval plain."""
    point, gap, interval = written.partition("\n" if "\n" in written else " ")
    return Text.assemble((point, "bold"), gap, interval)


def _listed(row: FixRow, width: int) -> Text:
    """A fix as lines of its own."""
    said = Text.assemble((clipped(row.name, width), "bold"), "\n  ", (signed_word(row.word), STYLES[row.word]))
    parts = (("effect", row.effect), ("alone", row.alone), ("removed", row.removed), ("share", row.share))
    for name, part in parts:
        said.append(f"\n  {name:<8}{part.point:>9} {part.ci}".rstrip())
    said.append(f"\n  {'adj. p':<8}{row.p:>9}\n")
    return said


def provisional_lines(found: Provisional, width: int, height: int) -> list[Text]:
    """The verdict of a study that has not ended, marked as such, in at most so many columns and lines."""
    lines = _warned(found, width)
    names = found.verdict.ranking
    shown = names if len(names) <= height - len(lines) else names[: max(1, height - len(lines) - 1)]
    rows = [(name, estimate(found.verdict.fixes[name].effect), found.verdict.fixes[name].word) for name in shown]
    points, intervals = (max(len(text) for text in texts) for texts in zip(*((e.point, e.ci) for _, e, _ in rows), strict=True))
    words = max(len(signed_word(word)) for _, _, word in rows)
    intervals = intervals if width - points - intervals - words - 6 >= LEAST_NAME else 0
    name = min(max(len(name) for name in shown), max(8, width - points - intervals - words - 6))
    for fix, effect, word in rows:
        said = Text(f"{clipped(fix, name):<{name}}  ", no_wrap=True, overflow="crop")
        said.append(f"{effect.point:>{points}}", "bold")
        said.append(f" {effect.ci:>{intervals}}" if intervals else "")
        lines.append(said.append(f"  {signed_word(word)}", STYLES[word]))
    return [*lines, Text(f"… {len(names) - len(shown)} more fixes", "dim")] if len(shown) < len(names) else lines


def _warned(found: Provisional, width: int) -> list[Text]:
    title = Text.assemble(("PROVISIONAL", "bold yellow"), f" {found.place}", no_wrap=True, overflow="ellipsis")
    if title.cell_len + len(found.caution) + 2 <= width:
        return [Text.assemble(title, (f": {found.caution}", "yellow"))]
    return [title, Text(found.caution, "yellow", no_wrap=True, overflow="ellipsis")]
