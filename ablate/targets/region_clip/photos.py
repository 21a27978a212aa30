"""Image files to pixels, as FG-CLIP's loader has them: RGB, resized to a square so that boxes stay the same fractions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

#: What photographs come in. PIL knows more, and would run Ghostscript for one of them.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


class BrokenImage(Exception):
    """A file that can't be decoded to the end; its text says why."""


@lru_cache(maxsize=2048)
def pixels(path: Path, size: int) -> NDArray[np.uint8]:
    """An image as uint8, [3, size, size]; the last 2,048 are kept.

    Raises:
        BrokenImage: if it can't be decoded.
    """
    try:
        with opened(path) as image:
            square = image.convert("RGB").resize((size, size))
    except Exception as error:  # PIL's decoders raise struct.error, EOFError, ZeroDivisionError and more on broken files
        raise BrokenImage(" ".join(f"{error}".split()) or type(error).__name__) from None
    return np.ascontiguousarray(np.asarray(square, np.uint8).transpose(2, 0, 1))


def opened(path: Path) -> Image:
    """An image whose header was read: in one of `FORMATS`, and of no more pixels than PIL takes for no decompression bomb.

    Raises:
        Exception: PIL's, of many kinds, if it isn't one.
    """
    from PIL import Image

    image = Image.open(path, formats=FORMATS)
    if (
        Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS
    ):  # PIL warns, and refuses from twice as many
        image.close()
        raise ValueError(f"{image.width} x {image.height} pixels, more than {Image.MAX_IMAGE_PIXELS}")
    return image
