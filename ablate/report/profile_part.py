"""What the appendix says of where the time went: a table of phases, one of workers, and two sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ablate.assess import Assessment
from ablate.profile import Lane, Phase, Profile
from ablate.report.text import duration, number, plural

#: Phases that are named, and workers.
MOST = 14
#: Seconds of a run below which they are not told.
LEAST = 0.001
FURTHER, IDLE, UNPROFILED = "further phases", "idle", "runs that were not profiled"


@dataclass(frozen=True)
class PhaseRow:
    """A phase: seconds in all runs, their share of the workers' time, and the median of a run."""

    name: str
    total: str
    share: str
    median: str


@dataclass(frozen=True)
class WorkerRow:
    """A worker over a training phase: its runs, seconds with a run in hand and without, and its processor's part in all."""

    name: str
    runs: str
    busy: str
    idle: str
    cpu: str


@dataclass(frozen=True)
class ProfilePart:
    """The section.

    Attributes:
        said: how much time there was, and how well it was used.
        phases: the rows, the whole last.
        workers: theirs; the first `MOST`.
    """

    said: str
    phases: tuple[PhaseRow, ...]
    workers: tuple[WorkerRow, ...]


def profile_part(found: Assessment) -> ProfilePart | None:
    """The section for an assessment; None where no run was profiled."""
    if found.profile is None:
        return None
    return ProfilePart(_said(found.profile), tuple(_phases(found.profile)), tuple(_workers(found.profile))[:MOST])


def named(profile: Profile) -> tuple[str, ...]:
    """The phases that have a row of their own: where there are many, those that took most."""
    if len(profile.names) <= MOST:
        return profile.names
    most = sorted(profile.names, key=lambda name: -profile.totals[name])[: MOST - 1]
    return tuple(name for name in profile.names if name in most)


def lanes(profile: Profile) -> Iterator[tuple[str, Phase, Lane]]:
    """Every worker with its name: `worker 1`, and where there were several sittings `sitting 2, worker 1`."""
    several = len(profile.phases) > 1
    for sitting, phase in enumerate(profile.phases, 1):
        for worker, lane in enumerate(phase.lanes, 1):
            yield (f"sitting {sitting}, " if several else "") + f"worker {worker}", phase, lane


def percent(part: float, whole: float) -> str:
    """`12.3 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _said(profile: Profile) -> str:
    workers = max(phase.workers for phase in profile.phases)
    wall = sum(phase.wall for phase in profile.phases)
    who = f"{plural(len(profile.stints), 'run')} profiled, checks included, on {plural(workers, 'worker')}"
    said = f"{who}: {duration(wall)} by the clock from the first one's start to the last one's end, "
    said += f"{duration(profile.capacity)} of workers' time. "
    said += "What comes before and after that, such as pretraining and the report, is not in it. "
    said += f"Workers had no run in hand for {percent(profile.idle, profile.capacity)} of it. "
    if profile.utilisation is None:
        return said + "Processor time is not known of every run."
    used = f"The runs' processor time is {percent(profile.utilisation, 1)} of it: the workers' CPU utilisation"
    return f"{said}{used}, which other work on the machine lowers."


def _phases(profile: Profile) -> Iterator[PhaseRow]:
    whole, own = profile.capacity, named(profile)
    for name in own:
        yield _row(name, profile.totals[name], whole, _median(profile.median(name)))
    if further := [name for name in profile.names if name not in own]:
        yield _row(f"{len(further)} {FURTHER}", sum(profile.totals[name] for name in further), whole, "–")
    rest = sum(phase.busy for phase in profile.phases) - profile.busy
    if rest > 1e-6 * whole:
        yield _row(UNPROFILED, rest, whole, "–")
    yield _row(IDLE, profile.idle, whole, "–")
    yield _row("workers’ time", whole, whole, "–")


def _row(name: str, seconds: float, whole: float, median: str) -> PhaseRow:
    return PhaseRow(name, _seconds(seconds, whole), percent(seconds, whole), median)


def _median(seconds: float) -> str:
    return number(seconds) if seconds >= LEAST or not seconds else f"< {LEAST}"


def _seconds(seconds: float, whole: float) -> str:
    """To as many decimals as the whole needs, so that a column's figures stand below each other."""
    return f"{seconds:.{3 if whole < 20 else 2 if whole < 2000 else 1}f}"


def _workers(profile: Profile) -> Iterator[WorkerRow]:
    for name, phase, lane in lanes(profile):
        idle, used = max(0.0, phase.wall - lane.busy), sum(stint.cpu for stint in lane.stints)
        known = all(stint.cpu for stint in lane.stints)
        yield WorkerRow(
            name,
            str(len(lane.stints)),
            _seconds(lane.busy, profile.capacity),
            f"{_seconds(idle, profile.capacity)} ({percent(idle, phase.wall)})",
            percent(used, phase.wall) if known else "–",
        )
