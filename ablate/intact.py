"""Whether what is kept of each run is whole and its own, and what becomes of what isn't."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ablate.artifacts import PART
from ablate.files import storage_errors
from ablate.records import DAMAGED, Records

#: Folders in which writing may have been cut off.
WRITTEN = ("", "runs", "curves", "artifacts/*", "checks/runs", "checks/curves", "checks/artifacts/*", "figures")


def damages(records: Records) -> dict[str, str]:
    """Runs whose record can't be read, or whose curves or artifacts are missing, cut or another's: run id → what is wrong.

    Every byte is read and compared with the checksums; records of before these were kept can be told by their own file alone.

    Raises:
        BadInput: if a newer ablate wrote one of them.
    """
    found = {}
    for run_id in _recorded(records):
        try:
            records.read(run_id, thoroughly=True)
        except (ValueError, TypeError) as error:
            found[run_id] = str(error) if type(error) is ValueError else "its record can't be read"
    return found


def mend(records: Records) -> None:
    """Put a folder in order that nobody else writes to, before anything is trained.

    What was to be forgotten is; what was half written goes; damaged runs are put aside, and a warning says so: they are missing.

    Raises:
        BadInput: if a newer ablate wrote one of the records. Nothing is changed then.
        StorageError: if the folder can't be written.
    """
    found = damages(records)
    records.finish_forgetting()
    records.tidy()
    with storage_errors(records.out):
        for part in _parts(records):
            part.unlink()
        for run_id in found:
            _put_aside(records, run_id)
    if found:
        at = records.out / DAMAGED
        warnings.warn(f"{_said(found)}; trained again, and what is left is in {at}", stacklevel=2)


def leave_out(records: Records) -> None:
    """The same for who only reads: damaged runs count as missing, and a warning says so."""
    if found := damages(records):
        records.left_out = frozenset(found)
        warnings.warn(f"{_said(found)}; left out, and `run` trains again", stacklevel=2)


def _said(found: dict[str, str]) -> str:
    first, why = next(iter(found.items()))
    return f"1 run damaged ({first}: {why})" if len(found) == 1 else f"{len(found)} runs damaged (the first, {first}: {why})"


def _recorded(records: Records) -> Iterator[str]:
    for folder in (records.out / "runs", records.out / "checks" / "runs"):
        yield from sorted(path.stem for path in folder.glob("*.json"))


def _parts(records: Records) -> Iterator[Path]:
    """What was begun and never moved to its place: only what `files` names so, as the folder may be one of the user's."""
    for folder in WRITTEN:
        yield from (path for path in records.out.glob(f"{folder}/*{PART}".lstrip("/")) if path.is_file())


def _put_aside(records: Records, run_id: str) -> None:
    base = records.out / DAMAGED
    aside = next(path for number in count(1) if not (path := base / f"{run_id}.{number}").exists())
    aside.mkdir(parents=True)
    os.replace(records.place("runs", run_id) / f"{run_id}.json", aside / "record.json")
    for left, name in (
        (records.place("curves", run_id) / f"{run_id}.parquet", "curves.parquet"),
        (records.place("artifacts", run_id) / run_id, "artifacts"),
    ):
        if left.exists():
            shutil.move(left, aside / name)
