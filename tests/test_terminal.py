"""Terminals whose encoding lacks the signs."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console

from ablate.terminal import ASCII, MARKS, SIGNS, plain


def test_a_stream_without_the_signs_gets_plain_ones_of_the_same_width() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    plain(stream)
    Console(file=stream, width=80).print(*MARKS.values(), *SIGNS.values(), "−0.1 …", "é")
    stream.flush()
    assert raw.getvalue() == b"* o . x ~ ^ v = ? -0.1 ~ ?\n"
    assert all(cell_len(sign) == len(said) == 1 for sign, said in ASCII.items())
    assert len({ASCII[mark] for mark in MARKS.values()}) == len(MARKS)
