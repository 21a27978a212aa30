"""What every engine shares: the task, its result, the one function that trains, and the protocol."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol

from ablate.artifacts import improper
from ablate.engines import memory
from ablate.errors import BadInput
from ablate.phases import IMPORTS, Phases
from ablate.run import Diverged, Point, Run
from ablate.shown import plain
from ablate.stop import Stop
from ablate.target import Prefix, load_target

#: Completed: with a finite outcome. Diverged: it ended, and its outcome is not finite (the driver knows the outcome), or the
#: training said so (`Diverged`).
State = Literal["completed", "failed", "diverged"]
#: Why an attempt failed: the target raised (`input`: that what the user wrote can't be used; `memory`: that the device has no
#: memory left), or the worker process died under it.
Fault = Literal["", "raised", "input", "memory", "died"]


@dataclass(frozen=True)
class Task:
    """One training to be done, wherever it is done. `prefix` is what it has in common with other tasks, if anything, and
    `followed`, whether one of those may come behind it; `profile`: whether it is noted where its time goes."""

    run_id: str
    target: str
    params: Mapping[str, Any]
    seed: int
    device: str = "cpu"
    profile: bool = False
    prefix: Prefix = field(default_factory=Prefix)
    followed: bool = True


@dataclass(frozen=True)
class Result:
    """What came of a task. `started` is in seconds since the epoch, `seconds` is wall time, `device` what it was trained on.

    Of `steps` done (0 where the target doesn't say) `shared` were taken over from another run, which had taken `shared_seconds`
    for them; these are part of `seconds`, so that it is what the whole training takes.

    `attempts` is how many were made; metrics, points and the error are the last one's. `worker` tells the process that trained
    it from others, and `cpu` is the processor time that it took there, all threads together; 0 where it is not known. `phases`
    are seconds by phase, nothing where the task was not profiled.
    """

    run_id: str
    state: State
    started: float
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""
    device: str = ""
    attempts: int = 1
    fault: Fault = ""
    worker: str = ""
    cpu: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    shared: int = 0
    shared_seconds: float = 0.0


@dataclass(frozen=True)
class Retry:
    """An attempt at a task came to nothing, and another is made.

    Attributes:
        error: why: a traceback, or a line on what became of the worker.
        attempt: the number of the one that failed, from 1.
        most: how many there will be at most.
        alone: whether the next one has the device to itself, as this one found no memory there.
    """

    run_id: str
    error: str
    attempt: int
    most: int
    alone: bool = False


@dataclass(frozen=True)
class Limits:
    """What an engine puts up with.

    Attributes:
        max_retries: further attempts at a training that raises or whose worker dies.
        progress_deadline: seconds that a training may take without logging anything before it counts as hanging.
    """

    max_retries: int = 1
    progress_deadline: float = 3600.0


class Engine(Protocol):
    """Trains tasks and hands results back as they come. Used as a context manager."""

    workers: int

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exc: object) -> None: ...

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Let the target make what its runs share, before the first of them, for each of the params given.

        Every worker may call it at once: a target sees to it that one makes a thing and the others wait.
        """

    def run(self, tasks: Sequence[Task], stop: Stop | None = None) -> Iterator[Task | Retry | Result]:
        """Train all tasks: yields a Task when it starts, a Retry when an attempt at it failed and another is to come, and its
        Result when it ends, in no fixed order. Once `stop` is asked for, nothing is begun and what is training ends.
        """


def execute(task: Task, beat: Callable[[], None] | None = None) -> Result:
    """Train one task here and now. A target that raises gives a failed result with its traceback, never an exception.

    Args:
        beat: is told of each call that logs.
    """
    started, clock, busy = time.time(), time.perf_counter(), time.process_time()
    phases = Phases(clock, partial(settle, task.device)) if task.profile else None
    run = Run(task.seed, task.device, beat=beat, phases=phases, family=task.prefix.family, followed=task.followed)
    result = _trained(task, run, started)
    ended = time.perf_counter()
    return replace(
        result,
        seconds=ended - clock + run.shared_seconds,
        worker=this_worker(),
        cpu=time.process_time() - busy,
        phases=phases.end(ended) if phases else {},
        steps=run.steps,
        shared=run.shared,
        shared_seconds=run.shared_seconds,
    )


def _trained(task: Task, run: Run, started: float) -> Result:
    """What came of the training, but for the time it took."""
    state: State = "completed"
    metrics: dict[str, float] = {}
    error = ""
    fault: Fault = ""
    memory.watch()
    try:
        with run.phase(IMPORTS):
            target = load_target(task.target)
        returned = target.train(dict(task.params), run) or {}
        metrics = {plain(str(name)): float(value) for name, value in returned.items()}
    except Diverged as end:
        state, error = "diverged", plain(str(end))
    except (Exception, SystemExit) as raised:  # whatever the target raises
        state, error, fault = "failed", plain(traceback.format_exc(limit=-6).strip()), _fault(raised)
    unfit = [why for name, content in run.artifacts.items() if (why := _unfit(name, content))]
    if unfit and state != "failed":
        state, error, fault = "failed", f"ValueError: {unfit[0]}", "raised"
    artifacts = {name: content for name, content in run.artifacts.items() if not _unfit(name, content)}
    if fault == "memory":  # here nothing holds the frames of the training, and what is in them, any more
        error += f"\n{memory.peak()}"
        memory.free()
    on = device_name(task.device)
    return Result(task.run_id, state, started, 0.0, metrics, tuple(run.points), artifacts, error, on, fault=fault)


def _unfit(name: object, content: object) -> str:
    """Why an artifact that the target set itself, past `Run.log_artifact`, can't be kept; empty for one that can."""
    if not isinstance(name, str) or not isinstance(content, bytes):
        return f"artifact {name!r}: a name and bytes are kept, and not {type(name).__name__} and {type(content).__name__}"
    return improper(name)


def _fault(raised: BaseException) -> Fault:
    if memory.is_short(raised):
        return "memory"
    return "input" if isinstance(raised, BadInput) else "raised"


def device_name(device: str) -> str:
    """The device with the name of its GPU, `cuda: NVIDIA H100`, as far as a target has imported what knows it."""
    torch = sys.modules.get("torch")
    if device == "cpu" or torch is None or not torch.cuda.is_available():
        return device
    return f"{device}: {torch.cuda.get_device_name(device)}"


def this_worker() -> str:
    """Tells this process from others; of its machine it has a number and not the name, as it is shown wherever runs are."""
    return f"{os.getpid()}-{zlib.crc32(platform.node().encode()):08x}"


def settle(device: str) -> None:
    """Wait until a CUDA device has done what it was given. What fails on it is told by whatever asks it next."""
    torch = sys.modules.get("torch")
    if device != "cpu" and torch is not None and torch.cuda.is_initialized():
        with suppress(RuntimeError):
            torch.cuda.synchronize(device)


def prepare_target(target: str, params: Sequence[Mapping[str, Any]]) -> None:
    """Call the target's `prepare`, if it declares one, for each of the params."""
    prepare = load_target(target).declaration.prepare
    for each in params if prepare else ():
        prepare(each)  # type: ignore[misc]
