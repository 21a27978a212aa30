"""One row: whether a program's losses are those of the training in eager mode, and how fast it takes a run's steps."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from benchmarks.onegpu.floor import Floor, floor_of, now
from benchmarks.onegpu.programs import Eager, Program
from benchmarks.onegpu.rows import Row, row_named
from benchmarks.onegpu.setting import STEPS_A_RUN, WINDOWS, Setting, setting

Found = TypeVar("Found")
#: Steps that are compared: every window, and some again with the bank as the first time left it.
COMPARED = WINDOWS + 2
#: Of stacked trainings, so many at most are compared with each trained alone.
ALONE = 8
#: How far a loss may be from eager mode's, relatively. In fp32 the programs stay far below it on a CPU, and those of
#: another arm (bank, filter or scale left out) are above it: tests/test_gpu_benchmark.py. In bf16 rounding moves a loss about
#: as far as another arm does, so that the bound finds only what is grossly wrong: which training it is, is seen in fp32.
BOUNDS = {"fp32": 1e-3, "bf16": 5e-2}
#: Seconds that processes wait for each other to be ready.
READY = 300


@dataclass(frozen=True)
class Case:
    """What rows are measured on.

    Attributes:
        folder: for ViT-B/16's random weights.
        precisions: those verified; the last is timed too.
        seconds: that a row's steps are timed for.
    """

    scale: str
    device: str
    folder: Path
    precisions: tuple[str, ...]
    seconds: float

    def setting(self, precision: str = "") -> Setting:
        """The training, in the precision that is timed where no other is asked for."""
        torch.set_num_threads(1)
        return setting(self.scale, precision or self.precisions[-1], self.device, self.folder)


@dataclass(frozen=True)
class Measured:
    """A row: the losses' largest relative difference from eager mode, by precision, and how often an hour it takes a run's steps,
    None where it differs; or why there is neither."""

    off: dict[str, float] = field(default_factory=dict)
    runs: float | None = None
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether a loss is further from eager mode's than `BOUNDS` allows."""
        return not all(off <= BOUNDS[precision] for precision, off in self.off.items())


def measure(case: Case, name: str) -> Measured:
    """Verify a row and, if it does what it should, time it; where it can't be run, say why."""
    row = row_named(case.scale, name)
    if why := row.lacks(case.device):
        return Measured(why=why)
    try:
        off = {precision: difference(row, case.setting(precision)) for precision in case.precisions}
        if Measured(off).differs:
            return Measured(off)
        return Measured(off, runs_an_hour(row, case) if row.processes == 1 else packed_runs(row, case))
    except RuntimeError as error:  # CUDA's, out of memory, a compiler's: the other rows can still be measured
        return Measured(why=f"failed: {_line(error)}")


def difference(row: Row, of: Setting) -> float:
    """The largest relative difference of a loss from that of the same training alone, in eager mode, forward by forward."""
    every = row.trainings(of)
    losses = _losses(row.build(every))
    chosen = range(0, len(every), -(-len(every) // ALONE))
    alone = torch.cat([_losses(Eager(every[one], apart=True)) for one in chosen], dim=1)
    return float(((losses[:, chosen] - alone) / alone).abs().nan_to_num(nan=torch.inf, posinf=torch.inf).max())


def _losses(program: Program) -> Tensor:
    """Of the first steps, [steps, trainings]."""
    return torch.stack([program.step(place).reshape(-1) for place in range(COMPARED)]).cpu()


def runs_an_hour(row: Row, case: Case, wait: Callable[[], object] = lambda: None) -> float:
    """Of the row's program in this process; steps alone, without the start, evaluations and probes.

    Args:
        wait: called once all is warm.
    """
    of = case.setting()
    program = row.build(row.trainings(of))
    place = _pass(program, _pass(program, 0))
    wait()
    taken, begun = list[float](), now(of.device)
    while len(taken) < 3 or now(of.device) - begun < case.seconds:
        start = now(of.device)
        place = _pass(program, place)
        taken.append(now(of.device) - start)
    return row.together * 3600 / (statistics.median(taken) / WINDOWS * STEPS_A_RUN)


def _pass(program: Program, first: int) -> int:
    """Step through all windows; returns the place after them."""
    for place in range(first, first + WINDOWS):
        program.step(place)
    return first + WINDOWS


def packed_runs(row: Row, case: Case) -> float:
    """Runs an hour of several processes on one device, which begin to be timed together.

    Raises:
        RuntimeError: if one of them fails.
    """
    context = multiprocessing.get_context("spawn")
    barrier, ends = context.Barrier(row.processes), [context.Pipe() for _ in range(row.processes)]
    workers = [context.Process(target=_worker, args=(row.name, case, barrier, end)) for _, end in ends]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found: list[float | str] = [end.recv() if end.poll() else "a process died" for end, _ in ends]
    if said := [answer for answer in found if isinstance(answer, str)]:
        raise RuntimeError(min(said, key=lambda text: "BrokenBarrier" in text))  # the cause rather than who waited for it
    return sum(float(answer) for answer in found)


def _worker(name: str, case: Case, barrier: Barrier, end: Connection) -> None:
    try:
        end.send(runs_an_hour(row_named(case.scale, name), case, lambda: barrier.wait(READY)))
    except RuntimeError as error:
        barrier.abort()
        end.send(_line(error))


def _line(error: Exception) -> str:
    first = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first[:120]}"


def floor(case: Case) -> Floor:
    """See `floor_of`."""
    return floor_of(case.setting())


def alone(work: Callable[..., Found], case: Case, *given: object) -> Found:
    """What `work(case, ...)` returns; on a GPU in a process of its own, since an error there takes the process's memory with it.

    Raises:
        RuntimeError: if the process dies.
    """
    if case.device == "cpu":
        return work(case, *given)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, case, *given).result()
