"""The inline engine: trains in this process, one run after the other. For tests, debuggers and targets of milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablate.engines.attempts import Attempts
from ablate.engines.base import Limits, Result, Retry, Task, execute, prepare_target
from ablate.stop import Stop


class InlineEngine:
    """Trains in the calling process, where a training that hangs or is killed takes the study's process with it."""

    workers = 1

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        prepare_target(target, params)

    def run(self, tasks: Sequence[Task], stop: Stop | None = None) -> Iterator[Task | Retry | Result]:
        attempts = Attempts(self._limits)
        for task in tasks:
            if stop and stop.asked:
                return
            event: Retry | Result | None = None
            while not isinstance(event, Result):
                yield task
                event = attempts.after(execute(task))
                if stop and stop.asked and isinstance(event, Retry):
                    event = attempts.given_up(task.run_id)
                yield event
