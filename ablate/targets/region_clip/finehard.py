"""FG-CLIP's stage-2 data (FineHARD): JSON rows of an image, its captions, and boxes with their expressions.

A faulty row is never an error: it is left out, counted and named. What the study's own filter is about passes through: boxes of
no area or out of the image.
"""

from __future__ import annotations

import math
import os
import reprlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.collecting import no_collection
from ablate.errors import BadInput
from ablate.rowfiles import kind_of, read_files
from ablate.shown import plain

KEY = "params.data"
#: x1, y1, x2, y2 as fractions of the image's width and height.
Box = tuple[float, float, float, float]

MALFORMED_ROW = "malformed row"
EMPTY_CAPTION = "empty caption"
MISSING_IMAGE = "missing image"
BROKEN_IMAGE = "broken image"
MALFORMED_BOX = "malformed box"
NOT_FINITE = "not finite box"
REVERSED = "reversed box"
MALFORMED_EXPRESSION = "malformed expression"
EMPTY_EXPRESSION = "empty expression"

#: What a row must have, and the JSON type of each.
FIELDS = {"f_path": (str, "a text"), "caption": (str, "a text"), "short_caption": (str, "a text"), "bbox_info": (list, "a list")}
#: What FG-CLIP's loader strips from paths, since the published rows carry it and the published images don't.
PUBLISHED_PREFIX = "grit-20m/data-12m/"


@dataclass(frozen=True, slots=True)
class Region:
    """A box and its expressions; where one was blank, the other stands in.

    Attributes:
        box: x1, y1, x2, y2 as fractions of the image, finite, x1 <= x2 and y1 <= y2; perhaps of no area or out of the image.
    """

    box: Box
    short: str
    long: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row or one of its regions, and was therefore left out.

    Attributes:
        file: as the data set names it.
        row: from 1: the place in the list, or the line of JSON lines.
        kind: one of this module's kinds, such as `missing image`.
        detail: the field or region, and its value.
    """

    file: str
    row: int
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{plain(self.file)} row {self.row}: {self.kind}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Row:
    """An image with its captions and regions, perhaps none; `file` and `row` as in `Fault`."""

    file: str
    row: int
    image: Path
    caption: str
    short_caption: str
    regions: tuple[Region, ...]

    def broken_image(self, error: Exception) -> Fault:
        """The fault to count where decoding the image failed with `error`."""
        return Fault(self.file, self.row, BROKEN_IMAGE, _broken(self.image, error))


@dataclass(frozen=True)
class Dataset:
    """The usable rows, in their order, and what was left out."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]

    def counts(self) -> Counter[str]:
        """How many faults there are of each kind that occurs; 0 for any other kind."""
        return Counter(fault.kind for fault in self.faults)


def read_finehard(path: Path, image_root: Path | None = None, open_images: bool = False) -> Dataset:
    """Read FineHARD's rows from a .json list, JSON lines, a .txt that lists such files, or a folder of them.

    A row with a bad image, caption or field is left out, with one fault and its regions unread; a region with a bad box or
    expression is left out of its row, with one fault.

    Args:
        path: see `rowfiles.read_files`.
        image_root: what `f_path` is relative to; default the folder of each JSON file.
        open_images: also open each image and let PIL verify it, which reads headers and decodes nothing.

    Raises:
        BadInput: if a file can't be read, isn't JSON or holds no rows, or if no row is usable.
    """
    if image_root is not None and not os.path.isdir(image_root):
        raise BadInput(f"params.image_root: {image_root} is no folder; give the folder that f_path is relative to")
    rows: list[Row] = []
    faults: list[Fault] = []
    with no_collection():
        for file in read_files(path, KEY):
            root = file.path.parent if image_root is None else image_root
            for number, value in file.rows(KEY):
                row, found = _read_row(value, file.name, number, root, open_images)
                rows += [row] if row else []
                faults += found
    if not rows:
        remedy = "mend it, or give rows of f_path, caption, short_caption and bbox_info with their params.image_root"
        raise BadInput(f"{KEY}: {path} has no usable row: {_summary(faults)}; {remedy}")
    return Dataset(tuple(rows), tuple(faults))


def row_fault(value: Any) -> tuple[str, str] | None:
    """What makes a JSON value no usable row, apart from its image: a kind and a detail."""
    if not isinstance(value, dict):
        return MALFORMED_ROW, f"{kind_of(value)} in place of an object"
    for key, (wanted, name) in FIELDS.items():
        if key not in value:
            return MALFORMED_ROW, f"{key} is missing"
        if not isinstance(value[key], wanted):
            return MALFORMED_ROW, f"{key} is {reprlib.repr(value[key])}, and must be {name}"
    blank = not (value["caption"].strip() or value["short_caption"].strip())
    return (EMPTY_CAPTION, "caption and short_caption are blank") if blank else None


