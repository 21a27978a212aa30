"""Runs on disk: the source of truth. One JSON file and one Parquet of curves a run, each written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.engines.base import Result
from ablate.errors import AblateError, BadInput, StorageError
from ablate.files import delete, one_line, storage_error, storage_errors, withdraw, write_atomic, write_together
from ablate.links import FILE, Links
from ablate.record import Record, as_json, from_json, outcome_of, reason, record_of
from ablate.run import AGAIN, TWIN
from ablate.series import Room, Series, as_parquet

if TYPE_CHECKING:
    import pandas as pd

    from ablate.holder import Holder

#: Where runs go that are being forgotten, and what a record calls its curves.
FORGOTTEN, CURVES = "forgotten", "curves"
#: What a folder's only writer holds.
LOCK = ".lock"
#: Where damaged runs are moved to (`intact`).
DAMAGED = "damaged"

__all__ = ["Record", "Records", "as_json", "outcome_of", "reason", "write_atomic"]


class Records:
    """The runs kept under a study's folder.

    Args:
        out: the folder; `runs/`, `curves/`, `artifacts/` and `checks/` in it are this class's.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._running = out / "running.json"
        #: The values that samplers picked (`search`).
        self.asked = out / "sweeps.json"
        #: Where and when runs were trained (`sittings`).
        self.sittings = out / "sittings.json"
        #: Runs whose files don't belong together (`intact`): they count as missing.
        self.left_out: frozenset[str] = frozenset()
        self._links = Links(out)
        self._locked: _Inode = None
        self._given_up = False
        # What was read stays, as long as its file is the same: one command asks for each record and curve several times.
        self._read_records: dict[str, tuple[_Stamp, Record]] = {}
        self._read_series: dict[str, tuple[_Stamp, Series]] = {}
        self._room = Room()

    def identity(self) -> str:
        """A name of this folder's own, made with it: what stores hold of its runs belongs to it wherever the folder is moved."""
        path = self.out / "id"
        try:
            name = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            name = ""
        if not name:
            name = uuid.uuid4().hex
            write_atomic(path, name.encode())
        return name

    def load(self) -> dict[str, Record]:
        """All records by run id, but for runs that check the study. A file that is damaged counts as missing.

        Raises:
            StorageError: if the folder can't be read.
            BadInput: if a newer ablate wrote one of them.
        """
        try:
            names = sorted(name for name in os.listdir(self.out / "runs") if name.endswith(".json"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise storage_error(error, self.out / "runs") from error
        if (self.out / FORGOTTEN).exists():  # and not wholly yet
            return {}
        self._links.refresh()
        found = (self._load_one(name.removesuffix(".json")) for name in names)
        return {record.run_id: record for record in found if record}

    def load_one(self, run_id: str) -> Record | None:
        """A run's record, or None."""
        self._links.refresh()
        return self._load_one(run_id)

    def _load_one(self, run_id: str) -> Record | None:
        path = self.place("runs", run_id) / f"{run_id}.json"
        stamp = _stamp(path)
        known = self._read_records.get(run_id)
        if stamp is None or run_id in self.left_out:
            return None
        if known and known[0] == stamp:
            return self._links.of(known[1])
        try:
            return self._links.of(self.read(run_id))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def damaged(self) -> set[str]:
        """Runs that were kept once and are none now: damaged ones, left where they are or put aside (`intact`)."""
        if (self.out / FORGOTTEN).exists():
            return set()
        here = {path.stem for path in (self.out / "runs").glob("*.json")}
        aside = {path.name.rpartition(".")[0] for path in (self.out / DAMAGED).glob("*.*")}
        return {run_id for run_id in here | aside if not self.load_one(run_id)}

    def read(self, run_id: str, thoroughly: bool = False) -> Record:
        """A run's record, with a look at what belongs to it.

        Args:
            thoroughly: whether contents are compared with their checksums, and not sizes alone.

        Raises:
            FileNotFoundError: if there is none.
            ValueError, TypeError: if it is damaged, or what belongs to it is missing, cut or another run's.
            StorageError: if it can't be read.
        """
        path = self.place("runs", run_id) / f"{run_id}.json"
        stamp = _stamp(path)
        try:
            record = from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise storage_error(error, path) from error
        if record.run_id != run_id:
            raise ValueError(f"it is the record of {record.run_id}")
        for name, (size, checksum) in record.files.items():
            self._check(self._file(run_id, name), name, size, checksum if thoroughly else None)
        self._read_records[run_id] = stamp, record
        return record

    def _check(self, path: Path, name: str, size: int, checksum: int | None) -> None:
        try:
            found = os.stat(path).st_size
            crc = checksum if checksum is None else zlib.crc32(path.read_bytes())
        except FileNotFoundError:
            raise ValueError(f"{name} missing") from None
        except OSError as error:
            raise storage_error(error, path) from error
        if found != size:
            raise ValueError(f"{name} of {found:,} bytes in place of {size:,}")
        if crc != checksum:
            raise ValueError(f"{name} of other contents")

    @contextmanager
    def lock(self, planned: Collection[str] = ()) -> Iterator[None]:
        """Be the folder's only writer. Where bad input comes to light within, a folder that was made for it goes again.

        Args:
            planned: the runs of the study, by id: what of them is kept is said when the disk is full.

        Raises:
            BadInput: if another process is.
            StorageError: if the disk or the folder takes nothing more.
        """
        from ablate.holder import hold

        missing = [folder for folder in (self.out, *self.out.parents) if not folder.exists()]  # itself first
        with one_line(self.out, lambda: self._kept(planned)), hold(self.out):
            self._locked, self._given_up = _lock_of(self.out), False
            try:
                yield
            except BadInput:
                if missing and not self._used():
                    withdraw(missing)
                raise
            finally:
                self._locked, self._given_up = None, True

    def _used(self) -> bool:
        """Whether there is a record of any kind in the folder, or another study's folder."""
        within = (path for path in self.out.rglob(LOCK) if path.parent != self.out)
        return any(self.out.rglob("runs/*.json")) or any(within)

    def _kept(self, planned: Collection[str]) -> str:
        """`12 of 48 runs are kept`."""
        try:
            kept = {run for run, record in self.load().items() if record.state != "failed"}
        except AblateError:
            return ""
        count = len(kept & set(planned)) if planned else len(kept)
        return f"{count} of {len(planned)} runs are kept" if planned else f"{count} runs are kept"

    def holder(self) -> Holder | None:
        """The process that writes to the folder now, as far as it can be told; None where there is none."""
        from ablate.holder import NOTE, noted

        found = noted(self.out / NOTE)
        return found if found and found.alive else None

    def keep_to(self, contents: Mapping[str, str]) -> None:
        """Note what the cells' params name (`Plan.fingerprints`), so that later runs are trained on the same.

        Raises:
            BadInput: if a cell has runs here that were trained on other contents.
        """
        path = self.out / "contents.json"
        try:
            noted: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = {}
        trained = {run.rpartition("-")[0] for run in self.load()}
        if any(noted.get(cell, held) != held for cell, held in contents.items() if cell in trained):
            raise BadInput(
                f"--out: {self.out} holds runs of a data set or model that has changed since; give --fresh, or another folder"
            )
        if contents:
            write_atomic(path, json.dumps({**noted, **contents}, indent=1).encode())

    def forget(self) -> None:
        """Delete every run (`--fresh`). They are put out of sight first: who is killed meanwhile leaves no mix of old and new.

        Raises:
            StorageError: if they can't be deleted.
        """
        aside = self.out / FORGOTTEN
        with storage_errors(self.out):
            aside.mkdir(exist_ok=True)
            for name in ("runs", "checks", "curves", "artifacts", DAMAGED, self.asked.name, self.sittings.name, FILE):
                if (self.out / name).exists():
                    delete(aside / name)
                    os.replace(self.out / name, aside / name)
            delete(aside)

    def tidy(self) -> None:
        """Put in order what only grows."""
        self._links.tidy()

    def finish_forgetting(self) -> None:
        """Carry a `forget` through that was interrupted."""
        if (self.out / FORGOTTEN).exists():
            self.forget()

    def mark_running(self, run_ids: list[str]) -> None:
        """Note what is being trained now, for `status`.

        Raises:
            StorageError: if it can't be written, or the folder was held and is no more: another may hold it.
        """
        from ablate.holder import this_process

        self._see_to_lock()
        now = this_process()
        noted = {"pid": now.pid, "host": now.host, "born": now.born, "runs": run_ids}
        write_atomic(self._running, json.dumps(noted).encode(), durable=False)

    def running(self) -> set[str]:
        """What is being trained now; nothing where the process that noted it is gone. Of another machine's that isn't known."""
        from ablate.holder import Holder

        try:
            noted = json.loads(self._running.read_text(encoding="utf-8"))
            process = Holder(noted["pid"], noted["host"], noted["born"])
            return set(noted["runs"]) if process.alive else set()
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def add(self, result: Result, trial: int | None = None, source: str = "") -> Record:
        """Keep a result: curves and artifacts first, the record last, so that a record is never without them.

        A machine that goes down within may leave the record alone, as moves to several folders outlive it in any order: it knows
        the sizes and checksums of what belongs to it, so that it counts as missing when it is loaded (`read`, `intact`).

        Args:
            result: of a run that ended.
            trial: its number in Optuna, where it has one already.
            source: what it was trained by (`source`).

        Raises:
            StorageError: if it can't be written. There is no record then, and none of an attempt before; curves or artifacts that
                were moved already may lie there, count for nothing, and go with the next attempt.
        """
        self._see_to_folder()
        run_id = result.run_id
        files = {f"artifacts/{name}": content for name, content in result.artifacts.items()}
        if result.points:
            files = {CURVES: as_parquet(result.points), **files}
        sizes = {name: (len(content), zlib.crc32(content)) for name, content in files.items()}
        record = record_of(result, trial=trial, source=source, files=sizes)
        path = self.place("runs", run_id) / f"{run_id}.json"
        with storage_errors(path):  # of an attempt before: its record first, which would not fit what is written now
            path.unlink(missing_ok=True)
            self._file(run_id, CURVES).unlink(missing_ok=True)
            delete(self.place("artifacts", run_id) / run_id)
        write_together({self._file(run_id, name): content for name, content in files.items()} | {path: as_json(record)})
        if self._links.of(record) != record:  # of an attempt at the same time, by the clock
            self._links.add([record])
        return record

    def save(self, record: Record) -> None:
        """Write a record, in place of the one before.

        The new content is on disk before it takes the old one's place; that it took it may be lost with the machine.
        """
        self._see_to_folder()
        path = self.place("runs", record.run_id) / f"{record.run_id}.json"
        write_together({path: as_json(record)}, folder=False)
        if self.load_one(record.run_id) != record:  # it was noted to be known elsewhere
            self._links.add([record])

    def link(self, records: Sequence[Record]) -> None:
        """Note where runs are known: the `trial` and `mlflow` of their records. They are not written again (`links`).

        Raises:
            StorageError: if it can't be written, or the folder was held and is no more: another may hold it.
        """
        self._see_to_lock()
        self._links.add(records)

    def _see_to_lock(self) -> None:
        """See that nothing is noted late: what a thread has still in hand when the folder was given up."""
        if self._given_up:
            raise StorageError(f"no longer held: {self.out} may be written by another by now", "wait for it")
        self._see_to_folder()

    def _see_to_folder(self) -> None:
        """See that the folder is still the one that was locked: another would be written to by two."""
        if self._locked is not None and _lock_of(self.out) != self._locked:
            raise storage_error(FileNotFoundError(errno.ENOENT, "deleted or moved"), self.out)

    def curves(self, run_id: str) -> pd.DataFrame:
        """A run's logged points: column `step`, and one a metric (NaN where it was not logged). Empty if it logged none."""
        import pandas as pd

        path = self.place("curves", run_id) / f"{run_id}.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame({"step": []})

    def stored(self, run_id: str) -> Path | None:
        """The file of a run's curves, where it logged any."""
        path = self.place("curves", run_id) / f"{run_id}.parquet"
        return path if path.exists() else None

    def read_series(self, run_id: str) -> Series:
        """A run's curves as arrays, without pandas. Empty if the run logged nothing."""
        return Series(self.place("curves", run_id) / f"{run_id}.parquet")

    def series(self, run_id: str) -> Series:
        """The same, read once for all who ask, as long as there is room for it."""
        stamp = _stamp(self.place("curves", run_id) / f"{run_id}.parquet")
        known = self._read_series.get(run_id)
        if known and known[0] == stamp:
            return known[1]
        series = Series(self.place("curves", run_id) / f"{run_id}.parquet", self._room)
        self._read_series[run_id] = stamp, series
        return series

    def artifacts(self, run_id: str) -> list[Path]:
        """The files that a run logged."""
        return sorted((self.place("artifacts", run_id) / run_id).glob("*"))

    def place(self, kind: str, run_id: str) -> Path:
        """Where a run's record, curves or artifacts lie: those of runs that check the study are apart from its own."""
        return self.out / "checks" / kind if run_id.endswith((AGAIN, TWIN)) else self.out / kind

    def _file(self, run_id: str, name: str) -> Path:
        """The file that a record knows under a name."""
        if name == CURVES:
            return self.place("curves", run_id) / f"{run_id}.parquet"
        return self.place("artifacts", run_id) / run_id / name.removeprefix("artifacts/")


def _lock_of(out: Path) -> _Inode:
    """What tells a folder from one that took its place: its lock, as a number is not given again while its file is open."""
    for path in (out / LOCK, out):  # some file systems have no locks
        with suppress(OSError):
            found = os.stat(path)
            return found.st_dev, found.st_ino
    return None


_Inode = tuple[int, int] | None
_Stamp = tuple[int, int, int] | None


def _stamp(path: Path) -> _Stamp:
    """What tells a file from the one that took its place; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
