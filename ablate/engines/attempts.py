"""What follows from the end of an attempt, the same for every engine: the task's result, or another attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ablate.engines.base import Limits, Result, Retry


class Attempts:
    """Counts the attempts at each task.

    A training that raises or whose worker dies is tried again `max_retries` times. One whose device has no memory left is tried
    once more with nothing else there, apart from these. Bad input is not tried again: it would be as bad.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._made, self._failed = Counter[str](), Counter[str]()
        self._alone = set[str]()
        self._last = dict[str, Result]()

    def after(self, ended: Result) -> Result | Retry:
        """The task's result, or that it is to be tried again."""
        run = ended.run_id
        self._made[run] += 1
        result = replace(ended, attempts=self._made[run])
        self._last.pop(run, None)  # with all that it logged: what ended is the caller's to keep
        if ended.state != "failed" or ended.fault == "input":
            return result
        alone = ended.fault == "memory"
        if alone:
            if run in self._alone:
                return replace(result, error=f"{ended.error}, alone there; make the training smaller, or the device larger")
            self._alone.add(run)
        else:
            self._failed[run] += 1
            if self._failed[run] > self._limits.max_retries:
                return result
        self._last[run] = result
        most = self._limits.max_retries + 1 + (run in self._alone)
        return Retry(run, ended.error, self._made[run], most, alone)

    def given_up(self, run_id: str) -> Result:
        """The result of a task that was to be tried again and won't be."""
        return self._last[run_id]
