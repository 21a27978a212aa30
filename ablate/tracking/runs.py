"""The study in MLflow: a parent run for each folder it is kept in, with a child run a training."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ablate.analysis.contexts import OWN
from ablate.design import Plan, PlannedRun
from ablate.errors import BadInput
from ablate.kept import contents_of
from ablate.publication import Publication
from ablate.records import Record, as_json
from ablate.tracking import arms, colours, page, views
from ablate.tracking.datasets import log_datasets
from ablate.tracking.monitor import Monitor
from ablate.tracking.store import NOTE, Experiment, client, key, reason

if TYPE_CHECKING:
    import pandas as pd

#: The folder among a training's artifacts that holds its record and curves in full; and, among the parent's, what is kept beside.
RECORD, STUDY = "record", "study"
#: The tag that tells trainings of the design's arms from those of contexts and sweeps.
PART = "part"


class MLflowTracker:
    """One experiment a study; in it a parent run for each folder the study is kept in, with a child run a training.

    Beside the parent, and not among its children, is a run for each arm (`arms`). A child that is there in full has the tag
    `state`, written last: one without it was broken off, and is completed.

    Args:
        uri: the tracking store or server.
        plan: the study.
        owner: identifies the folder (`Records.identity`).

    Raises:
        BadInput: if the store can't be opened.
    """

    def __init__(self, uri: str, plan: Plan, owner: str) -> None:
        self._plan, self._owner = plan, owner
        try:
            self._experiment = Experiment.named(client(uri), plan.name)
            self._parent = self._find_parent() or self._create_parent()
            children = list(self._experiment.search(f"tags.mlflow.parentRunId = '{self._parent}'"))
        except Exception as error:  # each kind of store raises its own
            raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({reason(error)}); give one that can, or none") from error
        self._client = self._experiment.client
        self._monitor = Monitor(uri, self._parent)
        self._shown = {c.data.tags["run_id"]: (str(c.info.run_id), _state(c.data.tags)) for c in children}
        self._trials = {c.data.tags["run_id"]: c.data.tags.get("trial") for c in children}
        self._untold = {c.data.tags["run_id"] for c in children if PART not in c.data.tags}
        self._begun = ""

    def _find_parent(self) -> str | None:
        found = next(self._experiment.search(f"tags.`ablate.owner` = '{self._owner}'"), None)
        if found is not None and "kind" not in found.data.tags:
            self._experiment.client.set_tag(found.info.run_id, "kind", "study")
        return None if found is None else str(found.info.run_id)

    def _create_parent(self) -> str:
        tags = {"kind": "study", "study": self._plan.study.name, "ablate.owner": self._owner, "quick": _word(self._plan.quick)}
        return self._experiment.create(f"{self._plan.name} (study)", tags)

    def forget(self) -> None:
        self._experiment.delete(run for run, _ in self._shown.values())
        arms.forget(self._experiment, self._owner)
        self._shown.clear()
        self._untold.clear()

    def begin(self, kept: Mapping[str, Path]) -> None:
        if (contents := contents_of(kept)) != self._begun:
            if not self._begun:
                self._client.update_run(self._parent, status="RUNNING")
                self._monitor.start()
            self._keep(kept)
            self._begun = contents

    def _keep(self, kept: Mapping[str, Path]) -> None:
        for inside, path in kept.items():
            folder = f"{STUDY}/{inside}".rpartition("/")[0]
            self._client.log_artifact(self._parent, str(path), folder)

    def shows(self, run_id: str, state: str, trial: int | None = None) -> str | None:
        run, shown = self._shown.get(run_id, ("", ""))
        if trial is not None and shown and self._trials.get(run_id) != str(trial):  # another Optuna study holds it now
            shown = ""
            self._shown[run_id] = run, shown
        return run if shown == state else None

    def mirror(
        self,
        run: PlannedRun,
        record: Record,
        curves: pd.DataFrame,
        artifacts: Iterable[Path],
        stored: Path | None = None,
    ) -> str | None:
        """Show the run with its own times, params, tags, final metrics and the study's curves, and its record in full.

        An earlier attempt that ended otherwise is deleted, which in MLflow can be undone.
        """
        start = int(record.started * 1000)
        end = start + int(record.seconds * 1000)
        there, shown = self._shown.get(run.id, ("", ""))
        if shown:
            self._experiment.delete([there])
        if shown or not there:
            self._untold.discard(run.id)
            there = self._experiment.create(run.name, self._tags(run), start)
            self._shown[run.id] = there, ""
        self._experiment.log(there, self._metrics(record, curves, end), run.cell.params)
        log_datasets(self._client, there, self._plan, [run])
        for path in artifacts:
            self._client.log_artifact(there, str(path), None if path.name != RECORD else f"{RECORD}/artifacts")
        self._log_record(there, record, stored)
        last = {"kind": "run", "trial": str(record.trial), "state": record.state} | ({NOTE: record.error} if record.error else {})
        self._experiment.log(there, tags=last)
        self._client.set_terminated(there, "FINISHED" if record.state == "completed" else "FAILED", end)
        self._shown[run.id], self._trials[run.id] = (there, record.state), str(record.trial)
        return there

    def _log_record(self, there: str, record: Record, stored: Path | None) -> None:
        """The record and every value it logged, for `report --from-mlflow`: MLflow's metrics have the study's curves alone."""
        with TemporaryDirectory() as scratch:
            path = Path(scratch) / "record.json"
            path.write_bytes(as_json(record))
            if stored is not None:
                shutil.copyfile(stored, path.with_name("curves.parquet"))
            self._client.log_artifacts(there, scratch, RECORD)

    def _metrics(self, record: Record, curves: pd.DataFrame, timestamp: int) -> list[Any]:
        """The study's curves in full, and each final metric at the last step, unless its curve ends in it."""
        from mlflow.entities import Metric

        metrics: list[Any] = []
        final = {**record.metrics, "seconds": record.seconds}
        last = int(curves["step"].max()) if len(curves) else 0
        for name in self._plan.study.curves:
            if name in curves:
                series = curves[["step", name]].dropna()
                points = [(int(step), value) for step, value in zip(series["step"], series[name], strict=True)]
                metrics += [Metric(key(name), value, timestamp, step) for step, value in points]
                if points and points[-1] == (last, final.get(name)):
                    del final[name]
        finite = {name: value for name, value in final.items() if math.isfinite(value)}
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

    def close(self, publication: Publication) -> None:
        from mlflow.entities import Metric

        self._monitor.stop()
        ended = int(1000 * max((arm.ended for arm in publication.arms), default=0))
        effects = [Metric(key(name), value, ended, 0) for name, value in publication.metrics.items()]
        self._experiment.log(self._parent, effects)
        self._keep(publication.kept)
        log_datasets(self._client, self._parent, self._plan, [run for run in self._plan.runs if run.id in self._shown])
        keys = arms.publish(self._experiment, self._plan, self._owner, publication.arms)
        self._tell_parts()
        shown = self._leave_views(publication) if keys else {}
        pages = arms.pages(self._experiment.key, self._owner, keys, shown)
        page.publish(self._experiment, self._parent, publication, pages)
        self._client.set_terminated(self._parent)

    def _part(self, run: PlannedRun) -> str:
        if run.cell.id in self._plan.arm_ids():
            return "design"
        return "context" if self._plan.context_of(run.cell.id) else "sweep"

    def _tell_parts(self) -> None:
        """Say of trainings from before there was the tag what they are part of."""
        for run in self._plan.runs:
            if run.id in self._untold:
                self._client.set_tag(self._shown[run.id][0], PART, self._part(run))
        self._untold.clear()

    def _leave_views(self, found: Publication) -> dict[str, str]:
        trainings = f"tags.`mlflow.parentRunId` = '{self._parent}' and tags.{PART} = 'design'"
        metrics, order = [key(name) for name in found.comparable], [str(row[0]) for row in found.table]
        fixes = order or self._plan.fixes
        return views.publish(self._experiment, self._parent, arms.condition(self._owner), trainings, metrics, fixes)


def _state(tags: Mapping[str, str]) -> str:
    """The state of a child that is there in full; one from before its record was kept with it is completed."""
    return tags.get("state", "") if "kind" in tags else ""


def _word(flag: bool) -> str:
    return str(flag).lower()
