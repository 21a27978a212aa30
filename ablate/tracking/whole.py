"""A new SQLite store is made whole or not at all: MLflow makes it in many steps, and can't go on where these were broken off."""

from __future__ import annotations

import os
from contextlib import suppress
from urllib.parse import urlsplit

from ablate.tracking.address import file_of
from ablate.tracking.store import client


def make(uri: str) -> None:
    """Make the store if there is none, under another name until it can be used; what a process that was killed left of one goes.

    Raises:
        mlflow.exceptions.MlflowException: if it can't be made.
    """
    parts = urlsplit(uri)
    if not parts.scheme.startswith("sqlite") or parts.query or not (path := file_of(uri)).name:
        return
    for left in path.parent.glob(f"{path.name}.*.part*"):
        if not _lives(left.name.removeprefix(f"{path.name}.").partition(".")[0]):
            left.unlink(missing_ok=True)
    if path.exists():
        return
    suffix = f".{os.getpid()}.part"
    part = path.with_name(path.name + suffix)
    try:
        client(uri + suffix).search_experiments(max_results=1)
        with suppress(FileExistsError):  # another process was quicker: its store is as good
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _lives(pid: str) -> bool:
    import psutil

    return not pid.isdecimal() or psutil.pid_exists(int(pid))
