"""A folder that was copied is another one: two of one name would write to one place in MLflow and take away each other's runs."""

from __future__ import annotations

from pathlib import Path

from ablate.records import write_atomic

#: Where a folder notes its own path, and its name (`Records.identity`).
NOTE, NAME = ".home", "id"


def own(out: Path) -> bool:
    """See that a folder has a name of its own: a copy of one that is still there loses the other's, a folder that moved keeps it.

    Returns:
        whether it was a copy.
    """
    name, here = _read(out / NAME), str(out.resolve())
    before = _read(out / NOTE)
    copied = bool(name and before) and not _same(Path(before), out) and _read(Path(before) / NAME) == name
    if copied:
        (out / NAME).unlink()
    if before != here:
        write_atomic(out / NOTE, here.encode())
    return copied


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
