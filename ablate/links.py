"""Where runs are known: their numbers in Optuna and ids in MLflow, in one file beside the records that grows by a line each.

A record would have to be brought to disk once more for each of them. Here nothing is: what is lost with the machine, or was half
written, the stores tell again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Lock

from ablate.files import storage_errors, write_atomic
from ablate.record import FITS, Record

FILE = "links.jsonl"
#: What of a record is noted here, and which attempt at the run it is of.
NOTED = ("run_id", "started", "trial", "mlflow")
#: Lines for each run from which on the file is written anew.
SEVERAL = 8


class Links:
    """Of a study's folder: what the records there say of it themselves, a later line replaces.

    Args:
        out: the folder.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / FILE
        self._lock = Lock()  # the driver and its threads note what they know
        self._found: dict[str, tuple[float, int | None, str | None]] = {}
        self._read, self._lines, self._file = 0, 0, -1

    def refresh(self) -> None:
        """Read what has been added."""
        with self._lock:
            try:
                now = os.stat(self._path)
            except OSError:
                self._found, self._read, self._lines, self._file = {}, 0, 0, -1
                return
            if now.st_ino != self._file or now.st_size < self._read:
                self._found, self._read, self._lines, self._file = {}, 0, 0, now.st_ino
            if now.st_size > self._read:
                self._take(now.st_size)

    def _take(self, size: int) -> None:
        with storage_errors(self._path), self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read(size - self._read)
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            self._note(line)

    def _note(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            if all(FITS[name](told[name]) for name in NOTED):
                self._found[told["run_id"]] = told["started"], told["trial"], told["mlflow"]
        except (ValueError, TypeError, KeyError, RecursionError):  # half written
            pass

    def of(self, record: Record) -> Record:
        """A record with where its run is known, as it was noted last."""
        found = self._found.get(record.run_id)
        if found is None or found[0] != record.started or found[1:] == (record.trial, record.mlflow):
            return record
        return replace(record, trial=found[1], mlflow=found[2])

    def add(self, records: Iterable[Record]) -> None:
        """Note where runs are known.

        Raises:
            StorageError: if the folder takes no more.
        """
        lines = "".join(_line(record) for record in records)
        if lines:
            with self._lock, storage_errors(self._path), self._path.open("ab") as file:
                file.write(f"\n{lines}".encode())  # behind what may have been cut off
            self.refresh()

    def tidy(self) -> None:
        """Write the file anew where it has grown long."""
        self.refresh()
        if self._lines > SEVERAL * (len(self._found) + 1):
            lines = [json.dumps(dict(zip(NOTED, (run, *each), strict=True))) for run, each in self._found.items()]
            write_atomic(self._path, "".join(f"{line}\n" for line in lines).encode())
            self.refresh()


def _line(record: Record) -> str:
    return json.dumps({name: getattr(record, name) for name in NOTED}) + "\n"
