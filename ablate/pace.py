"""How long what is left will take, from the runs that ended in this sitting: pure arithmetic on clock readings."""

from __future__ import annotations

import math

#: A run beyond the usual length counts as this far, however long it still takes.
NEARLY = 0.95


class Pace:
    """Measures how fast runs are trained; all times in seconds of one monotonic clock.

    The time that passed is set against the runs that ended and the parts of those in training, so the estimate has no jump where
    the first of several workers ends, and counts what the driver adds to each run.
    """

    def __init__(self, now: float) -> None:
        self.begin(now)

    def begin(self, now: float) -> None:
        """Count from now: what was prepared before is no part of the pace."""
        self.since, self._running = now, dict[str, float]()
        self._ended, self._seconds, self._workers = 0, 0.0, 1

    def started(self, run: str, now: float) -> None:
        self._running[run] = now
        self._workers = max(self._workers, len(self._running))

    def ended(self, run: str, now: float) -> None:
        self._seconds += now - self._running.pop(run, now)
        self._ended += 1

    def left(self, waiting: int, now: float) -> float | None:
        """Seconds until all have ended; None until one did.

        Args:
            waiting: runs that were not started.
        """
        if not self._ended:
            return None
        usual = self._seconds / self._ended
        parts = [min(NEARLY, (now - since) / usual) if usual else NEARLY for since in self._running.values()]
        each = (now - self.since) / (self._ended + sum(parts))
        # When each worker is free again.
        free = sorted([*(usual * (1 - part) for part in parts), *[0.0] * (self._workers - len(parts))])
        least = max(free[-1], free[0] + usual if waiting else 0.0)
        return max(each * (waiting + len(parts) - sum(parts)), least)


def elapsed(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:10`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float) -> str:
    """A time span no finer than an estimate is: `45 s`, `12 min`, `1 h 35 min`. Rounded up."""
    if seconds <= 90:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(5 * math.ceil(minutes / 5), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
