"""The fork's memory bank: embeddings of past boxes as extra negatives, first in, first out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Negatives:
    """What each micro-batch of a window has to tell its pairs from, beside its own.

    Candidates are first the window's own pairs, those of micro-batches before it, and then the bank's places.

    Attributes:
        images, texts: what the bank held before the window, [size, dim].
        of_images, of_texts: which candidates each micro-batch that has boxes sees, bool [groups, boxes + size].
        count: how many texts each sees, [groups].
    """

    images: Tensor
    texts: Tensor
    of_images: Tensor
    of_texts: Tensor
    count: NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """Where the bank stands after a forward."""

    ptr: int
    full: bool


class MemoryBank:
    """A ring of the last `size` region and text embeddings, without gradients.

    Args:
        size: how many pairs it holds (the fork's default is 128).
        warmup: forward calls (micro-batches, not optimizer steps) before it starts. The confusion of the two is defect 2.
        dim: of the embeddings.
        skip_zeros: leave out pairs whose region embedding is zero; the fork keeps them, so invalid boxes come back as negatives.
        side: `both`, or the one side whose past embeddings serve as negatives: `image` or `text`.

    Attributes:
        ptr: where the next pair is written.
        full: whether it has come round once.
    """

    def __init__(
        self,
        size: int,
        warmup: int,
        dim: int,
        device: torch.device | str = "cpu",
        skip_zeros: bool = False,
        side: str = "both",
    ) -> None:
        self.size, self.warmup, self.skip_zeros, self.side = size, warmup, skip_zeros, side
        self.images = torch.zeros(size, dim, device=device)
        self.texts = torch.zeros(size, dim, device=device)
        self.ptr, self.full = 0, False

    def state(self) -> dict[str, Any]:
        """What it holds; `load` takes it."""
        return {"images": self.images, "texts": self.texts, "ptr": self.ptr, "full": self.full}

    def load(self, state: Mapping[str, Any]) -> None:
        """Hold what another of the same size held."""
        self.images.copy_(state["images"])
        self.texts.copy_(state["texts"])
        self.ptr, self.full = state["ptr"], state["full"]

    def active(self, forward: int) -> bool:
        """Whether the bank takes part in this forward (counted from 0)."""
        return self.size > 0 and forward >= self.warmup

    def negatives(self, forward: int) -> tuple[Tensor, Tensor]:
        """What serves as negatives in this forward: (images, texts), [held, dim] each; none until the bank has started, and none
        of a side that is not kept."""
        held = 0 if not self.active(forward) else self.size if self.full else self.ptr
        images, texts = (held if self.side in ("both", side) else 0 for side in ("image", "text"))
        return self.images[:images], self.texts[:texts]

    def over(
        self, forwards: range, sizes: Sequence[int], zero: NDArray[np.bool_], before: bool
    ) -> tuple[Negatives | None, list[State]]:
        """What `negatives` and `enqueue` would give and do, forward by forward over a window, without doing it.

        Args:
            sizes: boxes of each forward.
            zero: whether a region's embedding is zero, [boxes].
            before: whether pairs enter the bank before their loss.

        Returns:
            the negatives, or None where no forward has any, and the state after each forward.
        """
        forward = np.repeat(np.arange(len(sizes)), sizes)
        enters = np.asarray([self.active(each) for each in forwards], bool)[forward]
        if self.skip_zeros:
            enters &= ~zero
        entered = np.cumsum(np.bincount(forward[enters], minlength=len(sizes)))
        states = [self._state(int(count)) for count in entered]
        then = entered if before else np.concatenate([[0], entered[:-1]])
        then = then[np.asarray(sizes) > 0]
        held = self.size if self.full else self.ptr
        if not len(then) or not (held or then[-1]):
            return None, states
        number = np.where(enters, np.cumsum(enters) - 1, len(enters) + self.size)  # those that don't enter: never reached
        own = (number < then[:, None]) & (number >= then[:, None] - self.size)
        slot = np.arange(self.size)
        kept = (slot < held) & ((slot - self.ptr) % self.size >= then[:, None])
        return self._negatives(np.concatenate([own, kept], 1)), states

    def _state(self, entered: int) -> State:
        if not self.size:
            return State(0, False)
        return State((self.ptr + entered) % self.size, self.full or self.ptr + entered >= self.size)

    def _negatives(self, seen: NDArray[np.bool_]) -> Negatives:
        mask = torch.from_numpy(seen).to(self.images.device)
        of = {side: mask if self.side in ("both", side) else torch.zeros_like(mask) for side in ("image", "text")}
        count = seen.sum(1) if self.side in ("both", "text") else np.zeros(len(seen), np.int64)
        return Negatives(self.images, self.texts, of["image"], of["text"], count)

    def enqueue(self, forward: int, images: Tensor, texts: Tensor) -> None:
        """Write pairs, [boxes, dim] each, over the oldest; nothing before the bank has started.

        New storage is made rather than the old overwritten: a loss that still needs its negatives for the backward pass
        keeps the ones it saw.
        """
        if not self.active(forward):
            return
        if self.skip_zeros:
            kept = images.detach().any(dim=1)
            images, texts = images[kept], texts[kept]
        if not len(images):
            return
        where = (self.ptr + torch.arange(len(images), device=images.device)) % self.size
        self.images = self.images.index_copy(0, where[-self.size :], images.detach()[-self.size :])
        self.texts = self.texts.index_copy(0, where[-self.size :], texts.detach()[-self.size :])
        self.full = self.full or self.ptr + len(images) >= self.size
        self.ptr = (self.ptr + len(images)) % self.size
