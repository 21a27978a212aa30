"""An experiment in MLflow: opened, searched and written to. What MLflow would say on the way is kept quiet."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from ablate.errors import AblateError
from ablate.secrets import without_secrets
from ablate.tracking.bulk import add_history

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

#: MLflow's limits on one call: on metrics, params and tags together, and on params or tags.
ENTITIES, NAMED = 1000, 100
#: So many metrics are no trouble to log.
FEW = 100
#: MLflow's limit on a name's characters, less what `key` and the arms' lines put behind it.
LONGEST_KEY = 250 - len("-0000") - len("_mean")
#: Characters of what a store says of a failure.
LONGEST = 160
#: How MLflow words an answer that is an error.
ANSWER = re.compile(r"failed with error code (\d{3})|too many (\d{3}) error responses")
#: MLflow's codes for what it won't take whenever it is sent; HTTP's of 4xx that may pass: who asks, how often, how long it took.
REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"}
PASSING = {401, 403, 407, 408, 429}
#: MLflow's word for an experiment of trainings rather than of agents and their traces.
KIND = {"mlflow.experimentKind": "custom_model_development"}
#: The tag that holds a description, in Markdown.
NOTE = "mlflow.note.content"
#: Settings of the process, unless the user made others. A request is sent once: sent again behind our back after its answer was
#: lost, it would make a second run. Nothing is sent elsewhere, and stdout is ours.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # with its password
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def settle_settings() -> None:
    """Make the settings, before MLflow is imported or a thread is started."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def client(uri: str) -> MlflowClient:
    """A client that says nothing by itself: what goes wrong is raised, and MLflow would print it with a traceback as well."""
    settle_settings()
    from mlflow.tracking import MlflowClient

    for name in ("alembic", "mlflow", "mlflow.store.db.utils", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient(uri)


class Experiment:
    """One experiment.

    Args:
        client: of the store that it is in.
        key: its id.
    """

    def __init__(self, client: MlflowClient, key: str) -> None:
        self.client, self.key = client, key
        #: Is called whenever the store has taken something.
        self.heard: Callable[[], None] = lambda: None

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
            self.heard()
            yield from page
            token = page.token
            if not token:
                return

    def create(self, name: str, tags: Mapping[str, str], start: int | None = None) -> str:
        """A new run; times are in ms since the epoch."""
        run = str(self.client.create_run(self.key, start, tags=dict(tags), run_name=name).info.run_id)
        self.heard()
        return run

    def log(
        self,
        run: str,
        metrics: Sequence[Any] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write to a run, in as few calls as MLflow takes; the tags come last, and what they speak of is there."""
        from mlflow.entities import Param, RunTag

        said = [RunTag(name, text) for name, text in (tags or {}).items()]
        given = [Param(key(name), str(value)) for name, value in (params or {}).items()]
        *earlier, last = list(batched(given, NAMED)) or [[]]
        for some in earlier:
            self.client.log_batch(run, params=some)
        metrics = add_history(self.client, run, metrics) if len(metrics) > FEW else metrics
        room = ENTITIES - len(last) - len(said)
        for some in batched(metrics[room:], ENTITIES):
            self.client.log_batch(run, metrics=some)
        self.client.log_batch(run, metrics=metrics[:room], params=last, tags=said)
        self.heard()

    def put(self, run: str, path: Path, folder: str | None = None) -> None:
        """Show a file with a run."""
        self.client.log_artifact(run, str(path), folder)
        self.heard()

    def take_away(self, run: str, folder: str, names: Iterable[str]) -> None:
        """Remove what a run's folder of artifacts holds besides these names, where the store of artifacts can remove anything."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        kept = {f"{folder}/{name}" for name in names}
        stale = [item.path for item in self.client.list_artifacts(run, folder) if not item.is_dir and item.path not in kept]
        if not stale:
            return
        store = get_artifact_repository(self.client.get_run(run).info.artifact_uri, self.client.tracking_uri)
        with suppress(NotImplementedError):  # some only ever add
            for path in stale:
                store.delete_artifacts(path)

    def delete(self, runs: Iterable[str]) -> None:
        """Delete runs, which in MLflow can be undone."""
        for run in runs:
            self.client.delete_run(run)
            self.heard()


def key(name: str) -> str:
    """A name that MLflow takes: it allows 250 letters, digits and `_-./ :` that are no path with a way up or round.

    One that is changed for it ends in a hash of what it was, so that two names stay two: acc@1 becomes `acc_1-71df`.
    """
    allowed = re.sub(r"[^\w\-./ :]", "_", name)
    tidy = "/".join(part for part in allowed.split("/") if part.strip(". ") or part.strip("."))[:LONGEST_KEY]
    return (
        name if tidy == name and name else f"{tidy}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:4]}".lstrip("-")
    )


def batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Runs of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def reason(error: BaseException) -> str:
    """What went wrong, in a short line: each kind of store raises its own, and of a connection the innermost says it best."""
    causes = list(_causes(error))
    if isinstance(error, AblateError):
        return reason(error.__cause__) if error.__cause__ else str(error)
    if any(isinstance(each, TimeoutError) or type(each).__name__.endswith(("Timeout", "TimeoutError")) for each in causes):
        return f"no answer in {os.environ.get('MLFLOW_HTTP_REQUEST_TIMEOUT', '120')} s"
    system = causes[-1] if isinstance(causes[-1], OSError) and causes[-1].strerror else None
    said = system.strerror if system else str(error).partition("\n")[0] or type(error).__name__
    if answer := ANSWER.search(str(said)):
        code = int(answer[1] or answer[2])
        said = f"it answers {code} {_phrase(code)}".strip()
    said = without_secrets(str(said))
    return shorten(said, LONGEST, placeholder=" …") if len(said.split()[0]) < LONGEST else said[:LONGEST]


def refused(error: BaseException) -> bool:
    """Whether it is what was sent that a store won't take, so that sending it again is of no use; else it is the store."""
    code = getattr(error, "error_code", None)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if code is not None:
        return code in REFUSALS
    if status is not None:
        return 400 <= status < 500 and status not in PASSING
    if isinstance(error, FileNotFoundError):  # of ours: the store's own would be made
        return True
    return not isinstance(error, OSError) and not type(error).__module__.startswith(("sqlalchemy", "urllib3", "requests"))


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in {each.value for each in HTTPStatus} else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
