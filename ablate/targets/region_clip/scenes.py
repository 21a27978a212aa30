"""Made scenes: coloured, textured shapes on a noisy ground, with boxes and compositional captions.

A scene holds a few objects; some of them are annotated with a box (a fraction of the image, x1, y1, x2, y2) and an expression
like "a tiny red striped circle". 10 colours, 5 textures, 8 shapes and 3 sizes give 1,200 distinct expressions.

What is set from the diagnosis: how many boxes an image has (so that four images hold 4/5/6/7 boxes in 114/11/6/3 of 134
forwards), and the share of boxes that are broken (one in a forward in 34 of 134). A third of the valid boxes cover less than
1 % of their image, as in FG-OVD's annotations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.targets.region_clip.settings import SMALL_IMAGE

COLOURS = {
    "red": (214, 39, 40), "green": (44, 140, 44), "blue": (31, 90, 220), "yellow": (245, 215, 40), "purple": (120, 50, 170),
    "orange": (255, 127, 14), "cyan": (40, 205, 220), "pink": (250, 130, 190), "white": (245, 245, 245), "brown": (110, 65, 35),
}  # fmt: skip
TEXTURES = ("plain", "striped", "barred", "dotted", "checked")
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring", "bow", "crescent")
SIZES = ("tiny", "small", "large")

#: Raise when the same arguments give other scenes.
VERSION = 1
MAX_BOXES = 4
#: P(an image has 1, 2, 3, 4 boxes): four images then hold 4/5/6/7 boxes in 85.0/8.2/4.5/2.2 % of forwards, as observed.
BOX_COUNTS = (0.9600, 0.0230, 0.0117, 0.0053)
#: Share of the image that an object's box covers: log-uniform between these, so a third lies below 1 %.
AREA_RANGE = (0.0025, 0.16)
SMALL_AREA = 0.01
#: At most so many objects of a scene have no box.
EXTRA = 2

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scenes:
    """A set of scenes.

    Attributes:
        images: uint8, [n, 3, size, size].
        boxes: float32 fractions x1, y1, x2, y2, [n, 4, 4]; rows past `counts` are zero.
        counts: annotated boxes of each image, [n].
        expressions: each box's text, in the order of its boxes.
        captions: each image's text.
    """

    images: NDArray[np.uint8]
    boxes: Floats
    counts: Ints
    expressions: tuple[tuple[str, ...], ...]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class _Object:
    box: tuple[float, float, float, float]
    colour: str
    texture: str
    shape: str

    @property
    def size(self) -> str:
        area = (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])
        return SIZES[0] if area < SMALL_AREA else SIZES[1] if area < 4 * SMALL_AREA else SIZES[2]

    @property
    def expression(self) -> str:
        return f"a {self.size} {self.colour} {self.texture} {self.shape}"


def make_scenes(
    count: int,
    seed: int,
    box_counts: tuple[float, ...] = BOX_COUNTS,
    invalid_rate: float = 0.0,
    stream: int = 0,
    size: int = SMALL_IMAGE,
) -> Scenes:
    """Draw scenes.

    Args:
        count: how many.
        seed, stream: what is drawn; the same give the same scenes for the same count.
        box_counts: the probabilities of 1, 2, ... annotated boxes an image.
        invalid_rate: the probability that a box is broken: its object is there, but the box has no area or lies outside.
        size: side of the images, pixels.
    """
    rng = np.random.default_rng([seed, stream, 0])
    breaking = np.random.default_rng([seed, stream, 1])
    images = np.empty((count, 3, size, size), np.uint8)
    boxes = np.zeros((count, MAX_BOXES, 4), np.float32)
    expressions, captions = [], []
    counts = 1 + rng.choice(len(box_counts), count, p=np.asarray(box_counts) / sum(box_counts))
    for i in range(count):
        objects = _place(rng, int(counts[i]) + int(rng.integers(0, EXTRA + 1)))
        counts[i] = min(counts[i], len(objects))
        images[i] = _paint(np.random.default_rng([seed, stream, 2, i]), objects, size)
        annotated = objects[: counts[i]]
        for j, thing in enumerate(annotated):
            boxes[i, j] = thing.box if breaking.random() >= invalid_rate else _broken(breaking, thing.box)
        expressions.append(tuple(thing.expression for thing in annotated))
        largest = sorted(objects, key=lambda o: (o.box[0] - o.box[2]) * (o.box[3] - o.box[1]))[:2]
        captions.append(" and ".join(thing.expression for thing in largest))
    return Scenes(images, boxes, counts, tuple(expressions), tuple(captions))


def _place(rng: np.random.Generator, wanted: int) -> list[_Object]:
    """Up to `wanted` objects whose boxes don't overlap (one that finds no room in 20 tries is left out; the first fits)."""
    placed: list[_Object] = []
    for _ in range(wanted):
        for _ in range(20):
            area = np.exp(rng.uniform(*np.log(AREA_RANGE)))
            aspect = np.exp(rng.uniform(-0.3, 0.3))
            width, height = np.sqrt(area * aspect), np.sqrt(area / aspect)
            x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
            box = (x, y, x + width, y + height)
            if all(_apart(box, other.box) for other in placed):
                look = (rng.choice(list(COLOURS)), rng.choice(TEXTURES), rng.choice(SHAPES))
                placed.append(_Object(box, *map(str, look)))
                break
    return placed


