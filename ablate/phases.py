"""Where a run's time goes: every second of it belongs to one phase, the innermost that the training is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ablate.shown import plain

#: Phases that ablate itself knows of, in the order in which a step goes through them; a target may have others.
IMPORTS, LOGGING, OTHER = "imports", "logging", "other"
KNOWN = (IMPORTS, "model", "data", "forward", "backward", "optimizer", "evaluation", "sharing", LOGGING)


def nothing() -> None:
    """A device that is never behind."""


class Phases:
    """The clock of one run. What is in no phase counts as `other`; phases entered in other threads pass beside.

    Args:
        since: the clock's reading when the run began; None for now.
        settle: waits until the device has done what it was given; a clock read before that would charge the next phase.
        clock: seconds.
    """

    def __init__(
        self,
        since: float | None = None,
        settle: Callable[[], None] = nothing,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock, self._settle = clock, settle
        self._within, self._seconds = [OTHER], dict[str, float]()
        self._thread = threading.get_ident()
        self._since = clock() if since is None else since

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time within for a phase, but for that of phases inside it."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._turn()
        self._within.append(plain(str(name)))
        try:
            yield
        finally:
            self._turn()
            self._within.pop()

    def end(self, now: float) -> dict[str, float]:
        """Seconds by phase up to a reading of the clock: their sum is the run's."""
        self._count(now)
        return dict(self._seconds)

    def _turn(self) -> None:
        self._settle()
        self._count(self._clock())

    def _count(self, now: float) -> None:
        name = self._within[-1]
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now
