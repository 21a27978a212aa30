"""What one run trains on, in the order it sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ablate.targets.region_clip.boxes import keep
from ablate.targets.region_clip.scenes import Scenes, make_scenes


@lru_cache(maxsize=3)
def training_scenes(count: int, seed: int, invalid_rate: float) -> Scenes:
    """The scenes of a seed, in their order; kept, since every arm of a block asks for the same."""
    return make_scenes(count, seed, invalid_rate=invalid_rate)


@dataclass(frozen=True)
class Window:
    """The micro-batches between two optimizer steps, laid end to end.

    Attributes:
        images: uint8, [micro-batches x batch size, 3, height, width].
        boxes: of all kept boxes, [boxes, 4], in the order of their images.
        image: which image each lies on, [boxes].
        expressions: token ids of each, [boxes, words].
        sizes: how many boxes each micro-batch has.
    """

    images: Tensor
    boxes: Tensor
    image: Tensor
    expressions: Tensor
    sizes: tuple[int, ...]


def windows(
    scenes: Scenes, batch_size: int, accumulation: int, box_filter: str, min_area: float, device: torch.device
) -> Iterator[Window]:
    """Cut scenes into windows of `accumulation` micro-batches of `batch_size` images; the last may be shorter."""
    kept = keep(scenes.boxes, scenes.counts, box_filter, min_area)
    span = batch_size * accumulation
    for start in range(0, len(scenes), span):
        image, slot = np.nonzero(kept[start : start + span])
        images = scenes.images[start : start + span]
        sizes = np.bincount(image // batch_size, minlength=-(-len(images) // batch_size))
        boxes, expressions = scenes.boxes[start + image, slot], scenes.expressions[start + image, slot]
        on_device = [torch.from_numpy(part).to(device) for part in (images, boxes, image, expressions)]
        yield Window(on_device[0], on_device[1], on_device[2], on_device[3], tuple(int(size) for size in sizes))
