"""Image files to pixels, as FG-CLIP's loader has them: RGB, resized to a square so that boxes stay the same fractions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class BrokenImage(Exception):
    """A file that can't be decoded to the end; its text says why."""


@lru_cache(maxsize=2048)
def pixels(path: Path, size: int) -> NDArray[np.uint8]:
    """An image as uint8, [3, size, size]; the last 2,048 are kept.

    Raises:
        BrokenImage: if it can't be decoded.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            square = image.convert("RGB").resize((size, size))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BrokenImage(" ".join(f"{error}".split()) or type(error).__name__) from None
    return np.ascontiguousarray(np.asarray(square, np.uint8).transpose(2, 0, 1))
