"""Who holds a study's folder: a note beside the lock, for those who find it taken."""

from __future__ import annotations

import errno
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import psutil

from ablate.errors import BadInput
from ablate.files import DISK, write_atomic
from ablate.secrets import without_secrets, word_without_secrets

#: The note, beside the lock.
NOTE = ".holder.json"
#: What a file system says that has no locks.
LOCKLESS = (errno.ENOLCK, errno.ENOTSUP)
#: Seconds by which a process's start may seem to move: clocks are set.
SLACK = 2.0


@dataclass(frozen=True)
class Holder:
    """A process.

    Attributes:
        pid, host: which one, and where.
        born: when it started, seconds since the epoch: a number that was given to another process later is not it.
        command: what it was called with, without passwords.
        since: when it took the folder, seconds since the epoch.
    """

    pid: int
    host: str
    born: float
    command: str = ""
    since: float = 0.0

    @property
    def here(self) -> bool:
        """Whether it is, or was, on this machine."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether it still runs, as far as this machine can tell: it knows nothing of another's."""
        return not self.here or abs(_born(self.pid) - self.born) < SLACK

    @property
    def said(self) -> str:
        """`process 4711 on host (python -m ablate run …, since 21:03)`."""
        day = "%H:%M" if time.time() - self.since < 86_400 else "%d %B %H:%M"
        since = f"since {time.strftime(day, time.localtime(self.since))}"
        return f"process {self.pid} on {self.host} ({', '.join(filter(None, (self.command, since)))})"


def this_process() -> Holder:
    """The one that asks."""
    words = (word_without_secrets(word) for word in sys.argv[1:])
    name = Path(sys.argv[0] or "python")
    command = "python -m ablate" if name.parent.name == "ablate" else name.name
    command = without_secrets(f"{command} {shlex.join(words)}".strip())
    return Holder(os.getpid(), platform.node(), _born(os.getpid()), command, time.time())


@contextmanager
def hold(out: Path) -> Iterator[None]:
    """Be the only one that writes to a folder, which is made where it is missing.

    Raises:
        BadInput: if another process does, or the folder can't be made.
        StorageError: if the disk takes nothing more.
    """
    lock, note = filelock.FileLock(out / ".lock"), out / NOTE
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise _taken(out, noted(note)) from None
    except OSError as error:
        if error.errno in DISK:
            raise
        found = noted(note)
        if error.errno not in LOCKLESS:
            raise BadInput(f"--out: {out} can't be written ({error.strerror}); give a folder that can") from None
        if found and found.alive:  # the note is all there is
            raise _taken(out, found) from None
    try:
        write_atomic(note, json.dumps(asdict(this_process()), indent=1).encode(), durable=False)
        yield
    finally:
        with suppress(OSError):
            note.unlink()
        lock.release()


def _taken(out: Path, found: Holder | None) -> BadInput:
    who = found.said if found and found.alive else "another run"
    return BadInput(f"--out: {out} is being written by {who}; wait for it, or give another folder")


def noted(path: Path) -> Holder | None:
    """Who said so last; None where nobody did, or it can't be read."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _born(pid: int) -> float:
    """When a process started, seconds since the epoch; -inf where there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return float("-inf")
