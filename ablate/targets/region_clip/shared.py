"""Arrays that every worker needs and one makes: kept in the cache folder, and mapped from there rather than copied."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs
from numpy.typing import NDArray

#: How many sets of arrays are kept: those used last.
MOST = 24
#: The file that names a set's arrays, with the size of each one's file, bytes.
NAMES = "sizes.json"

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """Where what was made is kept: $ABLATE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("ABLATE_CACHE") or platformdirs.user_cache_dir("ablate"))


def shared(kind: str, made_of: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Arrays by name, read-only and mapped from their files; of several processes that ask one makes them.

    Args:
        kind: what they are.
        made_of: all that they follow from.
        make: makes them.
    """
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{kind}-{digest}"
    found = _read(folder)
    if found is not None:
        return found
    made: Arrays | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            found = _read(folder)
            if found is not None:
                return found
            made = make()
            return _write(folder, made)
    except OSError:  # read-only, full: what can't be kept is used as it is
        return make() if made is None else made


def _read(folder: Path) -> Arrays | None:
    """What is kept there; None where there is nothing, or what there is was cut."""
    try:
        sizes: dict[str, int] = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        if any((folder / f"{name}.npy").stat().st_size != size for name, size in sizes.items()):
            return None
        found = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sizes}
    except (OSError, ValueError, EOFError):
        return None
    with suppress(OSError):
        os.utime(folder)
    return found


def _write(folder: Path, made: Arrays) -> Arrays:
    """Keep arrays, in place of those that were used longest ago; their sizes come last.

    Raises:
        OSError: if the disk takes them no more; nothing of them is left then.
    """
    part = folder.with_suffix(".part")
    for old in (part, folder):
        shutil.rmtree(old, ignore_errors=True)
    try:
        part.mkdir()
        for name, array in made.items():
            np.save(part / f"{name}.npy", array)
        sizes = {name: (part / f"{name}.npy").stat().st_size for name in made}
        (part / NAMES).write_text(json.dumps(sizes), encoding="utf-8")
        part.rename(folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _forget(folder.parent, folder.name.partition("-")[0])
    return _read(folder) or made


def _forget(parent: Path, kind: str) -> None:
    """Delete those used longest ago. Who has them mapped keeps them."""
    kept = sorted((path for path in parent.glob(f"{kind}-*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in kept[:-MOST]:
        shutil.rmtree(path, ignore_errors=True)
        Path(f"{path}.lock").unlink(missing_ok=True)
