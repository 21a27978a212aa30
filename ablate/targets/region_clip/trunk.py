"""What runs have in common is trained once: a run leaves a copy of itself where it parts from the others, and the next goes on
from there, bit for bit as if it had been trained from its start.

The copy lies in the process's main memory, so that a training finds no less of its device's; there is one at a time, as a
family's runs come by growing point (`ablate.families`) and each needs the last one's alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablate.run import Point

#: Bytes of a copy at most: twice what a ViT-B/16 takes with its optimizer. Runs of a larger model are trained from their start.
ROOM = 4 << 30


@dataclass(frozen=True)
class Snapshot:
    """A run at the start of a window.

    Attributes:
        forward, steps: that were done.
        state: weights, optimizer, bank, the step of the bank's start: nested, all tensors copied to the host.
        generators: the states of torch's random generators.
        points: all that was logged.
        seconds: that it took from the first step's beginning.
    """

    forward: int
    steps: int
    state: dict[str, Any]
    generators: tuple[Tensor, ...]
    points: tuple[Point, ...]
    seconds: float


class Trunk:
    """The latest copy.

    Args:
        room: bytes that it may have.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._family = ""
        self._kept: Snapshot | None = None

    def find(self, family: str, point: int, followed: bool = True) -> Snapshot | None:
        """The family's copy, if it was made by that point. That of another family goes: its runs are through, as far as they come
        to this process.

        Args:
            family: empty for a run of none.
            followed: whether another run of the family may come; else its copy goes with this one.
        """
        kept = self._kept if family == self._family else None
        self._family, self._kept = family, kept if followed else None
        return kept if family and kept and kept.forward <= point else None

    def keep(self, family: str, size: int, make: Callable[[], Snapshot]) -> None:
        """Copy a run, in place of the copy before.

        Args:
            size: of its state, bytes.
            make: copies it.
        """
        self._family, self._kept = family, None  # first, so that there are never two
        if size <= self._room:
            self._kept = make()


def on_host(state: Any) -> Any:
    """A copy of a nest of dicts, lists and tuples that shares no storage with it; tensors come to the host."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: on_host(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(on_host(value) for value in state)
    return copy.deepcopy(state)


def size_of(state: Any) -> int:
    """Bytes of its tensors."""
    return sum(tensor.nbytes for tensor in _tensors(state))


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _tensors(value)


def generators(device: torch.device) -> tuple[Tensor, ...]:
    """The states of torch's random generators, of the host and of a CUDA device."""
    return torch.get_rng_state(), *((torch.cuda.get_rng_state(device),) if device.type == "cuda" else ())


def set_generators(device: torch.device, states: tuple[Tensor, ...]) -> None:
    """Put `generators` back."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state, device)
