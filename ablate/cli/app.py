"""The command line's one application; its commands register with it."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Of the fixes proposed for a training, which matter?")


def say(line: str) -> None:
    """A line of progress, on stderr."""
    print(line, file=sys.stderr)
