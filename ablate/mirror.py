"""What the tracking store is told of a study, and when. The records are the spool: what it lacks can be told at any time.

The calls return at once (`delivery` does the work in a thread of its own), but for those that say they wait.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ablate.delivery import REPORT, Delivery, counted
from ablate.design import PlannedRun
from ablate.records import Record, Records

if TYPE_CHECKING:
    from ablate.publication import ArmLines, Publication
    from ablate.tracking import Tracker

#: Seconds without anything delivered after which a store is not waited for: before the results are written, and at the end.
SETTLING, ENDING = 10.0, 30.0
#: Seconds without any answer after which it is not waited for either where somebody asked for nothing else (`sync`).
PATIENT = 60.0
#: Seconds after which it is said what is waited for.
SAID = 5.0
#: Seconds that a store has to take in how a study stopped.
CLOSING = 2.0


class Shows(Protocol):
    """What the driver needs of a mirror."""

    def begin(self) -> None:
        """Be told that trainings are about to start."""

    def show(self, run: PlannedRun, record: Record) -> None:
        """Show a run that ended."""

    def catch_up(self, runs: Iterable[PlannedRun], records: Mapping[str, Record]) -> None:
        """Show the recorded runs that the store lacks: it was down, or the driver was killed in between."""

    def settle(self) -> None:
        """Wait until all runs that ended are shown, as long as the store takes them one after the other."""


class NullMirror:
    """Shows nothing (`--tracking-uri none`)."""

    def opened(self) -> None:
        pass

    def begin(self) -> None:
        pass

    def show(self, run: PlannedRun, record: Record) -> None:
        pass

    def catch_up(self, runs: Iterable[PlannedRun], records: Mapping[str, Record]) -> None:
        pass

    def settle(self) -> None:
        pass


class Mirror:
    """Tells a tracker of runs, from their records. Used as a context manager, by those who write the records.

    Args:
        tracker: where runs are shown.
        records: where they are kept; a record that is shown is given its id there.
        tell: is given a line when the store goes away and when it is back; by default it is a warning.
    """

    def __init__(self, tracker: Tracker, records: Records, tell: Callable[[str], None] = warnings.warn) -> None:
        self._records, self._local, self._tell = records, tracker.local, tell
        self.where = tracker.where
        self._work = Delivery(tracker, records, tell)
        self._waited = False

    def __enter__(self) -> Mirror:
        """Begin to open the store."""
        self._work.start()
        return self

    def opened(self) -> None:
        """Wait until a local store is open: making a new one takes seconds, in which something else can start.

        Raises:
            BadInput: if a local store can't be opened.
        """
        work = self._work
        with work.changed:
            while self._local and not work.opened and work.fatal is None:
                work.changed.wait()
        if work.fatal is not None:
            raise work.fatal

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait for what is being delivered, unless something ended the study: then its run is told so, if the store is there."""
        if kind is None and not self._waited:
            self.deliver()
        status = "KILLED" if kind is not None and issubclass(kind, KeyboardInterrupt) else "FAILED" if kind else "FINISHED"
        with self._work.changed:
            self._work.close(status if self._work.training else None)
            patience = 0.0 if self._work.failing else CLOSING
        self._work.join(patience)
        self._link()

    def begin(self) -> None:
        """Be told that trainings are about to start."""
        with self._work.changed:
            self._work.begin()

    def show(self, run: PlannedRun, record: Record) -> None:
        """Show a run that ended."""
        self._add([(run, record)])

    def catch_up(self, runs: Iterable[PlannedRun], records: Mapping[str, Record]) -> None:
        """Show the recorded runs that the store lacks, in the order in which they ended."""
        known = [(run, record) for run in runs if (record := records.get(run.id))]
        self._add(sorted(known, key=lambda job: job[1].ended))

    def settle(self) -> None:
        """Wait until all runs that ended are shown, as long as the store takes them one after the other."""
        self._wait(SETTLING, once_failing=False)

    def show_arms(self, arms: Sequence[ArmLines]) -> None:
        """Show the arms while the report is written: publishing finds them there."""
        with self._work.changed:
            self._work.show_arms(arms)

    def publish(self, publication: Publication) -> None:
        """Show the verdict and the report with the study, and its arms beside it."""
        with self._work.changed:
            self._work.publication = publication
            self._waited = False
            self._work.changed.notify_all()

    def deliver(self, patient: bool = False) -> bool:
        """Wait while deliveries go on, a store that was down being tried once more; returns whether nothing is left.

        Args:
            patient: whether to wait for as long as the store answers at all, however slow it is.
        """
        with self._work.changed:
            self._work.hurry()
        self._waited = True
        if self._wait(SAID):
            return True
        with self._work.changed:
            runs, waits = self._work.lacking, not self._work.gave_up
        if waits:
            what = f"{counted(runs)} to go" if runs else REPORT
            self._tell(f"waiting for MLflow at {self.where} ({what}); Ctrl-C leaves it for later")
        return self._wait(PATIENT if patient else ENDING, patient=patient)

    @property
    def left(self) -> str:
        """What is not delivered: `12 runs and the report wait for MLflow at http://127.0.0.1:5000 (Connection refused)`."""
        with self._work.changed:
            runs, why = self._work.lacking, self._work.why or "it is slow to answer"
        what = f"{counted(runs)} and {REPORT} wait" if runs else f"{REPORT} waits"
        return f"{what} for MLflow at {self.where} ({why})"

    @property
    def delivered(self) -> tuple[int, int]:
        """Runs, and points of metrics, that the store was told."""
        with self._work.changed:
            return self._work.runs, self._work.points

    def _add(self, jobs: list[tuple[PlannedRun, Record]]) -> None:
        with self._work.changed:
            self._work.add(jobs)
            self._waited = False
        self._link()

    def _wait(self, patience: float, once_failing: bool = True, patient: bool = False) -> bool:
        work, begun = self._work, time.monotonic()
        with work.changed:
            while work.busy and not work.gave_up and (once_failing or not work.failing):
                left = patience - (time.monotonic() - max(begun, work.pulse if patient else work.beat))
                if left <= 0:
                    break
                work.changed.wait(min(left, 1.0))
            done = not work.busy
        self._link()
        return done

    def _link(self) -> None:
        """Note with the records where they are shown. Here and not in the thread: the driver alone writes records."""
        with self._work.changed:
            links, self._work.links = self._work.links, []
        now = [(self._records.load_one(shown.run_id), shown, key) for shown, key in links]
        same = [(record, key) for record, shown, key in now if record is not None and record.started == shown.started]
        self._records.link([replace(record, mlflow=key) for record, key in same if record.mlflow != key])
