"""Runs on disk: the source of truth. One JSON file and one Parquet of curves a run, each written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.engines.base import Result, State
from ablate.errors import BadInput
from ablate.run import AGAIN, TWIN, Point
from ablate.series import Series

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Record:
    """One run that ended. `trial` and `mlflow` are its number in Optuna and its id in MLflow, once it is there.

    `device` is what it was trained on: `cpu`, `cuda: NVIDIA H100`; empty where that was not noted. `source` identifies the
    target's source, `attempts` counts how often the sitting tried.
    """

    run_id: str
    state: State
    started: float
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    trial: int | None = None
    mlflow: str | None = None
    device: str = ""
    source: str = ""
    attempts: int = 1


def outcome_of(record: Record | None, metric: str) -> float:
    """A record's final metric, NaN where the run did not complete or lacks it. `seconds` is the run's wall time."""
    if record is None or record.state != "completed":
        return math.nan
    return record.seconds if metric == "seconds" else record.metrics.get(metric, math.nan)


def reason(error: str) -> str:
    """What a traceback ends in, on one line: `RuntimeError: out of memory`, all lines of its message included."""
    lines = error.splitlines()
    deepest = max((i for i, line in enumerate(lines) if line.startswith("  ")), default=-1)
    return " ".join(lines[deepest + 1 :] or lines[-1:]).strip()


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
        # What was read stays, as long as its file is the same: one command asks for each record and curve several times.
        self._read_records: dict[str, tuple[_Stamp, Record]] = {}
        self._read_series: dict[str, tuple[_Stamp, Series]] = {}

    def identity(self) -> str:
        """A name of this folder's own, made with it: MLflow's runs belong to it wherever the folder is moved."""
        path = self.out / "id"
        if not path.exists():
            write_atomic(path, uuid.uuid4().hex.encode())
        return path.read_text(encoding="utf-8")

    def load(self) -> dict[str, Record]:
        """All records by run id, but for runs that check the study. A file that can't be read counts as missing."""
        try:
            names = sorted(name for name in os.listdir(self.out / "runs") if name.endswith(".json"))
        except OSError:
            return {}
        found = (self.load_one(name.removesuffix(".json")) for name in names)
        return {record.run_id: record for record in found if record}

    def load_one(self, run_id: str) -> Record | None:
        """A run's record, or None."""
        path = self._place("runs", run_id) / f"{run_id}.json"
        stamp = _stamp(path)
        known = self._read_records.get(run_id)
        if known and known[0] == stamp:
            return known[1]
        try:
            record = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        self._read_records[run_id] = stamp, record
        return record

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the folder's only writer. Where bad input comes to light within, a folder that was made for it goes again.

        Raises:
            BadInput: if another process is.
        """
        import filelock

        missing = [folder for folder in (self.out, *self.out.parents) if not folder.exists()]
        lock = filelock.FileLock(self.out / ".lock")
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise BadInput(f"--out: {self.out} is being written by another run; wait, or give another folder") from None
        except OSError as error:
            raise BadInput(f"--out: {self.out} can't be written ({error.strerror}); give a folder that can") from None
        try:
            yield
        except BadInput:
            if missing and not self.load():
                shutil.rmtree(missing[-1])
            raise
        finally:
            lock.release()

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
        """Delete every run (`--fresh`)."""
        for name in ("runs", "curves", "artifacts", "checks"):
            shutil.rmtree(self.out / name, ignore_errors=True)
        self.asked.unlink(missing_ok=True)
        self.sittings.unlink(missing_ok=True)

    def mark_running(self, run_ids: list[str]) -> None:
        """Note what is being trained now, for `status`."""
        write_atomic(self._running, json.dumps({"pid": os.getpid(), "runs": run_ids}).encode())

    def running(self) -> set[str]:
        """What is being trained now; nothing where the process that noted it is gone."""
        try:
            noted = json.loads(self._running.read_text(encoding="utf-8"))
            os.kill(noted["pid"], 0)
        except (OSError, ValueError, KeyError):
            return set()
        return set(noted["runs"])

    def add(self, result: Result) -> Record:
        """Keep a result: curves and artifacts first, the record last, so that a record is never without them."""
        (self._place("curves", result.run_id) / f"{result.run_id}.parquet").unlink(missing_ok=True)
        shutil.rmtree(self._place("artifacts", result.run_id) / result.run_id, ignore_errors=True)
        if result.points:
            self._write_curves(result.run_id, result.points)
        for name, content in result.artifacts.items():
            write_atomic(self._place("artifacts", result.run_id) / result.run_id / name, content)
        record = Record(
            result.run_id,
            result.state,
            result.started,
            result.seconds,
            dict(result.metrics),
            result.error,
            device=result.device,
            attempts=result.attempts,
        )
        self.save(record)
        return record

    def save(self, record: Record) -> None:
        """Write a record, in place of the one before."""
        write_atomic(self._place("runs", record.run_id) / f"{record.run_id}.json", as_json(record))

    def link(self, record: Record, **ids: Any) -> Record:
        """Note where the run is known (`trial=`, `mlflow=`)."""
        linked = replace(record, **ids)
        self.save(linked)
        return linked

    def curves(self, run_id: str) -> pd.DataFrame:
        """A run's logged points: column `step`, and one a metric (NaN where it was not logged). Empty if it logged none."""
        import pandas as pd

        path = self._place("curves", run_id) / f"{run_id}.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame({"step": []})

    def stored(self, run_id: str) -> Path | None:
        """The file of a run's curves, where it logged any."""
        path = self._place("curves", run_id) / f"{run_id}.parquet"
        return path if path.exists() else None

    def series(self, run_id: str) -> Series:
        """The same as arrays, without pandas; read once for all who ask. Empty if the run logged nothing."""
        path = self._place("curves", run_id) / f"{run_id}.parquet"
        stamp = _stamp(path)
        known = self._read_series.get(run_id)
        if known and known[0] == stamp:
            return known[1]
        series = Series(path)
        self._read_series[run_id] = stamp, series
        return series

    def artifacts(self, run_id: str) -> list[Path]:
        """The files that a run logged."""
        return sorted((self._place("artifacts", run_id) / run_id).glob("*"))

    def _place(self, kind: str, run_id: str) -> Path:
        """Where a run's record, curves or artifacts lie: those of runs that check the study are apart from its own."""
        return self.out / "checks" / kind if run_id.endswith((AGAIN, TWIN)) else self.out / kind

    def _write_curves(self, run_id: str, points: Iterable[Point]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows: dict[int, dict[str, float]] = {}
        for name, step, value in points:
            rows.setdefault(step, {})[name] = value
        steps = sorted(rows)
        names = sorted({name for row in rows.values() for name in row} - {"step"})
        columns = {"step": pa.array(steps, pa.int64())}
        columns |= {name: pa.array([rows[step].get(name) for step in steps], pa.float64()) for name in names}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink)
        write_atomic(self._place("curves", run_id) / f"{run_id}.parquet", sink.getvalue().to_pybytes())


def as_json(record: Record) -> bytes:
    """A record as its file holds it."""
    return json.dumps(asdict(record), indent=1).encode()


_Stamp = tuple[int, int, int] | None


def _stamp(path: Path) -> _Stamp:
    """What tells a file from the one that took its place; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def write_atomic(path: Path, content: bytes) -> None:
    """Write to a temporary file beside the path, then move it there: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
