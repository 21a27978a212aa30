"""The thread that tells Optuna and `status` of runs, so that nothing waits for a database.

What happened meanwhile is told at once. The records are the truth, and Optuna is told of them a moment later: where the process
is killed in between, `reconcile` finds what it lacks.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Mapping
from threading import Condition, Lock, Thread
from typing import Protocol

from ablate.design import PlannedRun
from ablate.errors import StorageError
from ablate.record import Record

#: Seconds between two transactions; seconds that the last one may take where something ended the study.
PAUSE, CLOSING = 0.2, 2.0

Ended = tuple[PlannedRun, Record]
Event = tuple[PlannedRun, Record | None]


class Tells(Protocol):
    """What is needed of `Trials`."""

    def tell(self, events: list[Event]) -> Mapping[str, int]: ...


class Telling:
    """Tells of runs in the order in which they started and ended. Used as a context manager.

    Args:
        trials: used by the thread alone meanwhile.
        told: is called by the thread with runs that ended, once Optuna was told of them, and with the numbers of their trials:
            run id → number, of those that have one.
        note: is called by it with what is in training (run ids), whenever that has changed. `status` alone reads it: where the
            folder takes it not, that is said once, and tried again when it changes next.
    """

    def __init__(
        self, trials: Tells, told: Callable[[list[Ended], Mapping[str, int]], None], note: Callable[[list[str]], None]
    ) -> None:
        self._trials, self._told, self._note = trials, told, note
        self._changed = Condition()
        self._events = deque[Event]()
        self._numbers: dict[str, int] = {}
        self._training: dict[str, None] = {}
        self._closed = self._unnoted = False
        self._folder = Lock()  # held by the thread while it writes to the folder
        self._left = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="telling", daemon=True)

    def __enter__(self) -> Telling:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until all is told, but not for long where something ended the study. Behind this the folder may be another's:
        a thread that still waits for Optuna's storage then writes nothing there any more.

        Raises:
            StorageError: if the folder took the numbers not.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            self._thread.join(CLOSING if kind else None)
        finally:
            with self._folder:
                self._left = True
                self._noted([])
        if not kind:
            self._check()

    def start(self, run: PlannedRun) -> None:
        """Tell that a run started. What the thread has met is not said here: a result may wait behind, to be recorded first."""
        self._add(run, None)

    def finish(self, run: PlannedRun, record: Record) -> None:
        """Tell that a run ended, once it is recorded.

        Raises:
            StorageError: if the folder took the numbers not that were to be noted before.
        """
        self._add(run, record)
        self._check()

    def number(self, run: PlannedRun) -> int | None:
        """Of the trial of a run in training, as far as it is known yet."""
        with self._changed:
            return self._numbers.get(run.id)

    def _add(self, run: PlannedRun, record: Record | None) -> None:
        with self._changed:
            self._events.append((run, record))
            self._changed.notify_all()

    def _check(self) -> None:
        if self._error:
            raise self._error

    def _work(self) -> None:
        try:
            while events := self._next():
                self._tell(events)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, PAUSE)
        except BaseException as error:  # of the folder; what Optuna's storage raises `Trials` takes
            self._error = error

    def _next(self) -> list[Event]:
        """What is to be told now: the last that is known of each run. A run that starts again after its end waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed)
            found: dict[str, Event] = {}
            while self._events:
                run = self._events[0][0]
                if run.id in found and found[run.id][1] is not None:
                    break
                found[run.id] = self._events.popleft()
            return list(found.values())

    def _tell(self, events: list[Event]) -> None:
        for run, record in events:
            self._training.pop(run.id, None)
            if record is None:
                self._training[run.id] = None
        with self._folder:
            if self._left:
                return
            self._noted(list(self._training))
        design = [event for event in events if not event[0].aside]  # Optuna holds no runs that only check the study
        numbers = self._trials.tell(design) if design else {}
        ended = [(run, record) for run, record in design if record is not None]
        with self._changed:
            self._numbers |= numbers
            for run, _ in ended:
                self._numbers.pop(run.id, None)
        with self._folder:
            if not self._left:
                self._told(ended, numbers)

    def _noted(self, training: list[str]) -> None:
        try:
            self._note(training)
        except StorageError as error:
            if not self._unnoted:
                self._unnoted = True
                warnings.warn(f"`status` isn't told what is in training ({error.what}); the study goes on", stacklevel=2)