def _apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _broken(rng: np.random.Generator, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box as the diagnosis found them: no width, no height, or past the image's edge by over a patch. (Swapped corners are not
    among them: FG-CLIP's loader stops at those, and so does ours.)"""
    x1, y1, x2, y2 = box
    kinds = [(x1, y1, x1, y2), (x1, y1, x2, y1), (1.2 + x1, 1.2 + y1, 1.2 + x2, 1.2 + y2)]
    return kinds[int(rng.integers(len(kinds)))]


def _paint(rng: np.random.Generator, objects: list[_Object], size: int) -> NDArray[np.uint8]:
    ground, tilt = rng.uniform(60, 170, (3, 1, 1)), rng.uniform(-25, 25)
    canvas = ground + tilt * np.linspace(-1, 1, size)[:, None] + rng.normal(0, 8, (3, size, size))
    for thing in objects:
        _draw(canvas, thing)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _draw(canvas: NDArray[np.float64], thing: _Object) -> None:
    """Paint one object inside its box; the pixels whose centres lie in the shape take its colour or its texture's dark."""
    size = canvas.shape[-1]
    x1, y1, x2, y2 = (edge * size for edge in thing.box)
    rows = np.arange(int(y1), min(size, int(np.ceil(y2))))
    columns = np.arange(int(x1), min(size, int(np.ceil(x2))))
    v = np.clip(2 * (rows[:, None] + 0.5 - y1) / (y2 - y1) - 1, -1, 1)
    u = np.clip(2 * (columns[None, :] + 0.5 - x1) / (x2 - x1) - 1, -1, 1)
    inside = _inside(thing.shape, u, v)
    grain = max(1, size // SMALL_IMAGE)  # textures grow with the image
    dark = _dark(thing.texture, rows[:, None] // grain, columns[None, :] // grain) & inside
    patch = canvas[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    colour = np.asarray(COLOURS[thing.colour], float)[:, None]
    patch[:, inside] = colour
    patch[:, dark] = 0.25 * colour


def _inside(shape: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pixels lie in the shape; u and v run from -1 to 1 over the box, [rows, columns] by broadcasting."""
    inside: NDArray[np.bool_] = _SHAPES[shape](u, v)
    return inside


#: Which points of a box from -1 to 1 lie in each shape.
_SHAPES: dict[str, Callable[[Any, Any], Any]] = {
    "circle": lambda u, v: u**2 + v**2 <= 1,
    "square": lambda u, v: (np.abs(u) <= 1) & (np.abs(v) <= 1),
    "triangle": lambda u, v: np.abs(u) <= (v + 1) / 2,
    "diamond": lambda u, v: np.abs(u) + np.abs(v) <= 1,
    "cross": lambda u, v: (np.abs(u) <= 0.35) | (np.abs(v) <= 0.35),
    "ring": lambda u, v: (u**2 + v**2 <= 1) & (u**2 + v**2 >= 0.3),
    "bow": lambda u, v: np.abs(v) <= np.abs(u),
    "crescent": lambda u, v: (u**2 + v**2 <= 1) & ((u - 0.5) ** 2 + v**2 >= 0.6),
}


def _dark(texture: str, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pixels a texture darkens, over pixel coordinates."""
    dark: NDArray[np.bool_] = _TEXTURES[texture](row, column)
    return dark


#: Which pixels each texture darkens, by row and column.
_TEXTURES: dict[str, Callable[[Any, Any], Any]] = {
    "plain": lambda row, column: (row < 0) & (column < 0),
    "striped": lambda row, column: (row // 2 % 2 == 0) & (column >= 0),
    "barred": lambda row, column: (row >= 0) & (column // 2 % 2 == 0),
    "dotted": lambda row, column: (row % 3 == 0) & (column % 3 == 0),
    "checked": lambda row, column: (row // 2 + column // 2) % 2 == 0,
}
