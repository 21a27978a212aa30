"""RoI Align to one value a box, batched and deterministic.

The average of bilinear samples on a regular grid is separable: each sample's weights are a product of one over rows and one
over columns, and so is the rule that drops samples outside the map. So a pooled feature is `wy @ map @ wx`, with each axis'
weights averaged over its samples (Mask R-CNN, He et al. 2017, sec. 3; semantics of torchvision's `roi_align` with output
1 x 1, `sampling_ratio=-1`, `aligned=True`).

Where zero vectors come from: a box without width or height (or with its corners swapped) has no samples, and a box wholly
outside the map has only samples that are dropped. Both pool to exactly zero, with no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_weights(low: Tensor, high: Tensor, size: int) -> Tensor:
    """The weight of each of `size` cells in the mean over one axis' samples.

    Args:
        low, high: the box's edges in cells, [boxes].

    Returns:
        [boxes, size], float32.
    """
    start = low.double() - 0.5
    length = high.double() - 0.5 - start
    samples = length.ceil().clamp(min=0)
    pitch = length / samples.clamp(min=1)
    # Samples lie over half a cell apart; only those in [-1, size] count, so these many indices from the first one cover them.
    first = ((-1 - start) / pitch.clamp(min=1e-9) - 0.5).ceil().clamp(min=0)
    first = torch.minimum(first, samples)
    index = first[:, None] + torch.arange(2 * size + 4, dtype=torch.float64, device=low.device)
    position = start[:, None] + (index + 0.5) * pitch[:, None]
    counted = (index < samples[:, None]) & (position >= -1) & (position <= size)
    position = position.clamp(0, size - 1)
    distance = (position[:, :, None] - torch.arange(size, dtype=torch.float64, device=low.device)).abs()
    hat = (1 - distance).clamp(min=0) * counted[:, :, None]
    return (hat.sum(1) / samples.clamp(min=1)[:, None]).float()


def roi_align(features: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
    """Pool each box to one vector.

    Args:
        features: maps, [images, channels, rows, columns].
        boxes: x1, y1, x2, y2 as fractions of the image, [boxes, 4].
        image: which map each box lies on, [boxes].

    Returns:
        [boxes, channels]; exactly zero for boxes without area or wholly outside.
    """
    rows, columns = features.shape[-2:]
    wy = axis_weights(boxes[:, 1] * rows, boxes[:, 3] * rows, rows).to(features.dtype)
    wx = axis_weights(boxes[:, 0] * columns, boxes[:, 2] * columns, columns).to(features.dtype)
    weights = torch.einsum("br,bc->brc", wy, wx).flatten(1)
    return torch.einsum("bp,bdp->bd", weights, features.flatten(2)[image])