def locate(f_path: str, root: Path) -> Path:
    """Where a row's image is; without the published rows' prefix, if only that one exists.

    An absolute path, or one that leads out of `root`, is taken as it is: people's images lie where they lie. Whatever it names is
    only ever opened as an image, and shown to nobody but the training.
    """
    image = root / f_path
    if PUBLISHED_PREFIX in f_path and not os.path.isfile(image):
        return root / f_path.replace(PUBLISHED_PREFIX, "")
    return image


def image_fault(image: Path, open_it: bool = False) -> tuple[str, str] | None:
    """Whether an image is missing or, where `open_it`, broken: a kind and a detail."""
    if not os.path.isfile(image):
        return MISSING_IMAGE, _printable(image)
    if open_it:
        from ablate.targets.region_clip.photos import opened

        try:
            with opened(image) as found:
                found.verify()
        except Exception as error:  # PIL raises OSError, SyntaxError, ValueError, struct.error and more on broken files
            return BROKEN_IMAGE, _broken(image, error)
    return None


def coordinates(written: Any) -> Box | None:
    """A `bbox` as four floats, perhaps not finite; None where malformed: not four numbers, with at most one entry after them."""
    if not isinstance(written, list) or len(written) not in (4, 5):
        return None
    numbers = [number(value) for value in written[:4]]
    return None if None in numbers else tuple(numbers)  # type: ignore[return-value]


def number(value: Any) -> float | None:
    """A JSON number as a float, infinite where it is beyond floats; None for anything else, true and false too."""
    if isinstance(value, float):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def expressions(region: dict[str, Any]) -> tuple[str, str] | None:
    """A region's short and long expression, as written; None where one is missing or no text."""
    short, long = region.get("short_expr"), region.get("long_expr")
    return (short, long) if isinstance(short, str) and isinstance(long, str) else None


def _read_row(value: Any, file: str, number: int, root: Path, open_images: bool) -> tuple[Row | None, list[Fault]]:
    fault = row_fault(value)
    image = root if fault else locate(value["f_path"], root)
    fault = fault or image_fault(image, open_images)
    if fault:
        return None, [Fault(file, number, *fault)]
    read = [_read_region(place, region) for place, region in enumerate(value["bbox_info"], 1)]
    regions = tuple(part for part in read if isinstance(part, Region))
    caption, short_caption = _either(value["caption"], value["short_caption"])
    faults = [Fault(file, number, *part) for part in read if not isinstance(part, Region)]
    return Row(file, number, image, caption, short_caption, regions), faults


def _read_region(place: int, region: Any) -> Region | tuple[str, str]:
    """A region, or the kind and detail of its fault; `place` counts from 1."""
    if not isinstance(region, dict):
        return MALFORMED_BOX, f"region {place} is {kind_of(region)} in place of an object"
    box = coordinates(region.get("bbox"))
    kind = _box_fault(box)
    if box is None or kind:
        return kind, f"region {place}: bbox is {reprlib.repr(region['bbox']) if 'bbox' in region else 'missing'}"
    texts = expressions(region)
    if texts is None:
        return MALFORMED_EXPRESSION, f"region {place}: short_expr and long_expr must be texts"
    short, long = _either(*texts)
    if not short.strip():
        return EMPTY_EXPRESSION, f"region {place}: short_expr and long_expr are blank"
    return Region(box, short, long)


def _box_fault(box: Box | None) -> str:
    if box is None:
        return MALFORMED_BOX
    if not all(map(math.isfinite, box)):
        return NOT_FINITE
    return REVERSED if box[0] > box[2] or box[1] > box[3] else ""


def _either(one: str, other: str) -> tuple[str, str]:
    """Both texts; where one is blank the other stands in. Halves of surrogate pairs and the like, which no tokenizer takes, are
    marked."""
    one, other = (text if text.isprintable() else plain(text) for text in (one, other))
    return (one if one.strip() else other), (other if other.strip() else one)


def _summary(faults: Sequence[Fault]) -> str:
    counts = Counter(fault.kind for fault in faults)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) + f"; the first: {faults[0]}"


def _broken(image: Path, error: Exception) -> str:
    reason = " ".join(str(error).split()).replace(repr(str(image)), "it") or type(error).__name__
    return f"{_printable(image)}: {reason}"


def _printable(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() and len(text) < 300 else reprlib.repr(text)
