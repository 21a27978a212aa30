"""What the tracking store is told of a study, and when. The records are the spool: what it lacks can be told at any time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.design import PlannedRun
from ablate.kept import beside
from ablate.records import Record, Records

if TYPE_CHECKING:
    from ablate.publication import Publication
    from ablate.tracking import Tracker


class Mirror:
    """Tells a tracker of runs, from their records.

    Args:
        tracker: where runs are shown.
        records: where they are kept; a record that is shown is given its id there.
    """

    def __init__(self, tracker: Tracker, records: Records) -> None:
        self._tracker, self._records = tracker, records
        self._down = False

    def begin(self) -> None:
        """Be told that trainings are about to start."""
        self._reach(lambda: self._tracker.begin(beside(self._records.out)))

    def show(self, run: PlannedRun, record: Record, anew: bool = False) -> None:
        """Show a run that ended; `anew`: the store can only hold an earlier attempt."""
        shown = None if anew else self._tracker.shows(run.id, record.state, record.trial)
        if shown is None:
            kept = self._records
            parts = kept.curves(run.id), kept.artifacts(run.id), kept.stored(run.id)
            shown = self._reach(lambda: self._tracker.mirror(run, record, *parts)) or record.mlflow
        if shown != record.mlflow:
            self._records.save(replace(record, mlflow=shown))

    def catch_up(self, runs: Iterable[PlannedRun], records: Mapping[str, Record]) -> None:
        """Show the recorded runs that the store lacks: it was down, or the driver was killed in between."""
        for run in runs:
            if record := records.get(run.id):
                self.show(run, record)

    def publish(self, publication: Publication) -> None:
        """Show the verdict and the report with the study, and its arms beside it."""
        self._reach(lambda: self._tracker.close(publication))

    def _reach(self, show: Callable[[], str | None]) -> str | None:
        """Do something in the store. After one failure it is left alone: the records are safe, and the next run catches up."""
        if self._down:
            return None
        try:
            return show()
        except Exception as error:  # each kind of store raises its own
            self._down = True
            why = str(error).partition("\n")[0]
            warnings.warn(f"MLflow can't be reached ({why}); the runs are kept, and the next run shows them there", stacklevel=2)
            return None
