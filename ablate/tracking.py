"""The MLflow side: a mirror of the records that people compare runs in. The only module that imports MLflow."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.design import Plan, PlannedRun
from ablate.errors import BadInput
from ablate.records import Record

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_URI = "sqlite:///mlflow.db"
#: MLflow's limit on the metrics of one call.
BATCH = 1000


class Tracker(Protocol):
    """Where runs are mirrored."""

    known: dict[str, str]

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        """Show a run that ended; returns the id it has there."""

    def close(self, metrics: Mapping[str, float], artifacts: Iterable[Path]) -> None:
        """Show the verdict and the report with the study."""


class NullTracker:
    """Mirrors nothing (`--tracking-uri none`)."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        return None

    def close(self, metrics: Mapping[str, float], artifacts: Iterable[Path]) -> None:
        pass


class MLflowTracker:
    """One experiment a study, a parent run, and a child run a training.

    Args:
        uri: the tracking store or server.
        plan: the study.
        fresh: delete the runs that are there (MLflow keeps them restorable).

    Attributes:
        known: MLflow's run id of each run that is there in full, by our run id.

    Raises:
        BadInput: if the store can't be opened.
    """

    def __init__(self, uri: str, plan: Plan, fresh: bool = False) -> None:
        from mlflow.tracking import MlflowClient

        for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
            logging.getLogger(name).setLevel(logging.WARNING)

        self._plan = plan
        try:
            self._client = MlflowClient(uri)
            self._experiment = self._open_experiment()
            runs = sorted(self._all_runs(), key=lambda run: run.info.start_time)
        except Exception as error:  # each kind of store raises its own
            reason = str(error).splitlines()[0]
            raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({reason}); give one that can, or none") from error
        if fresh:
            for run in runs:
                self._client.delete_run(run.info.run_id)
            runs = []
        self._half = {
            r.data.tags["run_id"]: r.info.run_id for r in runs if "run_id" in r.data.tags and r.info.status == "RUNNING"
        }
        self.known = {
            r.data.tags["run_id"]: r.info.run_id for r in runs if "run_id" in r.data.tags and r.info.status != "RUNNING"
        }
        parents = [run.info.run_id for run in runs if run.data.tags.get("ablate.role") == "study"]
        self._parent = parents[0] if parents else self._create_parent()

    def _open_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._plan.name)
        if found is None:
            # The tag opens MLflow's page on runs and charts rather than on traces.
            return str(
                self._client.create_experiment(self._plan.name, tags={"mlflow.experimentKind": "custom_model_development"})
            )
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _all_runs(self) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _create_parent(self) -> str:
        tags = {"study": self._plan.study.name, "ablate.role": "study", "quick": str(self._plan.quick).lower()}
        name = f"{self._plan.name} (study)"
        return str(self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id)

    def mirror(self, run: PlannedRun, record: Record, curves: pd.DataFrame, artifacts: Iterable[Path]) -> str | None:
        """Create the run with its own times, params, tags, final metrics and the study's curves. Half-made ones are completed."""
        from mlflow.entities import Metric, Param, RunTag

        start = int(record.started * 1000)
        end = start + int(record.seconds * 1000)
        key = self._half.get(run.id)
        if key is None:
            created = self._client.create_run(self._experiment, start, tags=self._tags(run, record), run_name=run.name)
            key = self._half[run.id] = str(created.info.run_id)
        params = [Param(_key(name), str(value)) for name, value in run.cell.params.items()]
        final = {**record.metrics, "seconds": record.seconds}
        last = int(curves["step"].max()) if len(curves) else 0
        metrics = [Metric(_key(name), value, end, last) for name, value in final.items() if math.isfinite(value)]
        for name in self._plan.study.curves:
            if name in curves and name not in final:
                series = curves[["step", name]].dropna()
                metrics += [Metric(_key(name), v, end, int(s)) for s, v in zip(series["step"], series[name], strict=True)]
        self._client.log_batch(
            key, params=params[:100], tags=[RunTag("mlflow.note.content", record.error)] if record.error else []
        )
        for offset in range(0, len(metrics), BATCH):
            self._client.log_batch(key, metrics=metrics[offset : offset + BATCH])
        for path in artifacts:
            self._client.log_artifact(key, str(path))
        self._client.set_terminated(key, "FINISHED" if record.state == "completed" else "FAILED", end)
        self.known[run.id] = key
        del self._half[run.id]
        return key

    def _tags(self, run: PlannedRun, record: Record) -> dict[str, str]:
        tags = {
            "mlflow.parentRunId": self._parent,
            "study": self._plan.study.name,
            "run_id": run.id,
            "cell": run.cell.id,
            "arm": run.cell.label,
            "seed": str(run.seed),
            "quick": str(self._plan.quick).lower(),
            "state": record.state,
        }
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
