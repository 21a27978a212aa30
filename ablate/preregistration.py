"""What was to be analysed, fixed before the first run: a hash with a time, and every change of it afterwards.

`preregistration.json` in the study's folder is a list of entries that only grows: the analysis, its hash, when it was noted, and
how many runs had completed by then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ablate.design import Plan
from ablate.records import Records, write_atomic
from ablate.study import Study

FILE = "preregistration.json"
#: The sections of a study that decide what will be said. Params are among them: who tries others until the answer pleases, and
#: reports those, has changed the analysis as well.
SECTIONS = ("target", "params", "fixes", "design", "outcome", "secondary", "claims", "stopping", "contexts", "sweeps")


@dataclass(frozen=True)
class Entry:
    """One version of the analysis.

    Attributes:
        hash: SHA-256 of the analysis as canonical JSON.
        time: when it was noted, UTC, ISO 8601.
        runs: how many runs had completed by then.
        analysis: the study's sections.
        fresh: whether all runs were forgotten then, to be trained again.
    """

    hash: str
    time: str
    runs: int
    analysis: Mapping[str, Any]
    fresh: bool = False


@dataclass(frozen=True)
class Registered:
    """How the analysis of now stands to what was noted.

    Attributes:
        hash: of the analysis of now.
        time: when it was noted; empty where it never was.
        runs: how many runs had completed when it was; 0: it was fixed before the first.
        changes: `outcome.minimum_effect: 0.01 → 0.02 (after 48 runs)`, since the version fixed before the first run.
        again: how often all runs were trained again (`--fresh`).
    """

    hash: str
    time: str
    runs: int
    changes: tuple[str, ...] = ()
    again: int = 0

    @property
    def when(self) -> str:
        """`before the first run` or `after 48 runs`."""
        return f"after {_runs(self.runs)}" if self.runs else "before the first run"

    @property
    def said(self) -> str:
        """In a sentence, with the time."""
        if not self.time:
            return f"not noted before the runs were trained ({self.hash[:12]})"
        text = f"fixed {self.when} ({self.hash[:12]}, {self.time.replace('T', ' ').replace('Z', ' UTC')})"
        return text + (f"; all runs were trained again {_times(self.again)} (--fresh)" if self.again else "")


def register(plan: Plan, records: Records, fresh: bool = False) -> None:
    """Note the analysis of a plan, unless the last entry has it.

    Args:
        fresh: whether all runs are about to be forgotten; this is noted, and what was noted before stays.
    """
    entries = history(records.out)
    last = entries[-1] if entries else None
    noted, runs = _analysis(plan.study), _completed(records)
    fresh = fresh and runs > 0
    if last and last.hash == _hash(noted) and not fresh:
        return
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries.append(Entry(_hash(noted), now, runs, noted, fresh))
    text = json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False)
    write_atomic(records.out / FILE, f"{text}\n".encode())


def registered(plan: Plan, records: Records) -> Registered:
    """How the analysis of a plan stands to what its folder holds."""
    now = _analysis(plan.study)
    entries = history(records.out)
    again = sum(entry.fresh for entry in entries)
    if not entries or entries[-1].hash != _hash(now):
        entries.append(Entry(_hash(now), "", _completed(records), now))
    start = max((index for index, entry in enumerate(entries) if entry.runs == 0), default=0)
    since = entries[start:]
    first = since[0]
    if first.hash == since[-1].hash:  # changed back at most
        return Registered(first.hash, first.time, first.runs, (), again)
    versions = [entry for index, entry in enumerate(since) if index == 0 or entry.hash != since[index - 1].hash]
    said = tuple(
        f"{change} (after {_runs(new.runs)})"
        for old, new in pairwise(versions)
        for change in differences(old.analysis, new.analysis)
    )
    return Registered(versions[-1].hash, versions[-1].time, versions[-1].runs, said, again)


def history(out: Path) -> list[Entry]:
    """What was noted in a study's folder, first to last; nothing where the file is not there or can't be read."""
    try:
        return [Entry(**entry) for entry in json.loads((out / FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """What changed, as `dotted.key: old → new`; things in lists that have a name go by it."""
    old, new = _by_name(old), _by_name(new)
    if (old == [] and isinstance(new, Mapping)) or (new == [] and isinstance(old, Mapping)):
        old, new = old or {}, new or {}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for part in dict.fromkeys((*old, *new)):
            yield from differences(old.get(part, _UNSET), new.get(part, _UNSET), f"{key}.{part}" if key else str(part))
    elif old is _UNSET and isinstance(new, Mapping):
        yield f"{key}: added"
    elif new is _UNSET and isinstance(old, Mapping):
        yield f"{key}: removed"
    elif old != new:
        yield f"{key}: {_shown(old)} → {_shown(new)}"


_UNSET = object()


def _by_name(value: Any) -> Any:
    """A list of things with names (claims) or metrics (secondary outcomes) as a mapping."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value and all(isinstance(item, Mapping) for item in value):
        names = [str(item.get("name", item.get("metric"))) for item in value]
        return dict(zip(names, value, strict=True)) if len(set(names)) == len(names) else value
    return value


def _shown(value: Any) -> str:
    if value is _UNSET:
        return "unset"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _analysis(study: Study) -> dict[str, Any]:
    """The study's sections that decide what will be said, plain, without what is not set."""
    whole = study.model_dump(mode="json", include=set(SECTIONS), exclude_none=True)
    return dict(_plain(whole))


def _plain(value: Any) -> Any:
    """Whole floats as ints, so that 1 and 1.0 are one analysis."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _hash(analysis: Mapping[str, Any]) -> str:
    text = json.dumps(analysis, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _completed(records: Records) -> int:
    return sum(record.state != "failed" for record in records.load().values())


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
