"""A study's folder again, from the tracking server alone: the other way round from `runs`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ablate.errors import BadInput
from ablate.home import NOTE
from ablate.kept import fill
from ablate.record import Record, as_json, from_json
from ablate.records import Records
from ablate.tracking.address import check_exists, is_server
from ablate.tracking.runs import HOME, RECORD, STUDY
from ablate.tracking.store import Experiment, client, reason

if TYPE_CHECKING:
    from ablate.design import Plan

#: Downloads at a time from a server; a store on this machine is read one file after the other.
AT_ONCE = 8
#: Whatever a store holds, a file's name is no path.
NAME = re.compile(r"[^/\\\x00]+")


def restore(uri: str, plan: Plan, records: Records) -> int:
    """Fill a study's folder with what a tracking store has of it; what is there already stays.

    Returns:
        how many runs it lacked.

    Raises:
        BadInput: if there is no such store or study in it, or the folder holds another's runs. Nothing is written then.
    """
    check_exists(uri)
    with TemporaryDirectory() as scratch:
        copy = Path(scratch)
        with _readable(uri):
            owner = _fetch(uri, plan, _owner(records), copy)
        _check_owner(records, owner)
        if not any((copy / "runs").glob("*.json")):
            raise BadInput(
                f"--from-mlflow: {uri!r} holds study {plan.name!r}, but none of its runs in full; give --out with records"
            )
        with records.lock():
            return fill(records, copy)


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # each kind of store raises its own
        raise BadInput(f"--tracking-uri: {uri!r} can't be read ({reason(error)}); give one that can") from error


def _owner(records: Records) -> str | None:
    """Whose runs the folder holds: None where it holds none, empty where they were never mirrored."""
    path = records.out / "id"
    if path.exists():
        return path.read_text(encoding="utf-8")
    return "" if records.load() else None


def _check_owner(records: Records, owner: str) -> None:
    here = _owner(records)
    if here not in (None, owner):
        raise BadInput(f"--out: {records.out} holds runs of another folder than the tracking store's; give another --out")


def _fetch(uri: str, plan: Plan, owner: str | None, copy: Path) -> str:
    """Copy a study's runs and what is kept beside them; returns the id of the folder they are of, by default the newest."""
    store = client(uri)
    found = store.get_experiment_by_name(plan.name)
    experiment = Experiment(store, str(found.experiment_id)) if found else None
    parents = list(experiment.search("tags.kind = 'study'", newest=True)) if experiment else []
    if experiment is None or not parents:
        raise BadInput(
            f"--from-mlflow: {uri!r} holds no study {plan.name!r}; name the store that it was logged to (--tracking-uri)"
        )
    mine = [each for each in parents if each.data.tags["ablate.owner"] == owner]
    parent = (mine or parents)[0]
    children = experiment.search(f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    whole = [each for each in children if "state" in each.data.tags and "kind" in each.data.tags]
    with ThreadPoolExecutor(AT_ONCE if is_server(uri) else 1) as several:
        list(several.map(lambda child: _fetch_run(store, child, copy), whole))
    _fetch_beside(store, parent.info.run_id, copy)
    if home := parent.data.tags.get(HOME):  # a copy, as long as that folder is there
        (copy / NOTE).write_text(home, encoding="utf-8")
    (copy / "id").write_text(parent.data.tags["ablate.owner"], encoding="utf-8")
    return str(parent.data.tags["ablate.owner"])


def _fetch_run(store: Any, child: Any, copy: Path) -> None:
    """A run's record, curves and artifacts, under the names that `Records` gives them."""
    key, run_id = child.info.run_id, _safe(child.data.tags["run_id"])
    with TemporaryDirectory() as scratch:
        folder = Path(store.download_artifacts(key, RECORD, scratch))
        record = from_json((folder / "record.json").read_bytes(), f"the record of run {key}")
        if record.run_id != run_id:
            raise ValueError(f"run {key} says that it is {run_id}, and its record that it is {record.run_id}")
        for name in (item.path for item in store.list_artifacts(key) if not item.is_dir):
            _place(Path(store.download_artifacts(key, name, scratch)), copy / "artifacts" / run_id / _safe(name))
        for path in sorted((folder / "artifacts").glob("*")):
            _place(path, copy / "artifacts" / run_id / _safe(path.name))
        if (folder / "curves.parquet").exists():
            _place(folder / "curves.parquet", copy / "curves" / f"{run_id}.parquet")
    linked = Record(**{**vars(record), "mlflow": key})
    _write(copy / "runs" / f"{run_id}.json", as_json(linked))


def _fetch_beside(store: Any, parent: str, copy: Path) -> None:
    """What was kept beside the runs."""
    if STUDY not in {item.path for item in store.list_artifacts(parent)}:
        return
    with TemporaryDirectory() as scratch:
        folder = Path(store.download_artifacts(parent, STUDY, scratch))
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            _place(path, copy.joinpath(*_safe_parts(path.relative_to(folder).parts)))


def _safe_parts(parts: Iterable[str]) -> list[str]:
    return [_safe(part) for part in parts]


def _safe(name: str) -> str:
    """A name, unless it could lead out of the folder."""
    if not NAME.fullmatch(name) or name in (".", ".."):
        raise ValueError(f"{name!r} is no file's name")
    return name


def _place(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
