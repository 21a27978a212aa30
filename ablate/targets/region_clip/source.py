"""Which rows of a data set are trained on and which are held out, and what is wrong with the rest. Imports no torch."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ablate.errors import BadInput
from ablate.shown import shown
from ablate.targets.region_clip.boxes import valid
from ablate.targets.region_clip.finehard import Dataset, Fault, Row, read_finehard
from ablate.targets.region_clip.photos import BrokenImage, pixels
from ablate.targets.region_clip.settings import AUTO, SCENES

#: Where no validation file is given or found, every so many-th row is held out.
HELD_OUT_EVERY = 5
#: Of a data set with no more rows than this, every image is decoded before anything is trained.
DECODED_FIRST = 2000


@dataclass(frozen=True)
class Source:
    """The params that say where the data comes from."""

    data: str
    val_data: str
    image_root: str
    bad_rows: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Source:
        """From resolved params."""
        return cls(params["data"], params["val_data"], params["image_root"], params["bad_rows"])

    @property
    def made(self) -> bool:
        """Whether the images are the made scenes."""
        return self.data == SCENES


@dataclass(frozen=True)
class Split:
    """The rows of a data set, no image in both parts, and the faults of both and of the training part alone."""

    train: tuple[Row, ...]
    val: tuple[Row, ...]
    faults: tuple[Fault, ...]
    train_faults: tuple[Fault, ...]


@lru_cache(maxsize=2)
def split(source: Source) -> Split:
    """Read a data set; kept, since every run of a study asks for the same.

    Raises:
        BadInput: if a file can't be used.
    """
    data = _read(source.data, source)
    other = _validation(source)
    if other is not None:
        val = _read(str(other), source)
        _check_apart(data.rows, val.rows, other)
        return Split(data.rows, val.rows, (*data.faults, *val.faults), data.faults)
    held = _held_out(data.rows)
    train = tuple(row for row in data.rows if row.image not in held)
    return Split(train, tuple(row for row in data.rows if row.image in held), data.faults, data.faults)


def _held_out(rows: tuple[Row, ...]) -> set[Path]:
    """The images held out of a data set that comes alone: those of its files called `val...`, else every fifth."""
    named = {row.image for row in rows if Path(row.file).name.startswith("val")}
    images = list(dict.fromkeys(row.image for row in rows))
    return named if 0 < len(named) < len(images) else set(images[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])


def _check_apart(train: tuple[Row, ...], val: tuple[Row, ...], path: Path) -> None:
    both = {row.image for row in train} & {row.image for row in val}
    if both:
        raise BadInput(
            f"params.val_data: {shown(str(path))} holds {len(both)} images that are trained on too, {min(both).name} for one; "
            "give data of other images"
        )


def _read(path: str, source: Source) -> Dataset:
    return read_finehard(Path(path), None if source.image_root == AUTO else Path(source.image_root))


def _validation(source: Source) -> Path | None:
    """`val_data`, or the file or folder beside the data whose name has `val` in place of `train`."""
    if source.val_data != AUTO:
        if not Path(source.val_data).exists():
            raise BadInput(f"params.val_data: no such file or folder {shown(source.val_data)}; mend the path")
        return Path(source.val_data)
    data = Path(source.data)
    beside = data.with_name(data.name.replace("train", "val"))
    return beside if beside != data and beside.exists() else None


def usable(rows: Iterable[Row], size: int) -> tuple[list[Row], list[Fault]]:
    """The rows whose image can be decoded, and a fault for each of the others."""
    good: list[Row] = []
    faults: list[Fault] = []
    for row in rows:
        try:
            pixels(row.image, size)
        except BrokenImage as error:
            faults.append(row.broken_image(error))
        else:
            good.append(row)
    return good, faults


def order(rows: tuple[Row, ...], count: int, seed: int, size: int) -> tuple[list[Row], list[Fault]]:
    """The rows of `count` places in training: shuffled anew each time round, those with broken images passed over.

    Raises:
        BadInput: if no image can be decoded.
    """
    rng = np.random.default_rng([seed, 3000])
    chosen: list[Row] = []
    broken: dict[Row, Fault] = {}
    while len(chosen) < count:
        before = len(chosen)
        for index in rng.permutation(len(rows)):
            good, faults = usable([rows[index]], size)
            chosen += good
            broken.update((rows[index], fault) for fault in faults)
            if len(chosen) == count:
                break
        if len(chosen) == before:
            raise BadInput(f"params.data: none of its {len(rows)} images can be decoded; mend the images or image_root")
    return chosen, list(broken.values())


@lru_cache(maxsize=4)
def fingerprint(source: Source, contents: int = 0) -> str:
    """What identifies a data set: the texts, boxes, image names and image sizes (bytes) of all its rows, and what the images of
    the first `contents` training rows hold."""
    found, digest = split(source), hashlib.sha256()
    for row in (*found.train, *found.val):
        size = row.image.stat().st_size if row.image.exists() else 0
        digest.update(repr((row.image.name, size, row.caption, row.short_caption, row.regions)).encode())
    for row in found.train[:contents]:
        digest.update(row.image.read_bytes() if row.image.exists() else b"")
    return digest.hexdigest()


def check_there(data: str) -> None:
    """See that there is a data set.

    Raises:
        BadInput: if there isn't.
    """
    if not os.path.exists(data):
        raise BadInput(f"params.data: no such file or folder {shown(data)}; mend the path, or give it by --set data=PATH")


def check(params: Mapping[str, Any], size: int) -> None:
    """See what is wrong with a data set before anything is trained.

    Warns of rows that are left out; where `bad_rows` is `refuse`, refuses them.

    Raises:
        BadInput: if a file can't be used, nothing usable is left, or a row is at fault and is to be refused.
    """
    source = Source.of(params)
    if not source.made:
        _check(source, size, params["eval_images"])


@lru_cache(maxsize=4)
def _check(source: Source, size: int, held_out: int) -> None:
    found = split(source)
    faults = list(found.faults)
    if source.bad_rows == "refuse" or len(found.train) + len(found.val) <= DECODED_FIRST:
        faults += usable((*found.train, *found.val), size)[1]
    if faults and source.bad_rows == "refuse":
        raise BadInput(f"params.data: {shown(source.data)} has {summary(faults)}; mend them, or give bad_rows: skip")
    if faults:
        warnings.warn(f"params.data: left out {summary(faults)}", stacklevel=3)
    if not any(row.regions for row in found.train):
        raise BadInput(f"params.data: {shown(source.data)} has no box to train on; give data with bbox_info")
    boxes = [region.box for row in usable(found.val[:held_out], size)[0] for region in row.regions]
    if valid(np.asarray(boxes, np.float32).reshape(-1, 4)).sum() < 2:
        where = source.val_data if source.val_data != AUTO else source.data
        raise BadInput(f"params.val_data: {shown(where)} holds out fewer than two valid boxes; give more rows to validate on")


def summary(faults: list[Fault]) -> str:
    """`3 faults (2 broken image, 1 empty caption), the first: train.json row 12: ...`."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(fault.kind for fault in faults).most_common())
    noun = "fault" if len(faults) == 1 else "faults"
    return f"{len(faults)} {noun} ({kinds}), the first: {faults[0]}"
