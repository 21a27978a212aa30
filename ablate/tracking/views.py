"""Views of MLflow's page that a study leaves with its experiment: the charts worth looking at, and runs grouped by a fix.

An address can't say which charts are shown and by what runs are grouped. MLflow's own Share button keeps that as a tag of the
experiment, which an address names; so it is kept here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ablate.tracking import links
from ablate.tracking.store import Experiment, key

#: Where MLflow looks for a shared view.
SHARED = "mlflow.sharedViewState."
#: The tag of a study's run that lists its views: label → address.
VIEWS = "ablate.views"


def publish(
    experiment: Experiment, parent: str, arms: str, trainings: str, metrics: Sequence[str], fixes: Sequence[str]
) -> dict[str, str]:
    """Leave a study's views, in place of those that it left before.

    Args:
        parent: the study's run.
        arms, trainings: conditions that its arms, and its trainings of the design, meet.
        metrics: those that can be compared across arms, as a training has them; the outcome first.
        fixes: all, the most helpful first.

    Returns:
        what a view shows → its address; the first shows the arms, the others both sides of a fix.
    """
    shown = {"curves": _state(arms, ["outcome/mean", *(f"{name}_mean" for name in metrics)])}
    shown |= {f"{fix} on, off": _state(trainings, metrics, key(f"fix.{fix}")) for fix in fixes}
    addresses = {}
    for index, (label, state) in enumerate(shown.items()):
        name = f"{parent[:8]}-{index}"
        experiment.client.set_experiment_tag(experiment.key, f"{SHARED}{name}", json.dumps(state))
        addresses[label] = links.shared(experiment.key, name)
    experiment.client.set_tag(parent, VIEWS, json.dumps(addresses))
    return addresses


def _state(condition: str, metrics: Sequence[str], grouped: str = "") -> dict[str, Any]:
    """What MLflow keeps of a view: the runs, the charts by a regular expression, and a tag to group by."""
    keys = [{"mode": "tag", "groupByData": grouped}]
    return {
        "searchFilter": condition,
        "chartsSearchFilter": f"^({'|'.join(map(re.escape, dict.fromkeys(metrics)))})$",
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys} if grouped else None,
        "runsHiddenMode": "SHOW_ALL",
    }
