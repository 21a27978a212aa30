"""The study in MLflow: a parent run for each folder it is kept in, with a child run a training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ablate.analysis.contexts import OWN
from ablate.design import Plan, PlannedRun
from ablate.home import Home
from ablate.kept import contents_of
from ablate.publication import ArmLines, Publication
from ablate.records import Record, as_json
from ablate.secrets import without_secrets
from ablate.series import Series
from ablate.tracking import arms, colours, page, views
from ablate.tracking.address import check, check_schema, is_local, is_server, opening
from ablate.tracking.base import Shown
from ablate.tracking.children import PART, Child, reconcile, start_of
from ablate.tracking.datasets import log_datasets
from ablate.tracking.monitor import Monitor
from ablate.tracking.store import NOTE, Experiment, client, key, reason, refused, settle_settings
from ablate.tracking.whole import make

#: The folder among a training's artifacts that holds its record and curves in full; and, among the parent's, what is kept beside.
RECORD, STUDY = "record", "study"
#: Characters that a run's description may have: MLflow takes 8,000.
LONGEST_NOTE = 7500
#: The tag of a study's run that says whose it is (`Records.identity`), and where that folder lies (`home`).
OWNER, HOME = "ablate.owner", "ablate.home"


class MLflowTracker:
    """One experiment a study; in it a parent run for each folder the study is kept in, with a child run a training.

    Beside the parent, and not among its children, is a run for each arm (`arms`). A child that is there in full has the tag
    `state` and has ended, which is told last: one that hasn't was broken off, and is completed.

    Args:
        uri: the tracking store or server. Nothing is opened before `open`.
        plan: the study.
        owner: identifies the folder (`Records.identity`).
        home: where that is. A folder of the same name that is still elsewhere keeps what is there, and this one is renamed.

    Raises:
        BadInput: if there can't be a store at this address.
    """

    reason, refused = staticmethod(reason), staticmethod(refused)

    def __init__(self, uri: str, plan: Plan, owner: str, home: Home | None = None) -> None:
        check(uri)
        settle_settings()
        self.where, self.local = without_secrets(uri), is_local(uri)
        self._uri, self._plan, self._owner, self._home = uri, plan, owner, home
        self.heard: Callable[[], None] = lambda: None
        self._children: dict[str, Child] = {}
        self._monitor: Monitor | None = None
        self._begun, self._parent = "", ""

    def open(self) -> None:
        if self.local:
            with opening(self._uri):
                self._open()
        else:
            self._open()

    def _open(self) -> None:
        store = client(self._uri) if is_server(self._uri) else self._checked()
        self._experiment = Experiment.named(store, self._plan.name)
        self._client, self._experiment.heard = self._experiment.client, self.heard
        self._parent, before = self._find_parent() or self._create_parent(), self._monitor
        self._monitor, self._begun = Monitor(self._uri, self._parent), ""
        if before:
            before.stop(patience=0)

    def _checked(self) -> Any:
        make(self._uri)
        check_schema(self._uri)
        return client(self._uri)

    def _find_parent(self) -> str | None:
        """The study's run: where one was made twice, as the answer to the first was lost, the one with trainings stays."""
        runs = list(self._experiment.search(f"tags.`{OWNER}` = '{self._owner}'"))
        if self._home and any(self._home.is_anothers(each.data.tags.get(HOME, "")) for each in runs):
            self._owner, self._parent = self._home.rename(), ""
            return None
        found = [str(each.info.run_id) for each in runs]
        if len(found) > 1:
            under = {each: [str(child.info.run_id) for child in self._under(each)] for each in found}
            found.sort(key=lambda each: -len(under[each]))
            self._experiment.delete(run for each in found[1:] for run in (*under[each], each))
        if not self._parent and any(each.info.status == "RUNNING" for each in runs[:1]):  # left by a driver that was killed
            self._client.set_terminated(found[0], "KILLED")
        if found and self._home:
            self._client.set_tag(found[0], HOME, self._home.text)
        return found[0] if found else None

    def _under(self, parent: str) -> Iterable[Any]:
        return self._experiment.search(f"tags.mlflow.parentRunId = '{parent}'")

    def _create_parent(self) -> str:
        tags = {"kind": "study", "study": self._plan.study.name, OWNER: self._owner, "quick": _word(self._plan.quick)}
        tags |= {HOME: self._home.text} if self._home else {}
        return self._experiment.create(f"{self._plan.name} (study)", tags)

    def reconcile(self, records: Mapping[str, Record], spared: Collection[str] = ()) -> None:
        self._children = reconcile(self._experiment, self._parent, records, spared)
        if not records and not spared:
            arms.forget(self._experiment, self._owner)

    def begin(self, kept: Mapping[str, Path]) -> None:
        if (contents := contents_of(kept)) != self._begun:
            if not self._begun and self._monitor:
                self._client.update_run(self._parent, status="RUNNING")
                self._monitor.start()
            self._keep(kept)
            self._begun = contents

    def _keep(self, kept: Mapping[str, Path]) -> None:
        for inside, path in kept.items():
            self._experiment.put(self._parent, path, f"{STUDY}/{inside}".rpartition("/")[0])

    def shows(self, record: Record) -> str | None:
        child = self._children.get(record.run_id)
        return child.key if child and child.shows(record) else None

    def mirror(self, run: PlannedRun, record: Record, series: Series, artifacts: Iterable[Path], stored: Path | None) -> Shown:
        """Show the run with its own times, params, tags, final metrics and the study's curves, and its record in full.

        An earlier attempt is deleted, which in MLflow can be undone.
        """
        start, there = start_of(record), self._children.get(run.id)
        end = start + int(record.spent * 1000)
        if there and not there.is_of(record):
            self._experiment.delete([there.key])
        if there is None or not there.is_of(record):
            there = Child(self._experiment.create(run.name, self._tags(run), start), start)
            self._children[run.id] = there
        metrics = self._metrics(record, series, end)
        self._experiment.log(there.key, metrics, run.cell.params, self._last_tags(record))
        log_datasets(self._client, there.key, self._plan, [run])
        self._log_files(there.key, record, artifacts, stored)
        self._client.set_terminated(there.key, "FINISHED" if record.state == "completed" else "FAILED", end)
        self._children[run.id] = Child(there.key, start, record.state, str(record.trial))
        return Shown(there.key, len(metrics))

    def _last_tags(self, record: Record) -> dict[str, str]:
        note = {NOTE: record.error[-LONGEST_NOTE:]} if record.error else {}
        return {"kind": "run", "trial": str(record.trial), "state": record.state, **note}

    def _log_files(self, there: str, record: Record, artifacts: Iterable[Path], stored: Path | None) -> None:
        """Its artifacts, its record and all that it logged, for `report --from-mlflow`: metrics are the study's curves alone."""
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / RECORD
            folder.mkdir()
            (folder / "record.json").write_bytes(as_json(record))
            if stored is not None:
                (folder / "curves.parquet").symlink_to(stored.resolve())
            for path in artifacts:
                place = Path(scratch) if path.name != RECORD else folder / "artifacts"
                place.mkdir(exist_ok=True)
                (place / path.name).symlink_to(path.resolve())
            self._client.log_artifacts(there, scratch)

    def _metrics(self, record: Record, series: Series, timestamp: int) -> list[Any]:
        """The study's curves in full, and each final metric at the last step, unless its curve ends in it."""
        from mlflow.entities import Metric

        metrics: list[Any] = []
        final = {**record.metrics, "seconds": record.seconds}
        last = int(series.steps.max()) if len(series.steps) else 0
        for name in (name for name in self._plan.study.curves if name in series):
            logged = ~np.isnan(series[name])
            points = list(zip(series.steps[logged].astype(int).tolist(), series[name][logged].tolist(), strict=True))
            metrics += [Metric(key(name), value, timestamp, step) for step, value in points]
            if points and points[-1] == (last, final.get(name)):
                del final[name]
        finite = {name: value for name, value in final.items() if np.isfinite(value)}
        return metrics + [Metric(key(name), value, timestamp, last) for name, value in finite.items()]

    def _tags(self, run: PlannedRun) -> dict[str, str]:
        tags = {
            "mlflow.parentRunId": self._parent,
            "study": self._plan.study.name,
            "run_id": run.id,
            "cell": run.cell.id,
            "arm": run.cell.label,
            "seed": str(run.seed),
            PART: self._part(run),
            "quick": _word(self._plan.quick),
            colours.TAG: colours.colour_of(run.cell.fixes),
        }
        if self._plan.contexts:
            tags["context"] = self._plan.context_of(run.cell.id) or OWN
        return tags | arms.fix_tags(run.cell.fixes)

    def show_arms(self, lines: Sequence[ArmLines]) -> None:
        arms.publish(self._experiment, self._plan, self._owner, lines)

    def publish(self, publication: Publication) -> None:
        self._stop_monitor()
        self._publish(publication)
        self._client.set_terminated(self._parent)

    def end(self, status: str) -> None:
        self._stop_monitor()
        self._client.set_terminated(self._parent, status)

    def _stop_monitor(self) -> None:
        if self._monitor:
            self._monitor.stop()
        self._begun = ""

    def _publish(self, publication: Publication) -> None:
        from mlflow.entities import Metric

        ended = int(1000 * max((arm.ended for arm in publication.arms), default=0))
        effects = [Metric(key(name), value, ended, 0) for name, value in publication.metrics.items()]
        self._experiment.log(self._parent, effects)
        self._keep(publication.kept)
        log_datasets(self._client, self._parent, self._plan, [run for run in self._plan.runs if run.id in self._children])
        keys = arms.publish(self._experiment, self._plan, self._owner, publication.arms)
        self._tell_parts()
        shown = self._leave_views(publication) if keys else {}
        pages = arms.pages(self._experiment.key, self._owner, keys, shown)
        page.publish(self._experiment, self._parent, publication, pages)

    def _part(self, run: PlannedRun) -> str:
        if run.cell.id in self._plan.arm_ids():
            return "design"
        return "context" if self._plan.context_of(run.cell.id) else "sweep"

    def _tell_parts(self) -> None:
        """Say of trainings from before there was the tag what they are part of."""
        for run in self._plan.runs:
            child = self._children.get(run.id)
            if child and not child.told:
                self._client.set_tag(child.key, PART, self._part(run))
                self._children[run.id] = replace(child, told=True)

    def _leave_views(self, found: Publication) -> dict[str, str]:
        trainings = f"tags.`mlflow.parentRunId` = '{self._parent}' and tags.{PART} = 'design'"
        metrics, order = [key(name) for name in found.comparable], [str(row[0]) for row in found.table]
        fixes = order or self._plan.fixes
        return views.publish(self._experiment, self._parent, arms.condition(self._owner), trainings, metrics, fixes)


def _word(flag: bool) -> str:
    return str(flag).lower()
