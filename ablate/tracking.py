"""The MLflow side: a mirror of the records that people compare runs in. The only module that imports MLflow."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.analysis.contexts import OWN
from ablate.design import Plan, PlannedRun
from ablate.errors import BadInput
from ablate.records import Record

if TYPE_CHECKING:
    import pandas as pd

#: MLflow's own default, relative to the current directory.
DEFAULT_URI = "sqlite:///mlflow.db"
#: MLflow's limits on one call.
METRICS, PARAMS = 1000, 100


class Tracker(Protocol):
    """Where runs are mirrored."""

    def shows(self, run_id: str, state: str) -> str | None:
        """The id under which the run is there in full and in this state, or None."""

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        """Show a run that ended, in place of an earlier attempt at it; returns the id it has there."""

    def close(self, metrics: Mapping[str, float], artifacts: Iterable[Path]) -> None:
        """Show the verdict and the report with the study."""

    def forget(self) -> None:
        """Take away all runs of the study (`--fresh`)."""


class NullTracker:
    """Mirrors nothing (`--tracking-uri none`)."""

    def shows(self, run_id: str, state: str) -> str | None:
        return None

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        return None

    def close(self, metrics: Mapping[str, float], artifacts: Iterable[Path]) -> None:
        pass

    def forget(self) -> None:
        pass


class MLflowTracker:
    """One experiment a study; in it a parent run for each folder the study is kept in, with a child run a training.

    A child that is there in full has the tag `state`, written last: one without it was broken off, and is completed.

    Args:
        uri: the tracking store or server.
        plan: the study.
        owner: identifies the folder (`Records.identity`).

    Raises:
        BadInput: if the store can't be opened.
    """

    def __init__(self, uri: str, plan: Plan, owner: str) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a server that is down is said so in seconds
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow.tracking import MlflowClient

        for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._plan, self._owner = plan, owner
        try:
            self._client = MlflowClient(uri)
            self._experiment = self._open_experiment()
            self._parent = self._find_parent() or self._create_parent()
            children = list(self._search(f"tags.mlflow.parentRunId = '{self._parent}'"))
        except Exception as error:  # each kind of store raises its own
            reason = str(error).partition("\n")[0]
            raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({reason}); give one that can, or none") from error
        self._shown = {c.data.tags["run_id"]: (str(c.info.run_id), c.data.tags.get("state", "")) for c in children}

    def _open_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._plan.name)
        if found is None:
            # MLflow's word for an experiment of trainings rather than of agents and their traces.
            tags = {"mlflow.experimentKind": "custom_model_development"}
            return str(self._client.create_experiment(self._plan.name, tags=tags))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _search(self, condition: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], condition, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _find_parent(self) -> str | None:
        return next((str(run.info.run_id) for run in self._search(f"tags.`ablate.owner` = '{self._owner}'")), None)

    def _create_parent(self) -> str:
        tags = {"study": self._plan.study.name, "ablate.owner": self._owner, "quick": str(self._plan.quick).lower()}
        name = f"{self._plan.name} (study)"
        return str(self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id)

    def forget(self) -> None:
        for key, _ in self._shown.values():
            self._client.delete_run(key)
        self._shown.clear()

    def shows(self, run_id: str, state: str) -> str | None:
        key, shown = self._shown.get(run_id, ("", ""))
        return key if shown == state else None

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        """Show the run with its own times, params, tags, final metrics and the study's curves.

        An earlier attempt that ended otherwise is deleted, which in MLflow can be undone.
        """
        from mlflow.entities import Param, RunTag

        start = int(record.started * 1000)
        end = start + int(record.seconds * 1000)
        key, shown = self._shown.get(run.id, ("", ""))
        if shown:
            self._client.delete_run(key)
        if shown or not key:
            key = str(self._client.create_run(self._experiment, start, tags=self._tags(run), run_name=run.name).info.run_id)
            self._shown[run.id] = key, ""
        params = [Param(_key(name), str(value)) for name, value in run.cell.params.items()]
        for some in batched(params, PARAMS):
            self._client.log_batch(key, params=some)
        for some in batched(self._metrics(record, curves, end), METRICS):
            self._client.log_batch(key, metrics=some)
        for path in artifacts:
            self._client.log_artifact(key, str(path))
        last = {"state": record.state} | ({"mlflow.note.content": record.error} if record.error else {})
        self._client.log_batch(key, tags=[RunTag(name, text) for name, text in last.items()])
        self._client.set_terminated(key, "FINISHED" if record.state == "completed" else "FAILED", end)
        self._shown[run.id] = key, record.state
        return key

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
                metrics += [Metric(_key(name), value, timestamp, step) for step, value in points]
                if points and points[-1] == (last, final.get(name)):
                    del final[name]
        finite = {name: value for name, value in final.items() if math.isfinite(value)}
        return metrics + [Metric(_key(name), value, timestamp, last) for name, value in finite.items()]

    def _tags(self, run: PlannedRun) -> dict[str, str]:
        tags = {
            "mlflow.parentRunId": self._parent,
            "study": self._plan.study.name,
            "run_id": run.id,
            "cell": run.cell.id,
            "arm": run.cell.label,
            "seed": str(run.seed),
            "quick": str(self._plan.quick).lower(),
        }
        if self._plan.contexts:
            tags["context"] = self._plan.context_of(run.cell.id) or OWN
        return tags | {f"fix.{name}": "on" if on else "off" for name, on in run.cell.fixes.items()}

    def close(self, metrics: Mapping[str, float], artifacts: Iterable[Path]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._parent, metrics=[Metric(_key(name), value, now, 0) for name, value in metrics.items()])
        for path in artifacts:
            self._client.log_artifact(self._parent, str(path))
        self._client.set_terminated(self._parent)


def _key(name: str) -> str:
    """A name that MLflow takes: it allows letters, digits and `_-./ :` (acc@1 becomes acc_1)."""
    return re.sub(r"[^\w\-./ :]", "_", name)


def batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Runs of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))
