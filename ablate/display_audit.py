"""What `audit` shows on a terminal. It prints only to the console it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ablate.terminal import escape, simple_box

if TYPE_CHECKING:
    from ablate.audit import Audit


def audit(console: Console, found: Audit) -> None:
    """What a data set's boxes are like: what is invalid first, what the diagnosis's rule would do last."""
    console.print(f"[bold]{escape(found.data)}[/bold]  {found.form}, {_many(found.files, 'file')}", soft_wrap=True)
    _data(console, found)
    console.print(f"\n{_invalid(found)}")
    for box in found.first:
        place = f"annotation {box.box}" if found.form == "COCO" else f"row {box.row} box {box.box}"
        name = escape(f"{box.file} {place}: {box.bbox}")
        console.print(f"  {name}  {box.reason.replace('_', ' ')}", soft_wrap=True)
    for table in (_reasons(found), _rules(found), _areas(found, min(30, max(4, console.width - 68)))):
        console.print(table)
    quantiles = found.quantiles()
    if quantiles:
        low, middle, high = (_percent(quantiles[share]) for share in (0.05, 0.5, 0.95))
        spread = f"half of the sound boxes are below {middle} of their image; 90 % lie between {low} and {high}"
        console.print(spread, soft_wrap=True)
    console.print(f"\n[bold]{escape(found.headline)}[/bold]", soft_wrap=True)


def _data(console: Console, found: Audit) -> None:
    texts = found.texts
    without = f"; {found.rows_without_boxes} without boxes" if found.rows_without_boxes else ""
    crowd = f", and {found.crowd_boxes} of crowds, not counted" if found.crowd_boxes else ""
    empty = f"; {_many(texts.empty_expressions, 'box', 'boxes')} without" if texts.empty_expressions else ""
    console.print(f"rows      {found.rows}, of {_many(found.images, 'image')}{without}")
    console.print(f"boxes     {found.boxes}{crowd}")
    console.print(f"texts     {_many(texts.distinct_expressions, 'distinct expression')} among {texts.expressions}{empty}")
    for kind, count in found.faults.items():
        console.print(f"[yellow]faults[/yellow]    {_many(count, 'row')}: {kind}")
    for text in found.first_faults:
        console.print(f"          {escape(text)}", soft_wrap=True)
    for note in found.notes:
        console.print(f"note      {escape(note)}", soft_wrap=True)


def _invalid(found: Audit) -> str:
    if not found.invalid:
        return f"[bold green]0 invalid[/bold green] of {_many(found.boxes, 'box', 'boxes')}"
    boxes = f"{_many(found.boxes, 'box', 'boxes')} ({_share(found.invalid, found)})"
    text = f"[bold red]{found.invalid} invalid[/bold red] of {boxes}"
    return text + (f"; the first {len(found.first)}:" if found.invalid > len(found.first) else ":")


def _reasons(found: Audit) -> Table:
    table = _counts("each box once, by the first that applies", "boxes")
    for reason, count in found.reasons.items():
        sound = reason == "below_area"
        name = f"sound, but below {_percent(found.min_area)} of its image" if sound else reason.replace("_", " ")
        style = "dim" if not count else "yellow" if sound else "red"
        table.add_row(name, f"[{style}]{count}[/]", f"[{style}]{_share(count, found)}[/]")
    return table


def _rules(found: Audit) -> Table:
    table = _counts("a rule, by itself", "discards")
    names = {"finite": "finite", "ordered": "x1 < x2 and y1 < y2", "inside": "inside the image", "area": "area ≥ {}"}
    names["diagnosis"] = "the diagnosis's: all these, area ≥ {}"
    for rule in found.rules:
        name = names[rule.rule].format(_percent(rule.min_area or 0))
        style = "bold" if rule.rule == "diagnosis" else "" if rule.discards else "dim"
        table.add_row(name, str(rule.discards), _share(rule.discards, found), style=style)
    return table


def _areas(found: Audit, width: int) -> Table:
    """The histogram of areas as bars of at most `width`; below the least area in yellow."""
    from ablate.audit import EDGES

    counts = found.histogram()
    table = _counts("area of sound boxes", "boxes")
    table.add_column("", no_wrap=True)
    for low, high, count in zip(EDGES, EDGES[1:], counts, strict=False):
        bar = "█" * round(width * count / max(1, *counts)) or ("▏" if count else "")
        name = f"{_percent(low)} to {_percent(high)}"
        table.add_row(name, str(count), _share(count, found), f"[{'yellow' if high <= found.min_area else 'cyan'}]{bar}[/]")
    return table


def _counts(name: str, counted: str) -> Table:
    table = Table(header_style="bold", box=simple_box(), padding=(0, 1))
    table.add_column(name, no_wrap=True, min_width=41)
    table.add_column(counted, justify="right", min_width=8)
    table.add_column("share", justify="right", min_width=7)
    return table


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _share(count: int, found: Audit) -> str:
    return f"{100 * count / found.boxes:.1f} %" if found.boxes else "–"
