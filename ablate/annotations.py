"""Boxes of a region data set in one form, whichever of three formats it is in; nothing is dropped, however broken.

=========  ===========================================================  =====================================================
format     a row                                                        a box
=========  ===========================================================  =====================================================
FineHARD   an object with `f_path`, captions and `bbox_info`            `bbox`: x1, y1, x2, y2 as fractions, perhaps a fifth
FG-OVD     an object with `bbox`, `width` and `height`                  `bbox`: x, y, width, height in pixels
COCO       an entry of `images` in an object with `annotations` too     `bbox` of an annotation: x, y, width, height in pixels
=========  ===========================================================  =====================================================
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.rowfiles import JsonFile, kind_of
from ablate.targets.region_clip.finehard import (
    MALFORMED_ROW,
    Box,
    Fault,
    coordinates,
    expressions,
    image_fault,
    locate,
    number,
    row_fault,
)

KEY = "DATA"
FINEHARD, FGOVD, COCO = "FineHARD", "FG-OVD", "COCO"
KNOWN = "FineHARD (rows with f_path and bbox_info), FG-OVD (rows with bbox, width and height) or COCO (images and annotations)"
#: How far beyond the image's edge, as a fraction, a box in pixels may end and count as ending there: x + width, in floats, can be
#: an ulp above the image's width. Fractions are taken as they are.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Mark:
    """One box.

    Attributes:
        place: of the box, from 1: in its row, or in COCO's `annotations`.
        written: as the file has it.
        box: x1, y1, x2, y2 as fractions, perhaps not finite; None where malformed.
        texts: its expressions that are not blank.
    """

    place: int
    written: Any
    box: Box | None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotated:
    """One row.

    Attributes:
        row: its number, from 1; None for COCO annotations of no image.
        image: what tells its image from others; None where that is unknown.
        marks: its boxes.
        captions: those that are not blank.
        crowd: how many boxes of crowds it has besides.
        fault: what is wrong with the row apart from its boxes and its image.
        missing: the image's fault, where images are looked for and this one isn't there.
    """

    row: int | None
    image: str | None
    marks: tuple[Mark, ...]
    captions: tuple[str, ...] = ()
    crowd: int = 0
    fault: Fault | None = None
    missing: Fault | None = None


def format_of(file: JsonFile) -> str | None:
    """FINEHARD, FGOVD or COCO, by what the file holds; None where it is none of them."""
    if isinstance(file.value, dict):
        return COCO if _is_coco(file.value) else None
    rows = file.value if isinstance(file.value, list) else []
    for row in rows:
        if isinstance(row, dict) and ("bbox_info" in row or "f_path" in row):
            return FINEHARD
        if isinstance(row, dict) and {"bbox", "width", "height"} <= set(row):
            return FGOVD
    return None


def annotated(file: JsonFile, form: str, image_root: Path | None) -> Iterator[Annotated]:
    """The rows of a file in the format `form`.

    Args:
        image_root: where FineHARD's images are; default the file's folder. The other formats' images are not looked for.

    Raises:
        BadInput: if the file holds no rows.
    """
    if form == COCO:
        if not file.value["images"]:
            raise BadInput(f"{KEY}: {file.path} holds no images; give a file that does")
        yield from _coco(file)
        return
    for row, value in file.rows(KEY):
        if form == FGOVD:
            yield _fgovd(file, row, value)
        else:
            yield _finehard(file, row, value, file.path.parent if image_root is None else image_root)


def _finehard(file: JsonFile, row: int, value: Any, root: Path) -> Annotated:
    fault = row_fault(value)
    named = Fault(file.name, row, *fault) if fault else None
    if not isinstance(value, dict):
        return Annotated(row, None, (), fault=named)
    image = locate(value["f_path"], root) if isinstance(value.get("f_path"), str) else None
    missing = image_fault(image) if image else None
    regions = value.get("bbox_info")
    return Annotated(
        row=row,
        image=str(image) if image else None,
        marks=tuple(_region(place, region) for place, region in enumerate(regions, 1)) if isinstance(regions, list) else (),
        captions=_texts(value.get("caption"), value.get("short_caption")),
        fault=named,
        missing=Fault(file.name, row, *missing) if missing else None,
    )


def _region(place: int, region: Any) -> Mark:
    if not isinstance(region, dict):
        return Mark(place, region, None)
    written = region.get("bbox")
    return Mark(place, written, coordinates(written), _texts(*(expressions(region) or ())))


def _fgovd(file: JsonFile, row: int, value: Any) -> Annotated:
    if not isinstance(value, dict):
        return Annotated(row, None, (), fault=Fault(file.name, row, MALFORMED_ROW, f"{kind_of(value)} in place of an object"))
    image, texts = value.get("img_path"), value.get("pos_expression")
    box = _fractions(value.get("bbox"), value.get("width"), value.get("height"))
    mark = Mark(1, value.get("bbox"), box, _texts(*texts) if isinstance(texts, list) else _texts(texts))
    return Annotated(row, image if isinstance(image, str) else None, (mark,))


def _coco(file: JsonFile) -> Iterator[Annotated]:
    images, names = file.value["images"], _by_id(file.value.get("categories"))
    known = _by_id(images)
    marks: dict[Any, list[Mark]] = defaultdict(list)
    crowds: dict[Any, int] = defaultdict(int)
    for place, note in enumerate(file.value["annotations"], 1):
        owner = _key(note.get("image_id")) if isinstance(note, dict) else None
        owner = owner if owner in known else None
        if isinstance(note, dict) and note.get("iscrowd"):
            crowds[owner] += 1
        else:
            marks[owner].append(_annotation(place, note, known.get(owner, {}), names))
    for row, image in enumerate(images, 1):
        if not isinstance(image, dict):
            yield Annotated(row, None, (), fault=Fault(file.name, row, MALFORMED_ROW, f"image is {kind_of(image)}"))
            continue
        key, name = _key(image.get("id")), image.get("file_name")
        found = () if key is None else tuple(marks.pop(key, ()))
        crowd = 0 if key is None else crowds.pop(key, 0)
        yield Annotated(row, name if isinstance(name, str) else None if key is None else str(key), found, crowd=crowd)
    yield Annotated(None, None, tuple(marks[None]), crowd=crowds[None])


def _annotation(place: int, note: Any, image: Mapping[str, Any], names: Mapping[Any, Mapping[str, Any]]) -> Mark:
    if not isinstance(note, dict):
        return Mark(place, note, None)
    category = names.get(_key(note.get("category_id")), {})
    box = _fractions(note.get("bbox"), image.get("width"), image.get("height"))
    return Mark(place, note.get("bbox"), box, _texts(category.get("name")))


def _is_coco(value: Mapping[str, Any]) -> bool:
    """Whether it has COCO's lists, and boxes in them: files of captions and keypoints alone look alike."""
    images, notes = value.get("images"), value.get("annotations")
    if not (isinstance(images, list) and isinstance(notes, list)):
        return False
    return not notes or any(isinstance(note, dict) and "bbox" in note for note in notes)


def _by_id(parts: Any) -> dict[Any, Mapping[str, Any]]:
    found = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return {_key(part.get("id")): part for part in found if part.get("id") is not None}


def _key(value: Any) -> Any:
    """An id that can be looked up; None where it is a list or an object."""
    return None if isinstance(value, (list, dict)) else value


def _texts(*values: Any) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str) and value.strip())


def _fractions(written: Any, width: Any, height: Any) -> Box | None:
    """x, y, width, height in pixels as x1, y1, x2, y2 in fractions; None where malformed, a size of the image too."""
    box, size = coordinates(written), (number(width), number(height))
    if box is None or size[0] is None or size[1] is None or not all(0 < side < math.inf for side in size if side is not None):
        return None
    (x1, x2), (y1, y2) = _span(box[0], box[2], size[0]), _span(box[1], box[3], size[1])
    return x1, y1, x2, y2


def _span(start: float, length: float, size: float) -> tuple[float, float]:
    return _snap(start / size), _snap((start + length) / size)


def _snap(value: float) -> float:
    if -TOLERANCE <= value < 0:
        return 0.0
    return 1.0 if 1 < value <= 1 + TOLERANCE else value
