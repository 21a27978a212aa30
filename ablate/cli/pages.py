"""The command that opens MLflow's page: ui."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli.app import app, say
from ablate.cli.options import TrackingUri
from ablate.errors import BadInput
from ablate.secrets import check_address, without_secrets


@app.command()
def ui(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.yaml]", help="The study file; default the newest study.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The study's runs of --quick.")] = False,
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of this machine.")] = 5000,
) -> None:
    """Open MLflow's page on this machine, and say where a study's runs and its arms side by side are. Ctrl-C ends it."""
    from ablate.study import load_study
    from ablate.tracking.address import is_server
    from ablate.tracking.serve import address, check_port, find_pages, serving

    uri = tracking_from(tracking_uri)
    if quick and study is None:
        raise BadInput("--quick: names no study; give its file as well, or neither for the newest")
    name = load_study(study).name + ("-quick" if quick else "") if study else None
    if is_server(uri):
        _say(find_pages(uri, name), address(uri, port))
        return
    check_port(port)
    found = find_pages(uri, name)
    try:
        say("starting MLflow's page (Ctrl-C ends it) …")
        with serving(uri, port) as server:
            _say(found, address(uri, port))
            server.wait()
    except KeyboardInterrupt:
        return


def tracking_from(given: str | None) -> str:
    """The tracking store: the option's, the environment's, or MLflow's default."""
    from ablate.tracking import DEFAULT_URI

    uri = given or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    check_address("--tracking-uri", uri)
    return uri


def _say(found: Mapping[str, str], base: str) -> None:
    """What each page shows, and below it its address, whole on a line; flushed, as whoever reads them waits for them."""
    for name, page in found.items():
        print(f"{name}\n  {without_secrets(base)}/{page}", flush=True)
