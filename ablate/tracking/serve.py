"""MLflow's page on this machine, over a store; and where on it a study's runs and the comparison of its arms are."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from ablate.errors import BadInput
from ablate.tracking import links
from ablate.tracking.address import check_exists, is_server
from ablate.tracking.arms import condition, pages
from ablate.tracking.page import SHOWN
from ablate.tracking.store import SETTINGS, Experiment, client, reason
from ablate.tracking.views import VIEWS

HOST = "127.0.0.1"
#: No workers for jobs of the server's own (it judges agents by them): each imports all of MLflow, six in all.
WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
#: Seconds that the server has to answer, and to end.
STARTING, ENDING = 120, 10


def find_pages(uri: str, name: str | None = None) -> dict[str, str]:
    """Addresses of the runs of the study of this name, or of a quick one of it, and of pages that show its arms side by side.

    Args:
        name: without it, the newest study in the store is meant.

    Returns:
        what it shows → its address, relative to the server.

    Raises:
        BadInput: if there is no such store, or no such study in it.
    """
    check_exists(uri)
    try:
        found = _newest(uri, [name, f"{name}-quick"] if name else [])
    except Exception as error:  # each kind of store raises its own
        raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({reason(error)}); give one that can") from error
    if found is None:
        which = f"study {name!r}" if name else "study of ablate"
        raise BadInput(f"--tracking-uri: {uri!r} holds no {which}; run it first, or name the store it was logged to")
    experiment, title, tags = found
    owner, views = tags["ablate.owner"], json.loads(tags.get(VIEWS, "{}"))
    runs = sorted(experiment.search(condition(owner)), key=lambda run: _order(run.data.tags))
    keys = [str(run.info.run_id) for run in runs]
    return {title: links.experiment(experiment.key), **pages(experiment.key, owner, keys, views)}


def _newest(uri: str, names: list[str]) -> tuple[Experiment, str, dict[str, str]] | None:
    """The first experiment of these names that holds a study, or without names the newest; its name, and the study's tags."""
    store = client(uri)
    named = [store.get_experiment_by_name(each) for each in names] if names else store.search_experiments()
    found = []
    for each in (each for each in named if each is not None and each.lifecycle_stage == "active"):
        experiment = Experiment(store, str(each.experiment_id))
        parents = list(experiment.search("tags.kind = 'study'", newest=True))
        parents.sort(key=lambda parent: str(parent.info.run_id) != each.tags.get(SHOWN))  # the one that the description is of
        for parent in parents[:1]:
            found.append((parent.info.start_time, (experiment, str(each.name), dict(parent.data.tags))))
    if not found:
        return None
    return found[0][1] if names else max(found, key=lambda item: item[0])[1]


def _order(tags: dict[str, str]) -> tuple[int, str]:
    """All off first, all on last."""
    return sum(value == "on" for key, value in tags.items() if key.startswith("fix.")), tags.get("arm", "")


def check_port(port: int) -> None:
    """See that the port is free.

    Raises:
        BadInput: if it isn't.
    """
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError as error:
            raise BadInput(f"--port: {port} can't be used ({error.strerror}); give another with --port") from None


@contextmanager
def serving(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server over a store, on this machine alone, once it answers; it and its workers end with the context.

    Raises:
        BadInput: if it ends before it answers.
    """
    # The store's address may hold a password, and so is no word of the command.
    words = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    with TemporaryFile() as log:
        server = subprocess.Popen(
            [*words, "--workers", "1"],
            env={**SETTINGS, **WITHOUT_JOBS, **os.environ, "MLFLOW_BACKEND_STORE_URI": uri},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it ends when we say so, with all that it started
        )
        try:
            _await(server, f"http://{HOST}:{port}/health", uri, log)
            yield server
        finally:
            _end(server)


def _await(server: subprocess.Popen[bytes], health: str, uri: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + STARTING
    while not _answers(health):
        if server.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            said = log.read().decode(errors="replace").strip().splitlines()
            raise BadInput(
                f"--tracking-uri: MLflow's server over {uri!r} does not start ({said[-1] if said else 'no reason given'})"
            )
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, and see that it does."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
        except ProcessLookupError:
            break
        try:
            server.wait(ENDING)
        except subprocess.TimeoutExpired:
            continue
    server.wait()


def address(uri: str, port: int) -> str:
    """Where the page is: a server's own address, or this machine's."""
    return uri.rstrip("/") if is_server(uri) else f"http://{HOST}:{port}"
