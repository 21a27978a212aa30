"""Where the time of a study's trainings went: by phase within runs, and idle between them.

Runs say where their own time went (`Record.phases`); how long workers had none follows from when runs began and ended.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from statistics import median

from ablate.phases import KNOWN, OTHER
from ablate.record import Record
from ablate.sittings import Sitting


@dataclass(frozen=True)
class Stint:
    """A run that a worker had in hand, times in seconds since the epoch, `cpu` in seconds of processor time.

    `end` is the worker's own: a run that took the beginning of its training over from another was in hand for less than it says.
    """

    run_id: str
    worker: str
    start: float
    end: float
    cpu: float
    phases: Mapping[str, float]

    @classmethod
    def of(cls, record: Record) -> Stint:
        """Of a record, profiled or not."""
        seconds = sum(record.phases.values()) if record.phases else record.spent
        # A worker that died said not who it was, and had nothing else in hand afterwards.
        worker = record.worker or record.run_id
        return cls(record.run_id, worker, record.started, record.started + seconds, record.cpu, record.phases)

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Lane:
    """One worker, or one after another in the same place, and what it had in hand in turn."""

    stints: tuple[Stint, ...]

    @property
    def busy(self) -> float:
        return sum(stint.seconds for stint in self.stints)


@dataclass(frozen=True)
class Phase:
    """The training phase of one `run`: from the start of the first training to the end of the last.

    Attributes:
        workers: how many trained.
        stints: all that was trained, profiled or not, in order.
    """

    workers: int
    stints: tuple[Stint, ...]

    @property
    def start(self) -> float:
        return min(stint.start for stint in self.stints)

    @property
    def wall(self) -> float:
        """Seconds by the clock."""
        return max(stint.end for stint in self.stints) - self.start

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """What each worker had in hand. One that died shares a lane with what took its place."""
        found: dict[str, list[Stint]] = {}
        for stint in self.stints:
            found.setdefault(stint.worker, []).append(stint)
        lanes: list[list[Stint]] = []
        for stints in found.values():  # by their first
            free = [lane for lane in lanes if lane[-1].end <= stints[0].start] if len(found) > self.workers else []
            if free or len(lanes) >= self.workers:
                max(free or lanes, key=lambda lane: lane[-1].end).extend(stints)
            else:
                lanes.append(stints)
        return tuple(Lane(tuple(lane)) for lane in lanes)

    @property
    def busy(self) -> float:
        """Seconds that workers had a run in hand, all together."""
        return sum(stint.seconds for stint in self.stints)

    @property
    def idle(self) -> float:
        """Seconds that they had none; attempts that failed and were made again count here."""
        return max(0.0, self.workers * self.wall - self.busy)

    @property
    def cpu(self) -> float | None:
        """Processor seconds of all runs; None where that of one is not known."""
        return sum(stint.cpu for stint in self.stints) if all(stint.cpu for stint in self.stints) else None


@dataclass(frozen=True)
class Profile:
    """What is known of where the time went.

    Attributes:
        stints: the runs that were profiled, in the order in which they began.
        phases: the training phases that they belong to.
    """

    stints: tuple[Stint, ...]
    phases: tuple[Phase, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The runs' phases: those known to ablate in the order of a step, a target's own by their time, and the rest."""
        own = sorted(set(self.totals) - {*KNOWN, OTHER}, key=lambda name: -self.totals[name])
        return tuple(name for name in (*KNOWN, *own, OTHER) if name in self.totals)

    @cached_property
    def totals(self) -> Mapping[str, float]:
        """Seconds by phase, of all runs."""
        found = Counter[str]()
        for stint in self.stints:
            found.update(stint.phases)
        return found

    @property
    def busy(self) -> float:
        """Seconds of the profiled runs."""
        return sum(self.totals.values())

    def median(self, name: str) -> float:
        """Seconds of a phase in a run."""
        return median(stint.phases.get(name, 0.0) for stint in self.stints)

    @property
    def capacity(self) -> float:
        """Seconds that the workers had, over all training phases."""
        return sum(phase.workers * phase.wall for phase in self.phases)

    @property
    def idle(self) -> float:
        """Seconds of them that no run was in hand."""
        return sum(phase.idle for phase in self.phases)

    @property
    def utilisation(self) -> float | None:
        """Processor seconds of the runs over seconds that the workers had; None where it is not known."""
        used = [phase.cpu for phase in self.phases]
        return sum(filter(None, used)) / self.capacity if all(used) and self.capacity else None


def profile_of(records: Iterable[Record], sittings: Sequence[Sitting]) -> Profile | None:
    """The profile that records hold; None where they hold none.

    Args:
        records: of everything that was trained, checks included.
        sittings: when it was trained, and by how many workers.
    """
    ended = sorted((record for record in records if record.seconds > 0), key=lambda record: record.started)
    began = [datetime.fromisoformat(each.started).timestamp() for each in sittings]
    together: dict[int, list[Stint]] = {}
    for record in ended:  # of a sitting: the last that had begun by then, or -1
        together.setdefault(bisect(began, record.started) - 1, []).append(Stint.of(record))
    groups = {at: stints for at, stints in together.items() if any(stint.phases for stint in stints)}
    if not groups:
        return None
    phases = tuple(Phase(_workers(at, stints, sittings), tuple(stints)) for at, stints in groups.items())
    return Profile(tuple(stint for stints in groups.values() for stint in stints if stint.phases), phases)


def profiled_said(profile: Profile | None, records: Mapping[str, Record]) -> str:
    """Of how many of a study's runs the profile is.

    Args:
        records: of the runs that ended.
    """
    profiled = sum(bool(record.phases) for record in records.values())
    if profile is None or not profiled:
        return "no run was profiled (--fresh trains all anew)"
    return f"the report shows the profile of {profiled} of {len(records)} runs"


def _workers(at: int, stints: Sequence[Stint], sittings: Sequence[Sitting]) -> int:
    return sittings[at].workers if at >= 0 else len({stint.worker for stint in stints})
