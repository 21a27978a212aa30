"""Windows as tensors whose shapes never change: what a captured, compiled or stacked step takes in.

A window has as many boxes as it happens to have, and the memory bank as many negatives as it holds. Here boxes are padded to the
most that any window has, and which candidates a box is compared with is a mask that the host works out beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablate.targets.region_clip.data import Window
from benchmarks.onegpu.setting import Setting


class Frame(NamedTuple):
    """A window; N images, T boxes with the padding, K places in the bank.

    Attributes:
        images: uint8, [N, 3, height, width].
        boxes: by image, zero where an image has fewer, [N, slots, 4].
        at: where among `boxes`, images and slots in one, each of the T lies, [T].
        expressions: token ids, [T, words].
        captions: token ids, [N, texts an image, words].
        weight: one over the boxes of its micro-batch, zero for padding, [T].
        allowed: the candidates of each box, [T, 2 T + K]: of its own micro-batch, of earlier ones that are in the bank by then,
            and of the bank as the window begins.
        carry: where among the bank and this window's pairs the next window's bank comes from, oldest first, [K].
    """

    images: Tensor
    boxes: Tensor
    at: Tensor
    expressions: Tensor
    captions: Tensor
    weight: Tensor
    allowed: Tensor
    carry: Tensor


@dataclass(frozen=True)
class Shape:
    """What frames are padded to: boxes a window, boxes an image, words an expression."""

    boxes: int
    slots: int
    words: int


def shape_of(settings: Sequence[Setting]) -> Shape:
    """The most that any window of these trainings has."""
    every = [window for each in settings for window in each.windows(device=torch.device("cpu"))]
    slots = max(int(torch.bincount(window.image).max()) for window in every if len(window.image))
    return Shape(max(len(window.image) for window in every), slots, max(window.expressions.ids.shape[1] for window in every))


def frames(of: Setting, shape: Shape) -> list[Frame]:
    """A training's windows twice over: as it begins, and again with the bank as it then is, which every later time repeats."""
    size, warmup = of.params["bank_size"], of.params["bank_warmup"]
    found, held, forward = [], 0, 0
    for window in 2 * of.windows(device=torch.device("cpu")):
        forwards = range(forward, forward + len(window.sizes))
        allowed, carry, held = bank_plan(window.sizes, forwards, held, shape.boxes, size, warmup)
        boxes, at, expressions, weight = _boxes(window, shape)
        masks = torch.from_numpy(allowed), torch.from_numpy(carry)
        captions = window.captions.each.unflatten(0, (-1, window.kinds))
        frame = Frame(window.images, boxes, at, expressions, captions, weight, *masks)
        found.append(Frame(*(part.to(of.device) for part in frame)))
        forward = forwards.stop
    return found


def _boxes(window: Window, shape: Shape) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count, owner = len(window.image), window.image
    slot = (owner[:, None] == owner).tril(-1).sum(1)
    boxes = torch.zeros(len(window.images), shape.slots, 4)
    boxes[owner, slot] = window.boxes
    at = torch.zeros(shape.boxes, dtype=torch.int64)
    at[:count] = owner * shape.slots + slot
    expressions = torch.zeros(shape.boxes, shape.words, dtype=torch.int64)
    expressions[:count, : window.expressions.ids.shape[1]] = window.expressions.each
    weight = torch.zeros(shape.boxes)
    weight[:count] = torch.tensor([1 / size for size in window.sizes for _ in range(size)])
    return boxes, at, expressions, weight


def bank_plan(
    sizes: Sequence[int], forwards: range, held: int, boxes: int, size: int, warmup: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
    """Who is compared with whom, as `MemoryBank` has it: `allowed`, `carry`, and how many pairs the bank holds after the window.

    Args:
        held: pairs in the bank before it; they lie in its last places.
        boxes, size: T and K of `Frame`.
    """
    allowed = np.zeros((boxes, 2 * boxes + size), np.bool_)
    allowed[range(boxes), range(boxes)] = True  # padding is compared with itself, so that its loss is 0 and not 0/0
    order = [2 * boxes + size - held + place for place in range(held)]  # columns of what is in the bank, oldest first
    start = 0
    for count, forward in zip(sizes, forwards, strict=True):
        own = range(start, start + count)
        allowed[np.ix_(own, own)] = True
        if forward >= warmup:
            allowed[np.ix_(own, order[-size:])] = True
            order += [boxes + place for place in own]
        start += count
    kept = [column - 2 * boxes if column >= 2 * boxes else size + column - boxes for column in order[-size:]]
    return allowed, np.asarray([0] * (size - len(kept)) + kept, np.int64), len(kept)
