"""The inline engine: trains in this process, one run after the other. For tests, debuggers and targets of milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablate.engines.base import Result, Task, execute, prepare_target


class InlineEngine:
    """Trains in the calling process."""

    workers = 1

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        prepare_target(target, params)

    def run(self, tasks: Sequence[Task]) -> Iterator[Task | Result]:
        for task in tasks:
            yield task
            yield execute(task)
