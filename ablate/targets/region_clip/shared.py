"""Arrays that every worker needs and one makes: kept in the cache folder, and mapped from there rather than copied."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs
from numpy.typing import NDArray

#: How many sets of arrays are kept: those used last.
MOST = 24

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
    try:
        return _read(folder)
    except (OSError, ValueError):
        pass
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        try:
            return _read(folder)
        except (OSError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        return _write(folder, make())


def _read(folder: Path) -> Arrays:
    """
    Raises:
        OSError, ValueError: if they aren't there, or not whole.
    """
    names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    found = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    os.utime(folder)
    return found


def _write(folder: Path, made: Arrays) -> Arrays:
    """Keep arrays, in place of those that were used longest ago. Where the disk takes them no more, they are used as they are."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        for name, array in made.items():
            np.save(part / f"{name}.npy", array)
        (part / "names.json").write_text(json.dumps(list(made)), encoding="utf-8")
        part.rename(folder)
        _forget(folder.parent, folder.name.partition("-")[0])
        return _read(folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        return made


def _forget(parent: Path, kind: str) -> None:
    """Delete those used longest ago. Who has them mapped keeps them."""
    kept = sorted((path for path in parent.glob(f"{kind}-*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in kept[:-MOST]:
        shutil.rmtree(path, ignore_errors=True)
        Path(f"{path}.lock").unlink(missing_ok=True)
