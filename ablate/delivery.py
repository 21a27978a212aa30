"""The thread that tells the tracking store of a study. It alone speaks to the store: whatever that does, nobody waits for it.

What is to be told is kept as a state that is wanted, and not as calls: after a failure the store is opened again, what is there
is compared with the records, and what is still lacking is delivered, so that each run arrives once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from threading import Condition, Thread
from typing import TYPE_CHECKING

from ablate.design import PlannedRun
from ablate.errors import BadInput
from ablate.kept import beside
from ablate.records import Record, Records

if TYPE_CHECKING:
    from ablate.publication import ArmLines, Publication
    from ablate.tracking import Tracker

#: Seconds between two attempts at a store that is down: the first pause and the longest.
SHORTEST, LONGEST = 1.0, 30.0
#: Attempts once the study has ended; seconds of one attempt after which it is said at once that the store is down.
LAST, SOON = 2, 5.0
#: What a study shows beside its runs.
REPORT = "the report"

Job = tuple[PlannedRun, Record]


class Delivery:
    """What is to be told, and how far that has got. All that is public is used with `changed` held.

    Args:
        tracker: the store; used by the thread alone.
        records: where the runs are kept.
        tell: is given a line when the store goes away and when it is back.

    Attributes:
        changed: is notified of whatever changes.
        waiting: runs that are to be shown, in the order in which they ended.
        training: whether trainings are under way.
        publication: what the study found, while that is to be shown.
        arms: those that can be shown before it. It has them too, so nobody waits for them, and what fails is left to it.
        opened: whether the store was reached.
        fatal: why it never can be.
        why: why it can't be reached now; empty where it can, or where that is not known yet.
        gave_up: whether the last attempts have failed.
        links: records with the ids that they were shown under, for whoever writes records.
        runs, points: how much was delivered.
        beat, pulse: when something was delivered last, and when the store last answered (`time.monotonic`).
    """

    def __init__(self, tracker: Tracker, records: Records, tell: Callable[[str], None]) -> None:
        self._tracker, self._records, self._tell = tracker, records, tell
        self.changed = Condition()
        self.waiting: dict[str, Job] = {}
        self.training = False
        self.publication: Publication | None = None
        self.arms: Sequence[ArmLines] = ()
        self.opened = False
        self.fatal: BadInput | None = None
        self.why = ""
        self.gave_up = False
        self.links: list[tuple[Record, str]] = []
        self.runs = self.points = 0
        self.beat = self.pulse = time.monotonic()
        tracker.heard = self._answered
        self._open = self._agrees = self._begun = False
        self._failures = self._missed = 0
        self._again = 0.0
        self._last: int | None = None
        self._said = self._closing = False
        self._status: str | None = None
        self._refused: Counter[str] = Counter()
        self._thread = Thread(target=self._work, name="mirror", daemon=True)

    def start(self) -> None:
        """Open the store, and go on with what there is to be told."""
        self._thread.start()

    def begin(self) -> None:
        """Trainings are about to start."""
        self.training, self._begun = True, False
        self.changed.notify_all()

    def add(self, jobs: Iterable[Job]) -> None:
        """Have runs shown, after those that wait; the record of one that waits already takes the place of the older."""
        for run, record in jobs:
            self.waiting.pop(run.id, None)
            self.waiting[run.id] = run, record
        self.changed.notify_all()

    def show_arms(self, arms: Sequence[ArmLines]) -> None:
        """Have the arms shown as soon as no run waits."""
        self.arms = arms
        self.changed.notify_all()

    def hurry(self) -> None:
        """Try at once, and if that comes to nothing only once more."""
        self._last, self._again, self.gave_up = 1 if self.failing else LAST, 0.0, False
        self.changed.notify_all()

    def close(self, status: str | None) -> None:
        """End, without what still waits; a store that is there is told of the status."""
        self._closing, self._status = True, status
        self.changed.notify_all()

    def join(self, patience: float) -> None:
        """Wait for the end of the thread. It holds up no process: what it waits for then is given up."""
        self._thread.join(patience)

    @property
    def failing(self) -> bool:
        """Whether the last attempt at anything failed."""
        return self._failures > 0

    @property
    def busy(self) -> bool:
        """Whether anything is to be told."""
        return bool(self.waiting) or self.publication is not None or (self.training and not self._begun)

    def _work(self) -> None:
        while (step := self._next()) is not None:
            begun = time.monotonic()
            try:
                step()
            except BadInput as error:
                if not self.opened and self._tracker.local:
                    with self.changed:
                        self.fatal = error
                        self.changed.notify_all()
                    return
                self._failed(step, error, time.monotonic() - begun)
            except Exception as error:  # each kind of store raises its own
                self._failed(step, error, time.monotonic() - begun)
            else:
                self._succeeded()

    def _next(self) -> Callable[[], None] | None:
        """What to do next, once it is time for it; None at the end."""
        with self.changed:
            while not self._closing:
                step, pause = self._due(), self._again - time.monotonic()
                if step is not None and pause <= 0 and not self.gave_up:
                    return step
                self.changed.wait(pause if step is not None and pause > 0 else None)
            status, self._status = self._status, None
            return (lambda: self._tracker.end(status)) if status and self._open and not self.failing else None

    def _due(self) -> Callable[[], None] | None:
        if not self._open:
            return self._reach
        if not self.busy and not self.arms:
            return None
        if not self._agrees:
            return self._reconcile
        if self.training and not self._begun:
            return self._begin
        if self.waiting:
            return self._deliver
        return self._publish if self.publication is not None else self._show_arms

    def _reach(self) -> None:
        self._tracker.open()
        with self.changed:
            self._open = self.opened = True

    def _reconcile(self) -> None:
        spared = self._records.damaged()  # first: a run that is trained again meanwhile has a record then
        self._tracker.reconcile(self._records.load(), spared)
        self._agrees = True

    def _begin(self) -> None:
        self._tracker.begin(beside(self._records.out))
        self._begun = True

    def _deliver(self) -> None:
        with self.changed:
            job = next(iter(self.waiting.values()))
        run, record = job
        key, points = self._tracker.shows(record), 0
        if sent := key is None:
            kept = self._records
            shown = self._tracker.mirror(run, record, kept.read_series(run.id), kept.artifacts(run.id), kept.stored(run.id))
            key, points = shown.key, shown.points
        with self.changed:
            self.links.append((record, key or ""))
            self.runs, self.points = self.runs + sent, self.points + points
            self._missed += sent
            self._drop(job)
            self._heard()

    def _show_arms(self) -> None:
        with self.changed:
            arms, self.arms = self.arms, ()
        self._tracker.show_arms(arms)

    def _publish(self) -> None:
        with self.changed:
            publication, self.arms = self.publication, ()
        if publication is not None:
            self._tracker.publish(publication)
            with self.changed:
                self.publication, self.training = None, False

    def _drop(self, job: Job) -> None:
        if self.waiting.get(job[0].id) is job:
            del self.waiting[job[0].id]

    def _answered(self) -> None:
        self.pulse = time.monotonic()
        if not self.waiting:  # of what is published each part counts
            self.beat = self.pulse

    def _heard(self) -> None:
        self.beat = self.pulse = time.monotonic()
        self._failures, self.why = 0, ""
        self._last = None if self._last is None else LAST

    def _succeeded(self) -> None:
        with self.changed:
            if self._open and not self.busy:
                self._heard()
                if self._said:
                    self._said = False
                    self._say(f"is back; {counted(self._missed)} delivered")
            self.changed.notify_all()

    def _failed(self, step: Callable[[], None], error: Exception, seconds: float) -> None:
        """Open the store anew, after a pause that grows. What it won't take is tried once more, and then left."""
        with self.changed:
            why = self._tracker.reason(error)
            self._open = self._agrees = self._begun = False
            if not self._left(step, error, why):
                self._failures += 1
                self.why = why
                self._pause(seconds)
            self.changed.notify_all()

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, the longer the more have failed; the last ones follow each other at once."""
        pause = min(LONGEST, SHORTEST * 2 ** (self._failures - 1))
        if self._last is not None:
            self._last -= 1
            self.gave_up, pause = self._last <= 0, SHORTEST
        elif not self._said and (self._failures > 1 or seconds > SOON):
            self._said, self._missed = True, 0
            self._say(f"can't be reached ({self.why}); training goes on, and {self.wait}")
        self._again = time.monotonic() + pause

    def _left(self, step: Callable[[], None], error: Exception, why: str) -> bool:
        """Whether what failed is not the store: a run that was trained again meanwhile, or something that it won't take."""
        job = next(iter(self.waiting.values()), None)
        if step == self._deliver and job is not None:
            now = self._records.load_one(job[0].id)
            if now is None or now.started != job[1].started:
                self._drop(job)
                return True
        if step not in (self._deliver, self._publish) or not self._tracker.refused(error):
            return False
        name = job[0].name if step == self._deliver and job is not None else REPORT
        self._refused[name] += 1
        if self._refused[name] > 1:
            if sum(count > 1 for count in self._refused.values()) == 1:  # the others are like it
                self._say(f"does not take {name} ({why}); it is kept, and the next command tries again")
            if step == self._deliver and job is not None:
                self._drop(job)
            else:
                self.publication = None
        return True

    @property
    def lacking(self) -> int:
        """How many runs wait that this store may never have seen."""
        return sum(record.mlflow is None for _, record in self.waiting.values())

    @property
    def wait(self) -> str:
        """`12 runs wait on disk`."""
        count = self.lacking
        return f"{counted(count)} {'waits' if count == 1 else 'wait'} on disk" if count else "its runs wait on disk"

    def _say(self, text: str) -> None:
        self._tell(f"MLflow at {self._tracker.where} {text}")


def counted(runs: int) -> str:
    """`1 run`, `12 runs`."""
    return f"{runs} run{'' if runs == 1 else 's'}"
