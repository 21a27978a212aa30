"""The study's page: its description, the verdict as a table, and the report, with the study's run and its experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ablate.publication import COLUMNS, Publication
from ablate.tracking import links
from ablate.tracking.store import NOTE, Experiment
from ablate.tracking.texts import description

#: The experiment's tag that says which folder's study its description is of.
SHOWN = "ablate.shown"
#: The verdict as MLflow shows tables.
TABLE = "verdict_table.json"
#: Their folder among the artifacts.
FIGURES = "figures"


def publish(experiment: Experiment, parent: str, publication: Publication, compared: Mapping[str, str]) -> None:
    """Write it in place of what was there before.

    Args:
        compared: addresses of pages that show the arms side by side.
    """
    client = experiment.client
    for path in publication.files:
        experiment.put(parent, path)
    if publication.figures is not None:
        figures = sorted(path for path in publication.figures.iterdir() if path.is_file())
        for path in figures:
            experiment.put(parent, path, FIGURES)
        experiment.take_away(parent, FIGURES, [path.name for path in figures])
    client.log_text(parent, json.dumps({"columns": COLUMNS, "data": publication.table}), TABLE)
    client.set_tag(parent, "mlflow.loggedArtifacts", json.dumps([{"path": TABLE, "type": "table"}]))
    files = {name: links.artifact(experiment.key, parent, name) for name in (path.name for path in publication.files)}
    note = description(publication, files, compared)
    client.set_tag(parent, NOTE, note)
    client.set_experiment_tag(experiment.key, NOTE, note)
    client.set_experiment_tag(experiment.key, SHOWN, parent)
