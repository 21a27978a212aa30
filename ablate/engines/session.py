"""What surrounds a ray of one's own on this machine: its environment, its folder, and whether what it hangs on still answers."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ablate.errors import BadInput, EngineError

#: Read by ray at import: no usage reports, and no wait for GPUs that CPU workers hide from themselves.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
#: Of ray's folder for a session, under which its sockets lie; their paths must stay below a limit of the system's.
PREFIX, LONGEST = "ablate-ray-", 24
#: Seconds: that a folder may lack its lock, between two looks at an address, for an answer. Looks in vain that say it's gone.
FRESH, BETWEEN, ANSWER, VAIN = 5.0, 2.0, 5.0, 3
GONE = "ray has died or can't be reached any more; what finished is kept, and the same command goes on from there"


@cache
def _token() -> str:
    return secrets.token_hex(32)


def environment() -> dict[str, str]:
    """Of a ray that only this process and its own talk to: all of it listens on loopback, and demands this process's token.

    The first is ray's switch for systems whose firewall would ask about each listener. It makes loopback the node's address,
    which ray.init's own argument for it can't be.
    """
    return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for ray's session, which goes away with it; those go as well whose process was killed."""
    import filelock

    base = Path(tempfile.gettempdir())
    base = base if len(str(base)) <= LONGEST else Path("/tmp")
    _clear(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    lock = filelock.FileLock(folder / ".lock")
    lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        _remove(folder)


def _clear(base: Path) -> None:
    """Remove this user's folders whose lock nobody holds. A link is none, wherever it leads."""
    import filelock

    for folder in base.glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or time.time() - found.st_mtime < FRESH:
                continue
            with filelock.FileLock(folder / ".lock", timeout=0):
                pass
        except (OSError, filelock.Timeout):
            continue
        _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(3):  # what is still ending may write one file more
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def check_address(address: str) -> None:
    """See that something answers at a ray cluster's address, which ray itself would try for minutes.

    Raises:
        BadInput: where it is no address, or nothing answers.
    """
    if address in ("auto", "local"):
        return
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise BadInput(f"--ray-address: {address!r} must be HOST:PORT, as `ray start --head` prints it, or auto")
    try:
        _connect((host.strip("[]"), int(port)))
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise BadInput(f"--ray-address: nothing answers at {address!r} ({why}); see that the cluster can be reached") from None


def _connect(address: tuple[str, int]) -> None:
    socket.create_connection(address, timeout=ANSWER).close()


class Lifeline:
    """The addresses without which nothing comes back any more: ray's head and this machine's node.

    ray itself waits for a minute, and then ends the process, whatever it has in hand.
    """

    def __init__(self, addresses: Sequence[tuple[str, int]]) -> None:
        self._addresses = addresses
        self._looked, self._vain = time.monotonic(), 0

    def check(self) -> None:
        """Look, unless that was done a moment ago.

        Raises:
            EngineError: where nothing answers, several times in a row.
        """
        if time.monotonic() - self._looked < BETWEEN:
            return
        self._vain = 0 if self._answers() else self._vain + 1
        self._looked = time.monotonic()
        if self._vain >= VAIN:
            raise EngineError(GONE)

    def hold(self) -> None:
        """Look until it is clear whether something answers.

        Raises:
            EngineError: as `check` does.
        """
        while not self._answers():
            self.check()
            time.sleep(BETWEEN / 4)

    def _answers(self) -> bool:
        try:
            for address in self._addresses:
                _connect(address)
        except OSError:
            return False
        return True
