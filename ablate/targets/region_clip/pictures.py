"""A data set's images as floats, cut into patches, once for all runs of the process: where they are few, and on a CPU, which
would make and convolve them anew in every step."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ablate.targets.region_clip.inputs import Pixels
from ablate.targets.region_clip.model import RegionCLIP, patches

#: Bytes that a set's patches may take.
ROOM = 64 << 20
#: Images that are cut at a time.
SOME = 256


class Pictured(Hashable, Protocol):
    """A set of images, told from others by identity.

    Attributes:
        images: uint8, [n, 3, size, size], as an array or a tensor.
    """

    @property
    def images(self) -> Any: ...


def pictures(data: Pictured, model: RegionCLIP) -> Tensor | None:
    """All images as the model's `encode` takes them, [n, patches, 3 x size x size], on the host; None where they are to be given
    as they are: on a GPU, and where they are too many."""
    weight = model.clip.visual_projection.weight
    size = math.prod(data.images.shape) * weight.element_size()
    if weight.device.type != "cpu" or size > ROOM:
        return None
    return _pictures(data, model.side, model.pixels, weight.dtype)


@lru_cache(maxsize=3)
def _pictures(data: Pictured, side: int, pixels: Pixels, dtype: torch.dtype) -> Tensor:
    some = (data.images[start : start + SOME] for start in range(0, len(data.images), SOME))
    parts = (part if isinstance(part, Tensor) else torch.from_numpy(np.array(part)) for part in some)
    return torch.cat([patches(part, side, pixels, dtype) for part in parts])
