"""What an episode left, held against the same study undisturbed. Every file and every store is read as others would read it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq

from benchmarks.havoc.episode import Episode
from benchmarks.havoc.folder import Folder, tree

#: What a run has of its own each time it is trained, and where the stores put it.
OWN = ("started", "seconds", "shared", "shared_seconds", "worker", "cpu", "phases", "attempts", "trial", "mlflow", "crc")
#: The curve that is mirrored.
CURVE = "progress"
COLUMNS = ("lost", "duplicated", "corrupt", "verdict", "Optuna", "MLflow", "left over", "exit code")


@dataclass(frozen=True)
class Reference:
    """The same study undisturbed."""

    verdict: bytes
    records: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, bytes]


def reference(folder: Folder) -> Reference:
    """What the others are held against."""
    files = {f"{name}/{path}": content for name in ("curves", "artifacts") for path, content in tree(folder.out / name)}
    return Reference((folder.out / "verdict.json").read_bytes(), folder.records(), files)


def faults(episode: Episode, wanted: Reference) -> list[tuple[str, str]]:
    """Each fault: its column and what it is."""
    folder = episode.folder
    if episode.exits[-1:] != [0]:
        return [("exit code", f"{episode.exits}, last words: {_last_words(folder)}")]
    found = [*_lost(episode, wanted), *_corrupt(folder, wanted), *_told(folder, wanted)]
    found += [("exit code", f"{code} of {episode.exits}") for code in episode.exits if code]
    found += [("verdict", "another")] if (folder.out / "verdict.json").read_bytes() != wanted.verdict else []
    found += [("left over", line) for line in episode.left]
    found += [("left over", str(path)) for path in folder.parts()]
    return found


def _lost(episode: Episode, wanted: Reference) -> Iterator[tuple[str, str]]:
    """Runs that have no record, and runs that had one and were trained again."""
    records = episode.folder.records()
    for run in wanted.records:
        if records.get(run, {}).get("state") != "completed":
            yield "lost", f"{run}: {records.get(run)}"
        elif records[run]["started"] != episode.kept.get(run, records[run]["started"]):
            yield "lost", f"{run}: was recorded, and trained again"
    for run in records.keys() - wanted.records.keys():
        yield "duplicated", f"{run}: nobody planned it"


def _corrupt(folder: Folder, wanted: Reference) -> Iterator[tuple[str, str]]:
    """Records that say something else, and curves and artifacts that are not the same bit for bit."""
    records = folder.records()
    for run, record in wanted.records.items():
        if _common(records.get(run, {})) != _common(record):
            yield "corrupt", f"{run}: {records.get(run)} for {record}"
    files = {f"{name}/{path}": content for name in ("curves", "artifacts") for path, content in tree(folder.out / name)}
    for path in sorted(files.keys() | wanted.files.keys()):
        if files.get(path) != wanted.files.get(path):
            yield "corrupt", f"{path}: {'another' if path in files and path in wanted.files else 'missing or added'}"
    for name, start, end in (("report.pdf", b"%PDF", b"%%EOF"), ("report.html", b"<!", b"</html>")):
        content = (folder.out / name).read_bytes().strip()
        if not (content.lower().startswith(start.lower()) and content.endswith(end)):
            yield "corrupt", name


def _common(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in OWN}


def _told(folder: Folder, wanted: Reference) -> Iterator[tuple[str, str]]:
    """Optuna, MLflow and runs.csv against the records."""
    records = folder.records()
    yield from _optuna(folder, records, wanted)
    yield from _mlflow(folder, records, wanted)
    with (folder.out / "runs.csv").open(newline="") as file:
        rows = {row["run_id"]: row for row in csv.DictReader(file)}
    for run in wanted.records:
        row, record = rows.get(run, {}), records.get(run, {})
        if (row.get("optuna_trial"), row.get("mlflow_run_id")) != (str(record.get("trial")), record.get("mlflow")):
            yield "MLflow", f"runs.csv: {run}: {row}"


def _optuna(folder: Folder, records: Mapping[str, Mapping[str, Any]], wanted: Reference) -> Iterator[tuple[str, str]]:
    """One complete trial a run, with its outcome; none is left running."""
    asked = """SELECT a.value_json, t.state, v.value, t.number FROM trials t
        LEFT JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'run_id'
        LEFT JOIN trial_values v ON v.trial_id = t.trial_id"""
    rows = _query(folder.out / "optuna.db", asked)
    complete = Counter(json.loads(run) for run, state, *_ in rows if run and state == "COMPLETE")
    yield from (("duplicated", f"Optuna: {run}: {times} complete trials") for run, times in complete.items() if times > 1)
    for run, state, _, number in rows:
        if state not in ("COMPLETE", "FAIL") or not run:
            yield "Optuna", f"trial {number} of {run} is {state}"
    held = {json.loads(run): (value, number) for run, state, value, number in rows if run and state == "COMPLETE"}
    for run, record in wanted.records.items():
        expected = record["metrics"]["score"], records.get(run, {}).get("trial")
        if held.get(run) != expected:
            yield "Optuna", f"{run}: {held.get(run)} for {expected}"


def _mlflow(folder: Folder, records: Mapping[str, Mapping[str, Any]], wanted: Reference) -> Iterator[tuple[str, str]]:
    """One finished run a training, with each point of its curve once and its artifacts; the study's own run is finished."""
    store = folder.home / "mlflow.db"
    runs = _query(store, "SELECT run_uuid, status, artifact_uri FROM runs WHERE lifecycle_stage = 'active'")
    tags: dict[str, dict[str, str]] = {}
    for run, key, value in _query(store, "SELECT run_uuid, key, value FROM tags"):
        tags.setdefault(run, {})[key] = value
    points: dict[str, list[tuple[int, float]]] = {}
    for run, step, value in _query(store, "SELECT run_uuid, step, value FROM metrics WHERE key = ? ORDER BY step", CURVE):
        points.setdefault(run, []).append((step, value))
    shown: dict[str, list[str]] = {}
    for run, status, uri in runs:
        if status != "FINISHED":
            yield "MLflow", f"{tags.get(run, {}).get('mlflow.runName')} is {status}"
        if planned := tags.get(run, {}).get("run_id"):
            shown.setdefault(planned, []).append(run)
            yield from _mirrored(folder, planned, points.get(run, []), uri, wanted)
    yield from (("duplicated", f"MLflow: {run}: {len(ids)} runs") for run, ids in shown.items() if len(ids) > 1)
    for run in wanted.records:
        if records.get(run, {}).get("mlflow") not in shown.get(run, []):
            yield "MLflow", f"{run}: {records.get(run, {}).get('mlflow')} is not among {shown.get(run)}"
    kinds = Counter(tags.get(run, {}).get("kind") for run, *_ in runs)
    if kinds["study"] != 1 or kinds["arm"] != 8:
        yield "MLflow", f"kinds of runs: {dict(kinds)}"


def _mirrored(
    folder: Folder, run: str, points: list[tuple[int, float]], uri: str, wanted: Reference
) -> Iterator[tuple[str, str]]:
    """A run in MLflow against the file of its curves, and its artifacts against the undisturbed ones."""
    curves = pq.read_table(folder.out / "curves" / f"{run}.parquet").to_pydict()
    if points != list(zip(curves["step"], curves[CURVE], strict=True)):
        yield "MLflow", f"{run}: {len(points)} points for {len(curves['step'])}"
    there = Path(unquote(urlsplit(uri).path)) / "weights.bin"
    if not there.is_file() or there.read_bytes() != wanted.files[f"artifacts/{run}/weights.bin"]:
        yield "MLflow", f"{run}: weights.bin is missing or another"


def _query(path: Path, asked: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as store:
        return store.execute(asked, values).fetchall()


def _last_words(folder: Folder) -> str:
    return " | ".join((folder.home / "log.txt").read_text(errors="replace").strip().splitlines()[-3:])
