"""What a target sees of ablate: `Run`, with MLflow's own names for logging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ablate.artifacts import improper
from ablate.phases import LOGGING, Phases
from ablate.shown import plain

#: What the id of a run that repeats another, to check that it can be repeated, ends in.
AGAIN = "-again"
#: The same of a run that differs from one of the design in one fix alone, to check that the fix changes something.
TWIN = "-twin"
#: One logged value: (metric, step, value).
Point = tuple[str, int, float]
T = TypeVar("T")
#: A phase of a run that is not profiled, and what `timed` finds behind the last item.
_UNTIMED = nullcontext()
_END = object()


class Diverged(Exception):
    """Raised by a target whose training can't go on, as its loss is not finite: the run ends as diverged, with all it logged.

    Args:
        what: `train/region_loss is nan`.
        step: at which it was seen first.
        unit: what a step is: `forward`.
    """

    def __init__(self, what: str, step: int, unit: str = "step") -> None:
        super().__init__(f"{what} at {unit} {step}")
        self.step = step


@dataclass
class Run:
    """One training: its seed and device, and where it logs.

    Attributes:
        seed: the same in every arm of a block. A target derives from it all of its randomness (initial weights, data
            order, augmentation), so that arms differ by their params alone.
        device: `cpu` or `cuda`.
        beat: is told of each call that logs: an engine takes it as a sign that the training goes on.
        phases: the clock of a run that is profiled.
        family: runs of the same one do the same up to a point that their params give (`Declaration.shares`), so that one may go
            on from where another came to; empty where a run is to be trained from its start.
        followed: whether another of them may come behind it; where none does, nothing is to be kept for it.
        steps: how many steps it has done, those taken over included; a target that declares `shares` counts them here.
        shared: how many of them were taken over. `shared_seconds`: what they took the run that did them.
    """

    seed: int
    device: str = "cpu"
    points: list[Point] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    beat: Callable[[], None] | None = None
    phases: Phases | None = field(default=None, repr=False, compare=False)
    family: str = ""
    followed: bool = True
    steps: int = 0
    shared: int = 0
    shared_seconds: float = 0.0

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Say what the training does within: `with run.phase("forward"):`. Names are the target's own.

        `ablate run --profile` shows where the time went by them, and otherwise they do nothing. They nest: time in an inner
        one is not the outer one's.
        """
        return self.phases.phase(name) if self.phases else _UNTIMED

    def timed(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The items, each fetched in a phase: `for batch in run.timed("data", batches):`."""
        fetched = iter(items)
        while True:
            with self.phase(name):
                item = next(fetched, _END)
            if item is _END:
                return
            yield item  # type: ignore[misc]

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log values at a step (an integer of the target's own counting)."""
        with self.phase(LOGGING):
            self.points.extend((plain(str(name)), int(step), float(value)) for name, value in metrics.items())
            if self.beat:
                self.beat()

    def log_metric(self, key: str, value: float, step: int) -> None:
        """Log one value at a step."""
        self.log_metrics({key: value}, step)

    def take_over(self, points: Sequence[Point], steps: int, seconds: float) -> None:
        """Begin where another run of the family had come to.

        Args:
            points: all that it had logged by then.
            steps: that it had done.
            seconds: that these had taken it.
        """
        self.points.extend(points)
        self.steps = self.shared = steps
        self.shared_seconds = seconds
        if self.beat:
            self.beat()

    def log_artifact(self, local_path: str | Path) -> None:
        """Keep a file with the run. It is read at once, so the target may delete it afterwards.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if no artifact may have its name.
        """
        path = Path(local_path)
        if why := improper(path.name):
            raise ValueError(why)
        with self.phase(LOGGING):
            self.artifacts[path.name] = path.read_bytes()
