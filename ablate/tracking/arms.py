"""A run for each arm of a study: means over its seeds with their intervals, so that comparing 8 arms is 8 lines.

MLflow draws no mean over runs. These runs stand beside the study's own run, not under it, where there are trainings alone: so the
first view of the experiment holds the study and its arms. They lack what only a training has (`cell`, `seed`, `run_id`): a search
for it finds trainings alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ablate.design import Plan
from ablate.publication import ArmLines
from ablate.tracking import colours, links
from ablate.tracking.store import Experiment, key

#: The tags that say whose arm a run is, and a hash of what is in it, which is written last.
OF, HASH = "ablate.arm_of", "ablate.content"
#: Raise it when the same arm is to be shown otherwise.
VERSION = 2


def condition(owner: str) -> str:
    """What a study's arms meet, and no other run."""
    return f"tags.`{OF}` = '{owner}'"


def pages(experiment: str, owner: str, runs: Sequence[str], views: Mapping[str, str]) -> dict[str, str]:
    """Addresses of pages that show a study's arms side by side, by what they show.

    Args:
        experiment: its id.
        runs: the arms'.
        views: addresses of what the study left (`views`); the first shows its arms.
    """
    if not runs:
        return {}
    whole = {"every curve": links.charts(experiment, condition(owner)), "arms": links.compare(experiment, runs)}
    return dict(list(views.items())[:1]) | whole | dict(list(views.items())[1:])


def fix_tags(fixes: Mapping[str, bool]) -> dict[str, str]:
    """`fix.<name>`: on or off, by which runs can be grouped."""
    return {key(f"fix.{name}"): "on" if on else "off" for name, on in fixes.items()}


def publish(experiment: Experiment, plan: Plan, owner: str, lines: Sequence[ArmLines]) -> list[str]:
    """Show the arms; one that is there as it is now is left alone, any other is replaced, never added to.

    Returns:
        their runs, in the order of `lines`.
    """
    whole = [run for run in _runs(experiment, owner) if run.info.status != "RUNNING"]
    there = {run.data.tags.get(HASH, ""): str(run.info.run_id) for run in whole}
    wanted = {_hash(arm): arm for arm in lines}
    experiment.delete(run for run in _ids(experiment, owner) if run not in {there.get(content) for content in wanted})
    return [there.get(content) or _create(experiment, plan, owner, arm, content) for content, arm in wanted.items()]


def forget(experiment: Experiment, owner: str) -> None:
    """Take the arms away."""
    experiment.delete(_ids(experiment, owner))


def _runs(experiment: Experiment, owner: str) -> list[Any]:
    return list(experiment.search(condition(owner)))


def _ids(experiment: Experiment, owner: str) -> list[str]:
    return [str(run.info.run_id) for run in _runs(experiment, owner)]


def _create(experiment: Experiment, plan: Plan, owner: str, arm: ArmLines, content: str) -> str:
    tags = {
        "kind": "arm",
        "study": plan.study.name,
        "arm": arm.label,
        "seeds": str(arm.seeds),
        "quick": str(plan.quick).lower(),
        colours.TAG: colours.colour_of(arm.fixes),
        OF: owner,
    }
    end = int(1000 * arm.ended)
    run = experiment.create(arm.name, tags | fix_tags(arm.fixes), int(1000 * arm.started))
    experiment.log(run, _metrics(arm, end), arm.params)
    experiment.client.set_terminated(run, "FINISHED", end)
    experiment.log(run, tags={HASH: content})
    return run


def _metrics(arm: ArmLines, timestamp: int) -> list[Any]:
    """Curves at the middle of each window of steps (rounded), the outcome at the last step."""
    from mlflow.entities import Metric

    found = []
    for name, band in arm.curves.items():
        for part in ("mean", "low", "high"):
            points = zip(band.steps.tolist(), getattr(band, part).tolist(), strict=True)
            found += [
                Metric(f"{key(name)}_{part}", value, timestamp, round(step)) for step, value in points if math.isfinite(value)
            ]
    last = max((metric.step for metric in found), default=0)
    final = {f"outcome/{part}": value for part, value in arm.outcome.items()} | {"seeds": float(arm.seeds)}
    return found + [Metric(name, value, timestamp, last) for name, value in final.items()]


def _hash(arm: ArmLines) -> str:
    curves = {name: [each.tolist() for each in (band.steps, band.mean, band.low, band.high)] for name, band in arm.curves.items()}
    shown = [VERSION, arm.name, arm.cell, dict(arm.fixes), dict(arm.params), dict(arm.outcome), curves, arm.started, arm.ended]
    return hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()
