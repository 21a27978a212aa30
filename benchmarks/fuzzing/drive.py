"""One command on one input, in this process as `python -m ablate` does it or in its own; and what is wrong with its end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ablate.shown import MESSAGE

ROOT = Path(__file__).parents[2]
#: Seconds of the processor that a command may take, as others may have the machine; and seconds by the clock, for what
#: only waits.
LIMIT, WAIT = 1.0, 10.0


class Hanging(BaseException):
    """Raised by the watchdog; no `except Exception` takes it for its own."""


@dataclass(frozen=True)
class Seen:
    """How a command ended: `code` is None where it didn't, or with a traceback; `ms` are the processor's."""

    code: int | None
    out: str
    err: str
    ms: float
    trace: str = ""

    @property
    def wrong(self) -> str:
        """What is wrong with that; empty where nothing is. An error is one line on stderr and nothing on stdout."""
        if self.trace:
            return self.trace.strip().splitlines()[-1]
        if self.code not in (0, 2):
            return f"exit {self.code}"
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        if any(not line.startswith(("error: ", "warning: ")) for line in lines) or len(errors) != (self.code == 2):
            return f"{len(lines)} lines on stderr, {len(errors)} of an error"
        if self.code == 2 and self.out:
            return "bad input, and something on stdout"
        long = max(map(len, lines), default=0)
        if long > MESSAGE + len("warning: "):
            return f"a line of {long} characters"
        return "" if all(line.isprintable() for line in lines) else "a control character in a message"


def here(words: Sequence[str], limit: float = LIMIT) -> Seen:
    """Run a command in this process, under the watchdog."""
    out, err, trace = io.StringIO(), io.StringIO(), ""
    given, noted, start = sys.argv, warnings.showwarning, time.process_time()
    code: int | None = None
    try:
        with warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
            sys.argv = ["ablate", *words]
            code = _watched(limit)
    except BaseException:  # whatever escapes is what is looked for
        trace = traceback.format_exc()
    finally:
        sys.argv, warnings.showwarning = given, noted
    return Seen(code, out.getvalue(), err.getvalue(), 1000 * (time.process_time() - start), trace)


def _watched(limit: float) -> int:
    """The exit code of the command line; Hanging where it takes too long."""
    from ablate.cli import main

    before = {each: signal.signal(each, _alarm) for each in (signal.SIGPROF, signal.SIGALRM)}
    try:
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.setitimer(signal.ITIMER_REAL, WAIT * limit / LIMIT)
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in before.items():
            signal.signal(each, handler)
    raise AssertionError("the command line always exits")


def _alarm(_: int, frame: FrameType | None) -> None:
    raise Hanging("took too long")


def apart(words: Sequence[str]) -> Seen:
    """Run a command in a process of its own; imports included, so without the watchdog."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ablate", *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    trace = done.stderr if "Traceback" in done.stderr or "╭" in done.stderr else ""
    return Seen(done.returncode, done.stdout, done.stderr, 1000 * (time.perf_counter() - start), trace)
