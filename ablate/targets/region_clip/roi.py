"""RoI Align to one value a box: with no sum whose order threads or a device decide, and equal to torchvision's
`roi_align` within 1e-5 (output 1 x 1, `spatial_scale=1`, `sampling_ratio=-1`, `aligned=True`), gradients included.

The average of bilinear samples on a regular grid is separable: each sample's weights are a product of one over rows and one
over columns, and so is the rule that drops samples outside the map. So a pooled feature is `wy @ map @ wx`, with each axis'
weights averaged over its samples (Mask R-CNN, He et al. 2017, sec. 3). These weights follow from the boxes alone, and most are
zero: `Pooling` says which cells are needed at all, so that no others are computed.

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

from dataclasses import dataclass

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


def cell_weights(boxes: Tensor, rows: int, columns: int) -> Tensor:
    """What each cell of a map adds to each box's pooled value.

    Args:
        boxes: x1, y1, x2, y2 as fractions of the image, [boxes, 4].

    Returns:
        [boxes, rows x columns], float32; all zero for boxes without length on an axis, reversed or wholly outside.
    """
    x1, y1, x2, y2 = boxes.unbind(1)
    wy = axis_weights((y1 * rows).float(), (y2 * rows).float(), rows)
    wx = axis_weights((x1 * columns).float(), (x2 * columns).float(), columns)
    return torch.einsum("br,bc->brc", wy, wx).flatten(1)


@dataclass(frozen=True)
class Pooling:
    """Which cells boxes are pooled from, and how.

    Attributes:
        cells: those that any box needs, growing, [needed]: the map's number times the cells of a map, plus the cell's.
        weights: of each for each box, [boxes, needed], float32.
    """

    cells: Tensor
    weights: Tensor

    @classmethod
    def of(cls, weights: Tensor, image: Tensor, multiple: int = 1) -> Pooling:
        """From `cell_weights`, [boxes, cells of a map], and the map that each box lies on, [boxes]; both on the host, which the
        number of cells is needed on. Up to a multiple, the last cell is there again, with weights of zero."""
        box, cell = weights.nonzero(as_tuple=True)
        cells, place = (image[box] * weights.shape[1] + cell).unique(return_inverse=True)
        more = -len(cells) % multiple if len(cells) else 0
        table = weights.new_zeros(len(weights), len(cells) + more)
        table[box, place] = weights[box, cell]
        return cls(torch.cat([cells, cells[-1:].expand(more)]), table)

    def to(self, device: torch.device) -> Pooling:
        """The same on a device."""
        return Pooling(self.cells.to(device), self.weights.to(device))

    def __call__(self, features: Tensor) -> Tensor:
        """Pooled, [boxes, channels], from the features of its cells, [needed, channels]."""
        return self.weights.to(features.dtype) @ features


def roi_align(features: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
    """Pool each box to one vector.

    Args:
        features: maps, [images, channels, rows, columns].
        boxes: x1, y1, x2, y2 as fractions of the image, [boxes, 4].
        image: which map each box lies on, [boxes].

    Returns:
        [boxes, channels]; exactly zero for boxes without length on an axis, reversed or wholly outside.
    """
    pooling = Pooling.of(cell_weights(boxes.cpu(), *features.shape[-2:]), image.cpu()).to(features.device)
    return pooling(features.flatten(2).transpose(1, 2).flatten(0, 1).index_select(0, pooling.cells))
