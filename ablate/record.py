"""One run that ended, and how its file holds it."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, get_args

from ablate.engines.base import Result, State
from ablate.errors import BadInput

#: Of the file. Raised when a key comes, goes or changes its meaning; 1, which files of that time don't say, had no `files`, and
#: 2 no `crc`; 3 did not tell `worker`, `cpu`, `phases`, `steps`, `shared` and `shared_seconds`.
SCHEMA = 4
#: From which on a record has a checksum.
CHECKED = 3


@dataclass(frozen=True)
class Record:
    """One run that ended. `trial` and `mlflow` are its number in Optuna and its id in MLflow, once it is there.

    `device` is what it was trained on: `cpu`, `cuda: NVIDIA H100`; empty where that was not noted. `source` identifies the
    target's source, `attempts` counts how often the sitting tried. `files` tells what belongs to it: size in bytes and CRC-32
    of its curves (`curves`) and of each of its artifacts (`artifacts/NAME`); nothing in records of before schema 2.
    `worker`, `cpu` and `phases` are as in `Result`: nothing in records of before schema 4, nor of a worker that died.

    Of `steps` done (0: the target doesn't say, or it was not noted) `shared` were taken over from another run, which had taken
    `shared_seconds` for them; these are part of `seconds`.
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
    worker: str = ""
    cpu: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    shared: int = 0
    shared_seconds: float = 0.0

    @property
    def spent(self) -> float:
        """Seconds that were spent on this run itself."""
        return self.seconds - self.shared_seconds

    @property
    def ended(self) -> float:
        """When it ended, seconds since the epoch."""
        return self.started + self.spent


def record_of(result: Result, **more: Any) -> Record:
    """A result as it is kept: what both have by the same name, and `more`."""
    both = {each.name for each in fields(Record)} & {each.name for each in fields(Result)}
    return Record(**{name: getattr(result, name) for name in both}, **more)


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
    """A record as its file holds it, with a checksum."""
    body = {"schema": SCHEMA, **asdict(record)}
    return json.dumps({**body, "crc": _crc(body)}, indent=1).encode()


def from_json(content: bytes, where: str) -> Record:
    """The record that a file holds.

    Args:
        where: the file, as an error names it.

    Raises:
        ValueError: if it is damaged.
        BadInput: if a newer ablate wrote it.
    """
    try:
        held = json.loads(content)
    except RecursionError:
        raise ValueError("it holds no record") from None
    known = {each.name for each in fields(Record)}
    needed = {each.name for each in fields(Record) if each.default is MISSING and each.default_factory is MISSING}
    if not isinstance(held, dict) or not needed <= set(held):
        raise ValueError("it holds no record")
    schema = held.get("schema", 1)
    newer = isinstance(schema, int) and schema > SCHEMA
    checked = isinstance(schema, int) and schema >= CHECKED
    crc = held.pop("crc", None)
    if not newer and (crc is not None or checked) and crc != _crc(held):
        raise ValueError("its record was changed")
    held.pop("schema", None)
    if newer or set(held) - known:
        raise BadInput(
            f"{where} was written by a newer ablate (schema {schema}, and this one knows {SCHEMA}); update ablate, "
            "or give another --out"
        )
    if wrong := [name for name, value in held.items() if not FITS[name](value)]:
        raise ValueError(f"{wrong[0]} of its record can't be read")
    held["files"] = {name: tuple(each) for name, each in held.get("files", {}).items()}
    return Record(**held)


def _crc(body: Mapping[str, object]) -> int:
    """The CRC-32 of all but itself, written on one line (which is quick): how the file is laid out doesn't matter."""
    return zlib.crc32(json.dumps(body).encode())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63)


def _is_within(seconds: float) -> Callable[[object], bool]:
    return lambda value: _is_number(value) and abs(value) < seconds  # type: ignore[arg-type]


def _is_metrics(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_duration(value: object) -> bool:
    return _is_number(value) and 0 <= value < 1e10  # type: ignore[operator]


def _is_durations(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_duration, value.values()))


def _is_files(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(each, list) and len(each) == 2 and all(map(_is_count, each)) for each in value.values()
    )


#: What each of a record's values must be. Times are such that there is a date for when a run ended.
FITS: Mapping[str, Callable[[object], bool]] = {
    "run_id": _is_text,
    "state": lambda value: value in get_args(State),
    "started": _is_within(6e10),
    "seconds": _is_within(1e10),
    "metrics": _is_metrics,
    "error": _is_text,
    "trial": lambda value: value is None or _is_count(value),
    "mlflow": lambda value: value is None or _is_text(value),
    "device": _is_text,
    "source": _is_text,
    "attempts": _is_count,
    "files": _is_files,
    "worker": _is_text,
    "cpu": _is_duration,
    "phases": _is_durations,
    "steps": _is_count,
    "shared": _is_count,
    "shared_seconds": _is_within(1e10),
}
