"""Which boxes are usable: the diagnosis's rule, its parts named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def valid(boxes: NDArray[np.floating], min_area: float = 0.0) -> NDArray[np.bool_]:
    """Whether 0 <= x1 < x2 <= 1, 0 <= y1 < y2 <= 1 and the area is at least `min_area`.

    Args:
        boxes: x1, y1, x2, y2 as fractions of the image, [..., 4].
        min_area: share of the image.

    Returns:
        [...]; False where a coordinate is not finite.
    """
    x1, y1, x2, y2 = np.moveaxis(np.asarray(boxes, np.float64), -1, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        inside: NDArray[np.bool_] = (x1 >= 0) & (x1 < x2) & (x2 <= 1) & (y1 >= 0) & (y1 < y2) & (y2 <= 1)
        large: NDArray[np.bool_] = (x2 - x1) * (y2 - y1) >= min_area
        both: NDArray[np.bool_] = inside & large
        return both


def annotated(boxes: NDArray[np.floating], counts: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which rows of [n, max boxes, 4] are boxes and not padding, [n, max boxes]."""
    there: NDArray[np.bool_] = np.arange(boxes.shape[1])[None, :] < counts[:, None]
    return there


def keep(boxes: NDArray[np.floating], counts: NDArray[np.integer], box_filter: str, min_area: float) -> NDArray[np.bool_]:
    """The boxes that a filter leaves, [n, 4]: `none` keeps every annotated one, `valid` those that pass the rule."""
    there = annotated(boxes, counts)
    return there if box_filter == "none" else there & valid(boxes, min_area)
