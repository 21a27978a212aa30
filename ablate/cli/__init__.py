"""The command line: `python -m ablate COMMAND`. The only package that prints and exits.

Results go to stdout, progress and logs to stderr. Exit codes: 0 done; 2 bad input; 3 ran, but some runs failed, the design is
incomplete, the disk is full or the engine broke; 130 interrupted, with all that finished kept.
"""

from __future__ import annotations

import io
import re
import signal
import sys
import traceback
import warnings
from typing import NoReturn

import typer

from ablate.cli import mirrored, pages, studies, tools
from ablate.cli.app import app
from ablate.errors import AblateError, EngineError, StorageError
from ablate.secrets import without_secrets
from ablate.shown import one_line

__all__ = ["app", "fail", "main", "mirrored", "pages", "studies", "tools"]

INTERRUPTED = 130
#: Words about how a value was read, which say nothing of it.
PYDANTICS = re.compile(r"Value error, |(?<=valid integer), unable to parse string as an integer")


def main() -> NoReturn:
    """Run the command line and exit. What goes wrong on purpose is one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.simplefilter("default", UserWarning)
    warnings.showwarning = _warn
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a closed terminal, unless the user said nohup
        signal.signal(signal.SIGHUP, _terminate)
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        fail(PYDANTICS.sub("", " ".join(error.format_message().split())))
    except (StorageError, EngineError) as error:
        fail(str(error), 3)
    except AblateError as error:
        fail(str(error))
    except Exception:  # a fault of ablate's own or of a library's: its traceback may name what was to be opened
        print(without_secrets(traceback.format_exc()), end="", file=sys.stderr)
        sys.exit(1)
    for number in (signal.SIGTERM, signal.SIGHUP):  # sent again, as some senders do, they find us leaving: the code stays
        signal.signal(number, signal.SIG_IGN)
    if code == INTERRUPTED:  # typer turns KeyboardInterrupt into this code
        print("interrupted; what finished is kept, and the same command goes on from there", file=sys.stderr)
    sys.exit(code or 0)


def fail(message: str, code: int = 2) -> NoReturn:
    """End with one line on stderr."""
    print(f"error: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


def _terminate(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        print(f"warning: {one_line(str(message))}", file=sys.stderr)
