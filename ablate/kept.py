"""What a study keeps beside its runs, and how a copy of all of it becomes a study's folder again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath

from ablate.artifacts import PART
from ablate.intact import damages
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
    """Take what a folder lacks from a copy of it, damaged runs among it; returns how many runs it lacked."""
    out, damaged, useless = records.out, damages(records), damages(Records(copy))
    whole = {path.stem for path in copy.glob("runs/*.json")} - useless.keys()
    lacked = {run for run in whole if run in damaged or not records.load_one(run)}
    ours = {*BESIDE, *RUNS, "checks", "id", ".home"}
    files = (path for path in copy.rglob("*") if path.is_file() and path.relative_to(copy).parts[0] in ours)
    for path in sorted(files, key=lambda path: "runs" in path.relative_to(copy).parts[:2]):
        inside = path.relative_to(copy)
        target, run = out / inside, _run_of(inside)
        if run not in useless and (run in lacked or run in damaged or not target.exists()):
            write_atomic(target, path.read_bytes())
    return len(lacked)


def _run_of(inside: PurePath) -> str:
    """The run whose record, curves or artifact it is, by its path in the folder; empty if it is none's."""
    kind, *rest = inside.parts[1:] if inside.parts[0] == "checks" else inside.parts
    return "" if kind not in RUNS or not rest else rest[0] if len(rest) > 1 else PurePath(rest[0]).stem


def contents_of(files: Mapping[str, Path]) -> str:
    """The files' names, sizes and times, to see whether any changed."""
    return json.dumps([[name, path.stat().st_size, path.stat().st_mtime_ns] for name, path in files.items()])
