"""What all terminal output shares: its consoles, its styles, and plain characters where the encoding has no others."""

from __future__ import annotations

import codecs
import io
import shutil
import sys
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape

from ablate.report.palette import SIGNS

__all__ = ["MARKS", "SIGNS", "STYLES", "escape", "plain", "signed_word", "simple_box", "stderr", "stdout"]

STYLES = {"helps": "bold", "harms": "bold red", "negligible": "dim", "inconclusive": "yellow"}
STYLES |= {"confirmed": "green", "refuted": "red", "untestable": "yellow"}
STYLES |= {"consistent": "green", "differs": "red", "not reported": "dim", "found": "bold red", "not found": "bold green"}
STYLES |= {"unclear": "yellow"}
#: How each state of a run is marked in a grid of runs; told apart without colour.
MARKS = {"done": "●", "training": "◐", "waiting": "·", "failed": "✗", "diverged": "≈"}
#: One character for one, so that columns stay aligned.
ASCII = {"●": "*", "◐": "o", "·": ".", "✗": "x", "≈": "~", "▲": "^", "▼": "v", "−": "-", "–": "-", "…": "~", "×": "x"}
ASCII |= {"━": "-", "╸": "-", "╺": "-", "─": "-", "█": "#", "▏": "|", "÷": "/", "\N{NO-BREAK SPACE}": " "}


def stdout() -> Console:
    """A console on stdout; wide enough for the tables where stdout is no terminal."""
    plain(sys.stdout)
    wide = shutil.get_terminal_size((120, 24)).columns
    return Console(width=wide, highlight=False, soft_wrap=False)


def stderr() -> Console:
    """A console on stderr; it is redrawn only where that is a terminal, whatever FORCE_COLOR says."""
    plain(sys.stderr)
    return Console(stderr=True, highlight=False, force_interactive=None if sys.stderr.isatty() else False)


def plain(stream: TextIO) -> None:
    """Have a stream write a plain character for each that its encoding lacks, where it would raise or write `\\u25cf`."""
    codecs.register_error("ablate.plain", _plainer)
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        stream.reconfigure(errors="ablate.plain")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(ASCII.get(each, "?") for each in error.object[error.start : error.end]), error.end


def signed_word(word: str) -> str:
    """A verdict's word with its sign, as in the PDF: `▲ helps`."""
    return f"{SIGNS[word]} {word}" if word in SIGNS else word


def simple_box() -> Any:
    """The tables' one rule, under the head."""
    return box.SIMPLE_HEAD
