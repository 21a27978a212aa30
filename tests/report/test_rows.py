"""The terminal's verdict table says what the PDF's does."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from ablate import display
from ablate.report.rows import FixRow, fix_rows
from tests.report.reading import Written


def shown(full: Written, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    display.verdict(console, full.found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def parts(row: FixRow) -> list[str]:
    estimates = (row.effect, row.alone, row.removed, row.share)
    return [row.p, row.word, *(part.point for part in estimates), *(part.ci for part in estimates)]


@pytest.mark.parametrize(("width", "intervals"), [(200, 4), (120, 4), (80, 1), (50, 4)])
def test_the_terminal_and_the_pdf_show_the_same_figures(full: Written, width: int, intervals: int) -> None:
    said = shown(full, width)
    rows = fix_rows(full.found)
    for row in rows:
        assert all(full.says(part) for part in parts(row))
        assert all(part in said for part in (row.name, *parts(row)[: 6 + intervals]))
    table = said[said.index(rows[0].name, said.index("\n", said.index(full.found.verdict.headline[:20]))) :]
    below = [finding.text[:20] for finding in full.found.verdict.findings] + ["warning ", "sweep "]
    figures = set(re.findall(r"[+−]\d[\d.]*", re.split("|".join(f"\n{re.escape(text)}" for text in below), table)[0]))
    assert figures and all(full.says(figure) for figure in figures)
    assert max(map(len, said.split("\nsweep")[0].splitlines())) <= width


def test_words_have_the_signs_of_the_pdf(full: Written) -> None:
    assert "▲ helps" in shown(full, 120)
