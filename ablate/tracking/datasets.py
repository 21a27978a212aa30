"""What a training was trained on, as MLflow's data set inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ablate.design import Plan, PlannedRun

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

#: MLflow's limit on a digest's characters.
DIGEST = 36
#: The param that names data where a target declares nothing (`Declaration.dataset`).
PARAM = "data"


def log_datasets(client: MlflowClient, run: str, plan: Plan, trained: Sequence[PlannedRun]) -> None:
    """Note with a run what these trainings were trained on; nothing where their target names nothing."""
    found = {digest_of(parts): parts for each in trained if (parts := dataset_of(plan, each))}
    if not found:
        return
    inputs = [_input(digest, json.dumps(parts, sort_keys=True, default=str)) for digest, parts in sorted(found.items())]
    client.log_inputs(run, inputs)


def dataset_of(plan: Plan, run: PlannedRun) -> dict[str, Any]:
    """The data's `name`, and all that tells its contents apart; empty where it has none."""
    declared = plan.target.declaration
    if declared.dataset is not None:
        return dict(declared.dataset(run.cell.params, run.seed))
    named = run.cell.params.get(PARAM)
    if not isinstance(named, str) or not named:
        return {}
    contents = declared.fingerprint(run.cell.params) if declared.fingerprint else ""
    return {"name": named, PARAM: named} | ({"contents": contents} if contents else {})


def digest_of(parts: dict[str, Any]) -> str:
    """The same for the same contents."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:DIGEST]


@cache
def _input(digest: str, described: str) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name = str(json.loads(described)["name"])
    dataset = Dataset(name=name, digest=digest, source_type="local", source=json.dumps({"uri": name}), profile=described)
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", "training")])
