"""The fork's memory bank: embeddings of past boxes as extra negatives, first in, first out."""

from __future__ import annotations

import torch
from torch import Tensor


class MemoryBank:
    """A ring of the last `size` region and text embeddings, without gradients.

    Args:
        size: how many pairs it holds (the fork's default is 128).
        warmup: forward calls (micro-batches, not optimizer steps) before it starts. The confusion of the two is defect 2.
        dim: of the embeddings.

    Attributes:
        ptr: where the next pair is written.
        full: whether it has come round once.
    """

    def __init__(self, size: int, warmup: int, dim: int, device: torch.device | str = "cpu") -> None:
        self.size, self.warmup = size, warmup
        self.images = torch.zeros(size, dim, device=device)
        self.texts = torch.zeros(size, dim, device=device)
        self.ptr, self.full = 0, False

    def active(self, forward: int) -> bool:
        """Whether the bank takes part in this forward (counted from 0)."""
        return self.size > 0 and forward >= self.warmup

    def negatives(self, forward: int) -> tuple[Tensor, Tensor]:
        """What is held for this forward: (images, texts), both [held, dim]; held is 0 until the bank has started."""
        held = 0 if not self.active(forward) else self.size if self.full else self.ptr
        return self.images[:held], self.texts[:held]

    def enqueue(self, forward: int, images: Tensor, texts: Tensor) -> None:
        """Write pairs, [boxes, dim] each, over the oldest; nothing before the bank has started.

        New storage is made rather than the old overwritten: a loss that still needs its negatives for the backward pass
        keeps the ones it saw.
        """
        if not self.active(forward) or not len(images):
            return
        where = (self.ptr + torch.arange(len(images), device=images.device)) % self.size
        self.images = self.images.index_copy(0, where[-self.size :], images.detach()[-self.size :])
        self.texts = self.texts.index_copy(0, where[-self.size :], texts.detach()[-self.size :])
        self.full = self.full or self.ptr + len(images) >= self.size
        self.ptr = (self.ptr + len(images)) % self.size
