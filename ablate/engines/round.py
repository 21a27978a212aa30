"""Which task a pool of workers trains when: all are kept busy, what failed is tried again, and a stop ends it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ablate.engines.affinity import choose
from ablate.engines.attempts import Attempts
from ablate.engines.base import Limits, Result, Retry, Task
from ablate.engines.lost import Vigil
from ablate.errors import EngineError
from ablate.stop import Stop

#: Seconds between two looks at those in training; workers in a row that may die before they begin.
TICK, BARREN = 0.5, 5


@dataclass
class Job:
    """A task at a worker.

    Attributes:
        reference: of its result to come.
        path: where the worker leaves its signs of life.
        alone: whether nothing else is trained meanwhile.
        started: seconds since the epoch.
        hung: whether the worker was killed as it gave no sign of life.
    """

    task: Task
    worker: Any
    reference: Any
    path: Path
    vigil: Vigil
    started: float
    alone: bool = False
    hung: bool = False


class Pool(Protocol):
    """Workers that train, as a round asks of them."""

    def begin(self, worker: Any, task: Task, alone: bool) -> Job: ...

    def wait(self, jobs: Sequence[Job]) -> Any | None:
        """The reference of a job that ended; None where none did within `TICK`."""

    def collect(self, job: Job) -> tuple[Result | None, Any]:
        """Its result, and the worker to go on with; no result where the worker had died before it began."""

    def look(self, jobs: Sequence[Job]) -> None:
        """End those that give no sign of life."""

    def free(self) -> None:
        """Let all workers give back what memory they hold of a device without need."""


class Round:
    """Tasks on a pool.

    Args:
        workers: of the pool, all idle.
    """

    def __init__(self, pool: Pool, workers: Sequence[Any], tasks: Sequence[Task], stop: Stop, limits: Limits) -> None:
        self._pool, self._stop, self._attempts = pool, stop, Attempts(limits)
        self._idle = [(worker, "") for worker in workers]  # with the family that each did last
        self._waiting = deque(tasks)
        self._alone, self._again = deque[Task](), dict[str, Task]()
        self._working: dict[Any, Job] = {}
        self._told = deque[Retry | Result]()
        self._barren, self._looked = 0, time.monotonic()

    def events(self) -> Iterator[Task | Retry | Result]:
        """Carry the round through; see `Engine.run`. Whatever goes wrong in it, results in hand are handed on first."""
        try:
            yield from self._events()
        except (Exception, KeyboardInterrupt):  # of the pool: what the caller raises doesn't come here
            yield from self._told
            raise

    def _events(self) -> Iterator[Task | Retry | Result]:
        while self._waiting or self._alone or self._working or self._told:
            if self._stop.asked:
                self._give_up()
            begun = self._begin()  # workers are kept busy before the caller takes its time over a result
            in_hand = [self._told.popleft()] if self._told else []
            yield from in_hand  # first, as the caller may fail at what is only begun
            yield from begun
            if not in_hand and self._working:
                self._collect()

    def _begin(self) -> list[Task]:
        begun = []
        while self._idle and not self._stop.asked and (following := self._following()):
            place, task, alone = following
            job = self._pool.begin(self._idle.pop(place)[0], task, alone)
            self._working[job.reference] = job
            begun.append(task)
        return begun

    def _following(self) -> tuple[int, Task, bool] | None:
        """The place of an idle worker, its next task, and whether it is alone; None where none may begin now."""
        if self._alone:
            if self._working:
                return None
            self._pool.free()
            return 0, self._alone.popleft(), True
        if any(job.alone for job in self._working.values()):
            return None
        found = choose([family for _, family in self._idle], self._waiting, [job.task for job in self._working.values()])
        if found is None:
            return None
        task = self._waiting[found[1]]
        del self._waiting[found[1]]
        return found[0], task, False

    def _collect(self) -> None:
        jobs = list(self._working.values())
        if time.monotonic() - self._looked > TICK:
            self._pool.look(jobs)
            self._looked = time.monotonic()
        reference = self._pool.wait(jobs)
        if reference is None:
            return
        job = self._working.pop(reference)
        result, worker = self._pool.collect(job)
        self._idle.append((worker, job.task.prefix.family if worker is job.worker else ""))
        if result is None:  # no attempt at it
            self._back(job.task, job.alone)
            self._barren += 1
            if self._barren > BARREN:
                raise EngineError("ray's workers die before they begin to train, again and again; try --engine inline to see why")
            return
        self._barren = 0
        event = self._attempts.after(result)
        if isinstance(event, Retry) and self._stop.asked:
            event = self._attempts.given_up(job.task.run_id)
        elif isinstance(event, Retry):
            self._again[job.task.run_id] = job.task
            self._back(job.task, event.alone)
        self._told.append(event)

    def _back(self, task: Task, alone: bool) -> None:
        (self._alone if alone else self._waiting).appendleft(task)

    def _give_up(self) -> None:
        """Begin nothing more. What failed and was to be tried again has failed."""
        for task in (*self._alone, *self._waiting):
            if task.run_id in self._again:
                self._told.append(self._attempts.given_up(task.run_id))
        self._alone.clear()
        self._waiting.clear()
