"""RoI Align to one value a box: batched, with no sum whose order threads or a device decide, and equal to torchvision's
`roi_align` within 1e-5 (output 1 x 1, `spatial_scale=1`, `sampling_ratio=-1`, `aligned=True`), gradients included.

The average of bilinear samples on a regular grid is separable: each sample's weights are a product of one over rows and one
over columns, and so is the rule that drops samples outside the map. So a pooled feature is `wy @ map @ wx`, with each axis'
weights averaged over its samples (Mask R-CNN, He et al. 2017, sec. 3).

Where zero vectors come from. An axis is sampled ceil(length) times, and a sample is dropped when it lies more than half a cell
outside the map; what is dropped counts as zero. So a box pools to exactly zero, with no gradient, when on either axis it

- has no length: both edges equal, or so close that they round to one float32 in cells (a box 1e-9 wide can);
- is reversed, its second edge before its first;
- is wholly outside the map, with every sample over half a cell away. A box outside but nearer takes the outermost cells.

A box with length on both axes that overlaps the map never does. (torchvision raises on a CPU for a box reversed on one axis
alone by a cell or more, and gives zero for the rest.) What becomes of a zero vector is its norm's affair: FG-CLIP as published
divides by the norm with no epsilon, so it turns into 0/0 = NaN, and the loss with it; the fork under diagnosis normalises with
an epsilon, so the embedding stays zero, with a norm of 0 and a logit of 0 for every text. `RegionCLIP.regions` does the latter.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_weights(low: Tensor, high: Tensor, size: int) -> Tensor:
    """The weight of each of `size` cells in the mean over one axis' samples.

    Lengths and positions follow torchvision's float32 operations one by one, since how they round decides how many samples
    there are and which are dropped: from -2/3 to 1/3 of 8 cells takes 8 samples, but 9 if float64 keeps what float32 loses.

    Args:
        low, high: the box's edges in cells, [boxes], float32.

    Returns:
        [boxes, size], float32.
    """
    start = (low - 0.5)[:, None]
    length = (high - 0.5)[:, None] - start
    samples = length.ceil().clamp(min=0)
    count = samples.clamp(min=1)
    # Of more than size + 4 samples at most size + 2 are counted, as they lie nearly a cell apart; begin one before the first.
    first = ((-1 - start) * count / length.clamp(min=1e-9) - 1.5).floor().clamp(min=0).minimum(samples)
    index = first + torch.arange(size + 4, device=low.device)
    position = start + (index + 0.5) * length / count
    counted = (index < samples) & (position >= -1) & (position <= size)
    distance = (position.clamp(0, size - 1)[:, :, None] - torch.arange(size, device=low.device)).abs()
    hat = (1 - distance).clamp(min=0) * counted[:, :, None]
    return hat.sum(1) / count


def roi_align(features: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
    """Pool each box to one vector.

    Args:
        features: maps, [images, channels, rows, columns].
        boxes: x1, y1, x2, y2 as fractions of the image, [boxes, 4].
        image: which map each box lies on, [boxes].

    Returns:
        [boxes, channels]; exactly zero for boxes without length on an axis, reversed or wholly outside.
    """
    rows, columns = features.shape[-2:]
    x1, y1, x2, y2 = boxes.unbind(1)
    wy = axis_weights((y1 * rows).float(), (y2 * rows).float(), rows).to(features.dtype)
    wx = axis_weights((x1 * columns).float(), (x2 * columns).float(), columns).to(features.dtype)
    weights = torch.einsum("br,bc->brc", wy, wx).flatten(1)
    # Gathering a map a box would add gradients up in whatever order threads finish; a table of each map's boxes leaves the sum
    # to a matrix product.
    slot = (image[:, None] == image).tril(-1).sum(1)
    table = weights.new_zeros(len(features), max(slot.tolist(), default=-1) + 1, rows * columns)
    table[image, slot] = weights
    return torch.bmm(table, features.flatten(2).transpose(1, 2))[image, slot]
