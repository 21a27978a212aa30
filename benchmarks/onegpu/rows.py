"""The rows of the table: ways to train, in the order in which they are worth trying."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.onegpu.programs import Eager, Graphed, Program, Static
from benchmarks.onegpu.setting import Setting, arms
from benchmarks.onegpu.stacking import Stacked

CUDA, COMPILER = "needs CUDA", "needs a C++ compiler"
INDUCTOR = "inductor"
EAGER, FOLDED = "eager, forward by forward", "folded, eager"


@dataclass(frozen=True)
class Row:
    """A way to train.

    Attributes:
        build: the program of one training, or of several at once.
        together: trainings that one program steps.
        processes: that run the program beside each other.
        needs: what must be there: CUDA, a compiler.
    """

    name: str
    build: Callable[[Sequence[Setting]], Program]
    together: int = 1
    processes: int = 1
    needs: tuple[str, ...] = ()

    def lacks(self, device: str) -> str:
        """What of its needs isn't there; empty where all is."""
        there = {CUDA: device == "cuda", COMPILER: shutil.which(os.environ.get("CXX", "g++")) is not None}
        return next((need for need in self.needs if not there[need]), "")

    def trainings(self, of: Setting) -> list[Setting]:
        """What its program trains."""
        return [of] if self.together == 1 else arms(of, self.together)


def rows(scale: str) -> list[Row]:
    """All rows of a scale: folding, graphs, packing, stacking."""
    packed = (2,) if scale == "tiny" else (2, 4, 8)
    stacked = {"tiny": (8,), "small": (8, 48), "vit": (4, 8)}[scale]
    return [
        Row(EAGER, lambda of: Eager(of[0], apart=True)),
        Row(FOLDED, _eager),
        Row("folded, fixed shapes", lambda of: Static(of[0])),
        Row("folded, CUDA graph", _graphed, needs=(CUDA,)),
        Row("folded, torch.compile", lambda of: Static(of[0], INDUCTOR), needs=(COMPILER,)),
        Row("folded, torch.compile, CUDA graph", lambda of: Graphed(Static(of[0], INDUCTOR)), needs=(CUDA, COMPILER)),
        *(Row(f"packed: {k} processes, folded, eager", _eager, processes=k) for k in packed),
        *(Row(f"packed: {k} processes, folded, CUDA graph", _graphed, processes=k, needs=(CUDA,)) for k in packed),
        *(Row(f"stacked: {n} arms × seeds", Stacked, together=n) for n in stacked),
        *(Row(f"stacked: {n} arms × seeds, CUDA graph", lambda of: Graphed(Stacked(of)), n, needs=(CUDA,)) for n in stacked),
    ]


def row_named(scale: str, name: str) -> Row:
    """A row by its name, which passes from process to process where its program can't."""
    return next(row for row in rows(scale) if row.name == name)


def _eager(of: Sequence[Setting]) -> Program:
    return Eager(of[0])


def _graphed(of: Sequence[Setting]) -> Program:
    return Graphed(Static(of[0]))
