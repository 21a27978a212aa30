"""One run that ended, and how its file holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields

from ablate.engines.base import State
from ablate.errors import BadInput

#: Of the file. Raised when a key comes, goes or changes its meaning; 1, which files of that time don't say, had no `files`.
SCHEMA = 2


@dataclass(frozen=True)
class Record:
    """One run that ended. `trial` and `mlflow` are its number in Optuna and its id in MLflow, once it is there.

    `device` is what it was trained on: `cpu`, `cuda: NVIDIA H100`; empty where that was not noted. `source` identifies the
    target's source, `attempts` counts how often the sitting tried. `files` tells what belongs to it: size in bytes and CRC-32
    of its curves (`curves`) and of each of its artifacts (`artifacts/NAME`); nothing in records of before schema 2.
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
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)


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


def as_json(record: Record) -> bytes:
    """A record as its file holds it."""
    return json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1).encode()


def from_json(content: bytes, where: str) -> Record:
    """The record that a file holds.

    Args:
        where: the file, as an error names it.

    Raises:
        ValueError: if it is damaged.
        BadInput: if a newer ablate wrote it.
    """
    held = json.loads(content)
    known = {each.name for each in fields(Record)}
    needed = {each.name for each in fields(Record) if each.default is MISSING and each.default_factory is MISSING}
    if not isinstance(held, dict) or not needed <= set(held):
        raise ValueError("it holds no record")
    schema = held.pop("schema", 1)
    if (isinstance(schema, int) and schema > SCHEMA) or set(held) - known:
        raise BadInput(
            f"{where} was written by a newer ablate (schema {schema}, and this one knows {SCHEMA}); update ablate, "
            "or give another --out"
        )
    held["files"] = {name: tuple(each) for name, each in held.get("files", {}).items()}
    return Record(**held)
