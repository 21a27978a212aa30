"""The command that opens MLflow's page: ui."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli.app import app
from ablate.cli.options import TrackingUri


@app.command()
def ui(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.yaml]", help="The study file; default the newest study.")
    ] = None,
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of this machine.")] = 5000,
) -> None:
    """Open MLflow's page on this machine, and say where a study's runs and its arms side by side are. Ctrl-C ends it."""
    from ablate.study import load_study
    from ablate.tracking.serve import address, check_port, find_pages, serving
    from ablate.tracking.store import is_server

    uri = tracking_from(tracking_uri)
    name = load_study(study).name if study else None
    if is_server(uri):
        _say(find_pages(uri, name), address(uri, port))
        return
    check_port(port)
    found = find_pages(uri, name)
    try:
        with serving(uri, port) as server:
            _say(found, address(uri, port))
            server.wait()
    except KeyboardInterrupt:
        return


def tracking_from(given: str | None) -> str:
    """The tracking store: the option's, the environment's, or MLflow's default."""
    from ablate.tracking import DEFAULT_URI

    return given or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def _say(found: Mapping[str, str], base: str) -> None:
    """The addresses; flushed, as whoever reads them waits for them."""
    width = max(map(len, found)) + 2
    for name, page in found.items():
        print(f"{name:<{width}}{base}/{page}", flush=True)
