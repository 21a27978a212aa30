"""The trainings under a study's run: which are there in full, and which are not as the records say and have to go.

A store that went away may have done what it was asked to and not have answered: so there may be a training twice, or half of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ablate.records import Record
from ablate.tracking.store import Experiment

#: The tag that tells trainings of the design's arms from those of contexts and sweeps.
PART = "part"


@dataclass(frozen=True)
class Child:
    """A training as the store has it.

    Attributes:
        key: its id there.
        start: when it was started, in ms since the epoch, which tells it from another attempt at the same run.
        state: how the run ended; empty where not all of it is there.
        trial: its number in Optuna, as it was told.
        told: whether it says which part of the study it is of.
    """

    key: str
    start: int
    state: str = ""
    trial: str | None = None
    told: bool = True

    def is_of(self, record: Record) -> bool:
        """Whether it shows this attempt, in full or not."""
        return self.start == start_of(record) and self.state in ("", record.state)

    def shows(self, record: Record) -> bool:
        """Whether it shows this attempt in full."""
        return self.is_of(record) and bool(self.state) and (record.trial is None or self.trial == str(record.trial))


def start_of(record: Record) -> int:
    """When a run was started, in ms since the epoch."""
    return int(record.started * 1000)


def reconcile(
    experiment: Experiment, parent: str, records: Mapping[str, Record], spared: Collection[str] = ()
) -> dict[str, Child]:
    """See that each recorded run is there once at most, and nothing else: what has to go is deleted, which can be undone.

    Args:
        records: all that the study's folder has.
        spared: runs whose record is damaged: what the store has of them may be all there is, and stays until one takes its place.

    Returns:
        the trainings that stay, by run id.
    """
    found: dict[str, list[Child]] = {}
    for each in experiment.search(f"tags.mlflow.parentRunId = '{parent}'"):
        found.setdefault(each.data.tags.get("run_id", ""), []).append(_child(each))
    stays = {run: best for run, several in found.items() if (best := _best(several, records.get(run), run in spared))}
    kept = {child.key for child in stays.values()}
    kept |= {child.key for run in stays.keys() - records.keys() for child in found[run]}
    experiment.delete(child.key for several in found.values() for child in several if child.key not in kept)
    return stays


def _best(several: list[Child], record: Record | None, spared: bool) -> Child | None:
    """The one to keep: in full rather than not, and the one that the record knows."""
    if record is None:
        return max(several, key=lambda child: bool(child.state)) if spared else None
    fit = [child for child in several if child.is_of(record)]
    return max(fit, key=lambda child: (child.shows(record), bool(child.state), child.key == record.mlflow), default=None)


def _child(run: Any) -> Child:
    tags = run.data.tags
    whole = "kind" in tags and run.info.status != "RUNNING"  # one from before its record was kept with it is completed
    state = tags.get("state", "") if whole else ""
    return Child(str(run.info.run_id), int(run.info.start_time or 0), state, tags.get("trial"), PART in tags)
