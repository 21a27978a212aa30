"""A study's folder and stores as another process sees them: what is kept, what is being written, how far the study is.

Nothing of ablate is used: what is checked here is not checked by the code that wrote it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Runs in the study's plan, the one that checks it aside.
PLANNED = 48
#: What a report leaves, in the order in which it is written.
WRITTEN = ("verdict.json", "runs.csv", "figures", "report.pdf", "report.html")
PHASES = ("start-up", "training", "record write", "Optuna write", "MLflow write", "report", "publishing")


@dataclass(frozen=True)
class Folder:
    """Where one study of an episode is.

    Attributes:
        home: the current directory of the study's process, with `mlflow.db` in it.
    """

    home: Path

    @property
    def out(self) -> Path:
        return self.home / "out"

    def recorded(self) -> int:
        """How many runs of the design have a record."""
        return sum(name.endswith(".json") for name in names(self.out / "runs"))

    def records(self) -> dict[str, dict[str, Any]]:
        """The records by run id, those of checks aside, with where each is known; one that can't be read is empty."""
        found: dict[str, dict[str, Any]] = {}
        for name in names(self.out / "runs"):
            if name.endswith(".json"):
                found[name.removesuffix(".json")] = _read(self.out / "runs" / name)
        for told in self._links():
            if found.get(told["run_id"], {}).get("started") == told["started"]:
                found[told["run_id"]] |= told
        return found

    def _links(self) -> Iterator[dict[str, Any]]:
        """The lines of where runs are known; one that was cut off says nothing."""
        path = self.out / "links.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            with suppress(ValueError):
                yield json.loads(line)

    def trained(self) -> dict[str, float]:
        """Run id → when it was trained, of each run that completed."""
        return {run: record["started"] for run, record in self.records().items() if record.get("state") == "completed"}

    def parts(self) -> list[Path]:
        """Files that were not moved to their place yet."""
        return [Path(folder) / name for folder, _, files in os.walk(self.out) for name in files if name.endswith(".ablate-part")]

    def unrecorded(self) -> set[tuple[str, int]]:
        """Curves without a record, each with its time: the run is being written."""
        there = {name.removesuffix(".json") for name in names(self.out / "runs")}
        curves = (name for name in names(self.out / "curves") if name.removesuffix(".parquet") not in there)
        return {(name, time) for name in curves if (time := _time(self.out / "curves" / name))}

    def journals(self, since: int = 0) -> list[str]:
        """The stores that are in the middle of a transaction, by SQLite's journals."""
        stores = {"Optuna": self.out / "optuna.db-journal", "MLflow": self.home / "mlflow.db-journal"}
        return [name for name, path in stores.items() if _time(path) > since]

    def written(self, since: int) -> list[str]:
        """What of the report was written since a time (ns since the epoch)."""
        return [name for name in WRITTEN if _time(self.out / name) > since]

    def phase(self, launched: int, before: Unfinished) -> str:
        """What the study was doing when it was killed, told from what it left behind.

        Args:
            launched: when its process was started, in ns since the epoch.
            before: what was half written already.
        """
        left = self.unfinished()
        if left.parts - before.parts or left.unrecorded - before.unrecorded:
            return "record write"
        if stores := self.journals(launched):
            return f"{stores[0]} write"
        if self.recorded() < PLANNED:
            fresh = any(_time(self.out / "runs" / name) > launched for name in names(self.out / "runs"))
            return "training" if fresh else "start-up"
        written = self.written(launched)
        if WRITTEN[-1] in written:
            return "publishing"
        return "report" if written or _time(self.out / "runs") > launched else "start-up"

    def unfinished(self) -> Unfinished:
        """What is half written now."""
        return Unfinished(frozenset((str(path), _time(path)) for path in self.parts()), frozenset(self.unrecorded()))


@dataclass(frozen=True)
class Unfinished:
    """What a kill left half written, each with its time: parts of files, and curves without a record."""

    parts: frozenset[tuple[str, int]] = frozenset()
    unrecorded: frozenset[tuple[str, int]] = frozenset()


def names(folder: Path) -> list[str]:
    """The names in a folder; none where there is no folder."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _time(path: Path) -> int:
    """When a file was written, in ns since the epoch; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder: its path in it and its contents."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
