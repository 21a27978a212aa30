"""A worker's sign of life: a training that logs nothing for too long ends its process, and leaves where it hung in a file.

Python's own `faulthandler` does it, from a thread that needs nothing of the interpreter: it works where the training holds the
interpreter's lock or waits in a library. The driver reads the file once the worker is gone; a crash leaves its trace there, too.
"""

from __future__ import annotations

import faulthandler
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Seconds between two signs that are noted, at most; the time that `faulthandler` can count.
EACH, LONGEST = 1.0, 1e9
#: A frame as `faulthandler` writes it; what lies below a target's own frames.
FRAME = re.compile(r'^  File (".*"), line (\d+) in (.*)$')
BELOW = str(Path(__file__).with_name("base.py"))


class Pulse:
    """While a training runs, in the worker: called, it says that the training goes on.

    Args:
        path: of the file, in a folder of the driver's; on another machine, where that is not, the file is a nameless one.
        deadline: seconds without a call after which the process ends.
    """

    def __init__(self, path: str, deadline: float) -> None:
        self._path, self._each = path, min(EACH, deadline / 10)
        self._deadline = min(deadline, LONGEST) + self._each
        self._next = 0.0

    def __enter__(self) -> Pulse:
        here = os.path.isdir(os.path.dirname(self._path))
        self._file: IO[str] = open(self._path, "w", encoding="utf-8") if here else tempfile.TemporaryFile("w")
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()
        faulthandler.enable(self._file)
        self._arm(time.monotonic())
        return self

    def __exit__(self, *exc: object) -> None:
        faulthandler.cancel_dump_traceback_later()
        faulthandler.enable()
        self._file.close()

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._arm(now)

    def _arm(self, now: float) -> None:
        self._next = now + self._each
        faulthandler.dump_traceback_later(self._deadline, exit=True, file=self._file)
        os.utime(self._file.fileno())


@dataclass(frozen=True)
class Trace:
    """What a worker left.

    Attributes:
        pid: its process.
        fatal: what it crashed of: `Segmentation fault`; empty where it did not crash of itself.
        hung: whether it ended because nothing was logged for too long.
        frames: the target's own when it ended, the innermost last, as a traceback has them.
    """

    pid: int
    fatal: str = ""
    hung: bool = False
    frames: tuple[str, ...] = ()

    @property
    def traceback(self) -> str:
        """The frames as Python prints them; empty where there are none."""
        return "\n".join(("Traceback (most recent call last):", *self.frames)) if self.frames else ""

    @property
    def place(self) -> str:
        """The innermost frame: `train (my_training.py, line 12)`."""
        found = re.match(r'^  File "(.*)", line (\d+), in (.*)$', self.frames[-1]) if self.frames else None
        return f"{found[3]} ({Path(found[1]).name}, line {found[2]})" if found else ""


def read_trace(path: Path) -> Trace | None:
    """What a worker left in its file; None where it never began."""
    try:
        pid, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        number = int(pid)
    except (OSError, ValueError):
        return None
    fatal = re.search(r"^Fatal Python error: (.*)$", rest, re.MULTILINE)
    return Trace(number, fatal[1] if fatal else "", "Timeout (" in rest, _frames(rest))


def _frames(dump: str) -> tuple[str, ...]:
    """The target's frames out of a dump of all threads: those of the thread that executes the task, above the engine's own."""
    threads = [_found(lines) for lines in _threads(dump)]
    ours = next((frames for frames in threads if any(BELOW in frame[0] for frame in frames)), threads[-1] if threads else [])
    depth = next((i for i, frame in enumerate(ours) if BELOW in frame[0]), len(ours))
    return tuple(f"  File {file}, line {line}, in {name}" for file, line, name in reversed(ours[:depth]))


def _threads(dump: str) -> list[list[str]]:
    parts: list[list[str]] = []
    for line in dump.splitlines():
        if line.endswith("(most recent call first):"):
            parts.append([])
        elif parts:
            parts[-1].append(line)
    return parts


def _found(lines: list[str]) -> list[tuple[str, str, str]]:
    return [(found[1], found[2], found[3]) for line in lines if (found := FRAME.match(line))]
