"""The command line's one application; its commands register with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Of the fixes proposed for a training, which matter?")


def say(line: str) -> None:
    """A line of progress, on stderr."""
    print(line, file=sys.stderr)


@contextmanager
def unread() -> Iterator[None]:
    """Whoever was to read what is printed within may have gone (`| head`): what comes after it is done all the same."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich makes the one of the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
