"""What a study keeps beside its runs, and how a copy of all of it becomes a study's folder again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ablate.artifacts import PART
from ablate.records import Records, write_atomic

#: What is kept beside the runs. Whatever else lies in the folder is not ours to send anywhere, or to take from a copy.
BESIDE = ("contents.json", "preregistration.json", "sittings.json", "sources.json", "sweeps.json")
#: Folders of runs, records last: a record is never without its curves and artifacts.
RUNS = ("curves", "artifacts", "runs")


def beside(out: Path) -> dict[str, Path]:
    """What a study's folder holds beside the runs of its design: a few JSON files, and the runs that check it.

    Returns:
        path in the folder → file, in a fixed order.
    """
    small = [path for name in BESIDE if (path := out / name).exists()]
    checks = [path for kind in RUNS for path in sorted((out / "checks" / kind).rglob("*")) if path.is_file()]
    return {path.relative_to(out).as_posix(): path for path in (*small, *checks) if path.suffix != PART}


def fill(records: Records, copy: Path) -> int:
    """Take what a folder lacks from a copy of it; returns how many runs it lacked."""
    out = records.out
    known = {path.stem for path in copy.glob("runs/*.json") if records.load_one(path.stem)}
    lacked = len(list(copy.glob("runs/*.json"))) - len(known)
    ours = {*BESIDE, *RUNS, "checks", "id"}
    files = (path for path in copy.rglob("*") if path.is_file() and path.relative_to(copy).parts[0] in ours)
    for path in sorted(files, key=lambda path: path.relative_to(copy).parts[0] == "runs"):
        inside = path.relative_to(copy)
        target = out / inside
        run = inside.parts[1] if len(inside.parts) > 2 else inside.stem
        if (inside.parts[0] in RUNS and run not in known) or not target.exists():
            write_atomic(target, path.read_bytes())
    return lacked


def contents_of(files: Mapping[str, Path]) -> str:
    """The files' names, sizes and times, to see whether any changed."""
    return json.dumps([[name, path.stat().st_size, path.stat().st_mtime_ns] for name, path in files.items()])
