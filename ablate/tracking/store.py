"""An experiment in MLflow: opened, searched and written to. What MLflow would say on the way is kept quiet."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ablate.errors import BadInput

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

#: MLflow's limits on one call: on metrics, params and tags together, and on params or tags.
ENTITIES, NAMED = 1000, 100
#: Characters of what a store says of a failure.
LONGEST = 160
#: MLflow's word for an experiment of trainings rather than of agents and their traces.
KIND = {"mlflow.experimentKind": "custom_model_development"}
#: The tag that holds a description, in Markdown.
NOTE = "mlflow.note.content"
#: Settings of the process, unless the user made others: that a server is down is said in seconds, and nothing is sent elsewhere.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # with its password
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def client(uri: str) -> MlflowClient:
    """A client that says nothing by itself."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(uri)


def is_server(uri: str) -> bool:
    """Whether the address is a tracking server's, and not a store's that this machine opens by itself."""
    return urlsplit(uri).scheme in ("http", "https")


def check_exists(uri: str) -> None:
    """See that a store in a file or a folder is there: MLflow would make one.

    Raises:
        BadInput: if it isn't.
    """
    parts = urlsplit(uri)
    if parts.scheme.startswith("sqlite"):
        path = Path(unquote(parts.path[1:]))
        if not path.is_file() or not _is_mlflow(path):
            raise BadInput(f"--tracking-uri: {path} is no MLflow store; run a study first, or name the store it was logged to")
    elif parts.scheme in ("", "file") and not Path(unquote(parts.path)).is_dir():
        raise BadInput(f"--tracking-uri: {uri!r} is no folder and no address; name the store that the study was logged to")


def _is_mlflow(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            return bool(store.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchall())
    except sqlite3.Error:
        return False


class Experiment:
    """One experiment.

    Args:
        client: of the store that it is in.
        key: its id.
    """

    def __init__(self, client: MlflowClient, key: str) -> None:
        self.client, self.key = client, key

    @classmethod
    def named(cls, client: MlflowClient, name: str) -> Experiment:
        """The experiment of this name, made where it is missing, and of the kind that trainings are."""
        found = client.get_experiment_by_name(name)
        if found is None:
            return cls(client, str(client.create_experiment(name, tags=KIND)))
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        if not KIND.items() <= dict(found.tags).items():
            for key, value in KIND.items():
                client.set_experiment_tag(found.experiment_id, key, value)
        return cls(client, str(found.experiment_id))

    def search(self, condition: str, newest: bool = False) -> Iterator[Any]:
        """The runs that meet a condition; the newest first where that is wanted."""
        token, order = None, ["attributes.start_time DESC"] if newest else None
        while True:
            page = self.client.search_runs([self.key], condition, max_results=1000, order_by=order, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def create(self, name: str, tags: Mapping[str, str], start: int | None = None) -> str:
        """A new run; times are in ms since the epoch."""
        return str(self.client.create_run(self.key, start, tags=dict(tags), run_name=name).info.run_id)

    def log(
        self,
        run: str,
        metrics: Sequence[Any] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write to a run, in as few calls as MLflow takes: the first one holds what is named, the tags come last."""
        from mlflow.entities import Param, RunTag

        said = [RunTag(name, text) for name, text in (tags or {}).items()]
        given = [Param(key(name), str(value)) for name, value in (params or {}).items()]
        first, *more = list(batched(given, NAMED)) or [[]]
        for some in more:
            self.client.log_batch(run, params=some)
        room = ENTITIES - len(first)
        for some in batched(metrics[room:], ENTITIES):
            self.client.log_batch(run, metrics=some)
        self.client.log_batch(run, metrics=metrics[:room], params=first)
        for some in batched(said, NAMED):
            self.client.log_batch(run, tags=some)

    def delete(self, runs: Iterable[str]) -> None:
        """Delete runs, which in MLflow can be undone."""
        for run in runs:
            self.client.delete_run(run)


def key(name: str) -> str:
    """A name that MLflow takes: it allows letters, digits and `_-./ :` (acc@1 becomes acc_1)."""
    return re.sub(r"[^\w\-./ :]", "_", name)


def batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Runs of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def reason(error: BaseException) -> str:
    """What went wrong, in a short line: each kind of store raises its own, and of a connection the innermost says it best."""
    innermost = list(_causes(error))[-1]
    system = innermost if isinstance(innermost, OSError) and innermost.strerror else None
    said = system.strerror if system else str(error).partition("\n")[0] or type(error).__name__
    return shorten(str(said), LONGEST, placeholder=" …") if len(str(said).split()[0]) < LONGEST else str(said)[:LONGEST]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
