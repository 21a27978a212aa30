"""What a region data set's boxes are like: the invalid ones by reason, and what each filter rule would discard."""

from __future__ import annotations

import os
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.annotations import FINEHARD, KEY, KNOWN, Annotated, Mark, annotated, format_of
from ablate.collecting import no_collection
from ablate.errors import BadInput
from ablate.rowfiles import JsonFile, read_files
from ablate.targets.region_clip.boxes import valid
from ablate.targets.region_clip.finehard import EMPTY_CAPTION, Box

#: Why a box is counted, in this order: each box once, under the first that applies. The last is no defect of the box.
REASONS = ("malformed", "not_finite", "reversed", "out_of_range", "zero_area", "below_area")
#: Least areas to try, as shares of the image; the third is the diagnosis's.
AREAS = (0.001, 0.003, 0.01, 0.03)
DIAGNOSIS_AREA = 0.01
EDGES = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
NAMED = 5


@dataclass(frozen=True)
class Invalid:
    """An invalid box, named: `row` and `box` as in `annotations`, `bbox` as the file has it, as text."""

    file: str
    row: int | None
    box: int
    bbox: str
    reason: str


@dataclass(frozen=True)
class Rule:
    """How many boxes one rule, applied alone, would discard. A malformed box passes no rule."""

    rule: str
    min_area: float | None
    discards: int


@dataclass(frozen=True)
class Texts:
    """How many expressions and captions there are; `empty`: boxes without an expression, rows with blank captions."""

    expressions: int
    distinct_expressions: int
    empty_expressions: int
    captions: int
    distinct_captions: int
    empty_captions: int


@dataclass(frozen=True)
class Audit:
    """What was counted.

    Attributes:
        form: the data's format.
        images: distinct ones.
        crowd_boxes: COCO's boxes of crowds, which are in no other count.
        min_area: of the last of REASONS, as a share of the image.
        reasons: boxes by reason.
        first: the first invalid boxes, which one below the area is not.
        areas: of the boxes that are valid but for the area, shares of the image, [boxes].
        faults: of rows, by kind.
        first_faults: the first of them, a line each.
    """

    data: str
    form: str
    files: int
    rows: int
    images: int
    rows_without_boxes: int
    boxes: int
    crowd_boxes: int
    min_area: float
    reasons: Mapping[str, int]
    first: tuple[Invalid, ...]
    rules: tuple[Rule, ...]
    areas: NDArray[np.float64]
    texts: Texts
    faults: Mapping[str, int]
    first_faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def invalid(self) -> int:
        """Boxes that are invalid whatever the least area."""
        return sum(self.reasons.values()) - self.reasons["below_area"]

    @property
    def headline(self) -> str:
        """What the diagnosis's rule would do."""
        discards = self.rules[-1].discards
        share = f" ({100 * discards / self.boxes:.1f} %)" if self.boxes else ""
        parts = f"{self.invalid} invalid, {discards - self.invalid} sound but below 1 % of their image"
        return f"the diagnosis's rule would discard {discards} of {self.boxes} boxes{share}: {parts}"

    def quantiles(self) -> dict[float, float]:
        """Quantiles of `areas`; empty where there are none."""
        if not len(self.areas):
            return {}
        return dict(zip(QUANTILES, np.quantile(self.areas, QUANTILES).tolist(), strict=True))

    def histogram(self) -> list[int]:
        """Boxes of `areas` between each of EDGES and the next, which belongs to the next bin; the last holds 1 too."""
        counts: list[int] = np.histogram(self.areas, EDGES)[0].tolist()
        return counts

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints. Shares are of all boxes, null where there are none; areas are shares of the image.

        `data`, `format` (FineHARD, FG-OVD, COCO), `files`, `rows`, `images` (distinct), `rows_without_boxes`, `boxes`,
        `crowd_boxes`, `min_area`; `headline`; `invalid`: {`boxes`, `share`, `first`: [{`file`, `row`, `box`, `bbox`, `reason`}]};
        `reasons`: {one of REASONS: {`boxes`, `share`}}, each box once, `below_area` not invalid; `rules`: [{`rule`: finite,
        ordered, inside, area or diagnosis, `min_area` or null, `discards`, `share`}], each alone; `area`, of the boxes valid but
        for it: {`boxes`, `quantiles`: {`0.05`: area}, `histogram`: [{`from`, `to`, `boxes`}]}; `texts`: the fields of Texts;
        `faults`: {`counts`: {kind: rows}, `first`: [line]}; `notes`: [line].
        """
        bins = zip(EDGES, EDGES[1:], self.histogram(), strict=False)
        return {
            "data": self.data,
            "format": self.form,
            **{key: getattr(self, key) for key in ("files", "rows", "images", "rows_without_boxes", "boxes", "crowd_boxes")},
            "min_area": self.min_area,
            "headline": self.headline,
            "invalid": {**self._counted("boxes", self.invalid), "first": [vars(box) for box in self.first]},
            "reasons": {reason: self._counted("boxes", count) for reason, count in self.reasons.items()},
            "rules": [{"rule": r.rule, "min_area": r.min_area, **self._counted("discards", r.discards)} for r in self.rules],
            "area": {
                "boxes": len(self.areas),
                "quantiles": {f"{key:g}": value for key, value in self.quantiles().items()},
                "histogram": [{"from": low, "to": high, "boxes": count} for low, high, count in bins],
            },
            "texts": vars(self.texts),
            "faults": {"counts": dict(self.faults), "first": list(self.first_faults)},
            "notes": list(self.notes),
        }

    def _counted(self, key: str, count: int) -> dict[str, Any]:
        return {key: count, "share": count / self.boxes if self.boxes else None}


def audit(path: Path, min_area: float = 0.01, image_root: Path | None = None) -> Audit:
    """Count the boxes of a data set.

    Args:
        path: a .json or .jsonl file, a .txt that lists such files, or a folder of them; all in one format of `annotations`.
        min_area: the least area of the last reason, a share of the image.
        image_root: where FineHARD's images are; default the folder of each file.

    Raises:
        BadInput: if the data can't be read or is in no format that is known.
    """
    if not 0 <= min_area <= 1:
        raise BadInput(f"--min-area: {min_area} can't be used; give a share of the image from 0 to 1, for example 0.01")
    if image_root is not None and not os.path.isdir(image_root):
        raise BadInput(f"--image-root: {image_root} is no folder; give the folder that f_path is relative to")
    tally, form, files, root = _Tally(min_area), None, 0, image_root
    with no_collection():
        for file in read_files(path, KEY):
            form = _same_format(file, form)
            tally.add_file(file.name, annotated(file, form, image_root))
            files, root = files + 1, root or file.path.parent
    assert form is not None  # there is no data set without files
    return _audit(tally, str(path), form, files, root or path)


def reasons(boxes: NDArray[np.float64], malformed: NDArray[np.bool_], min_area: float) -> NDArray[np.intp]:
    """The place in REASONS of the first that applies to each box; len(REASONS) where none does.

    Args:
        boxes: x1, y1, x2, y2 as fractions, [boxes, 4]; not finite where malformed.
        malformed: [boxes].

    Returns:
        [boxes]. None of the first five applies exactly where `boxes.valid(boxes)`.
    """
    x1, y1, x2, y2 = boxes.T
    conditions = [
        malformed,
        ~np.isfinite(boxes).all(1),
        (x1 > x2) | (y1 > y2),
        (boxes < 0).any(1) | (boxes > 1).any(1),
        (x1 == x2) | (y1 == y2),
        ~valid(boxes, min_area),
    ]
    return np.select(conditions, range(len(REASONS)), len(REASONS))


def rules(boxes: NDArray[np.float64], areas: Iterable[float]) -> tuple[Rule, ...]:
    """What each rule alone would discard of [boxes, 4], the diagnosis's whole rule last.

    The area is (x2 - x1)·(y2 - y1) as the training's filter has it, so that a box reversed both ways has one.
    """
    x1, y1, x2, y2 = boxes.T
    with np.errstate(all="ignore"):
        area = (x2 - x1) * (y2 - y1)
    kept: dict[tuple[str, float | None], NDArray[np.bool_] | np.bool_] = {
        ("finite", None): np.isfinite(boxes).all(1),
        ("ordered", None): (x1 < x2) & (y1 < y2),
        ("inside", None): ((boxes >= 0) & (boxes <= 1)).all(1),
        **{("area", least): area >= least for least in areas},
        ("diagnosis", DIAGNOSIS_AREA): valid(boxes, DIAGNOSIS_AREA),
    }
    return tuple(Rule(name, least, int((~keep).sum())) for (name, least), keep in kept.items())


@dataclass
class _Tally:
    """Counts that grow file by file, so that only one file's rows are held at a time."""

    min_area: float
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    codes: list[NDArray[np.intp]] = field(default_factory=list)
    first: list[Invalid] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    expressions: Counter[str] = field(default_factory=Counter)
    captions: Counter[str] = field(default_factory=Counter)
    empty_expressions: int = 0
    rows: int = 0
    rows_without_boxes: int = 0
    crowd: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first_faults: list[str] = field(default_factory=list)
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)
    located: int = 0

    def add_file(self, name: str, rows: Iterable[Annotated]) -> None:
        marks: list[tuple[int | None, Mark]] = []
        for row in rows:
            self._add_row(row)
            marks += [(row.row, mark) for mark in row.marks]
        self._add_boxes(name, marks)

    def _add_row(self, row: Annotated) -> None:
        self.rows += row.row is not None
        self.rows_without_boxes += row.row is not None and not row.marks
        self.crowd += row.crowd
        self.images |= {row.image} if row.image is not None else set()
        self.captions.update(row.captions)
        for mark in row.marks:
            self.expressions.update(mark.texts)
            self.empty_expressions += not mark.texts
        if row.fault:
            self.faults[row.fault.kind] += 1
            self.first_faults += [str(row.fault)] if len(self.first_faults) < NAMED else []
        self.located += row.image is not None
        if row.missing:
            self.missing += 1
            self.first_missing += [str(row.missing)] if len(self.first_missing) < NAMED else []

    def _add_boxes(self, name: str, marks: Sequence[tuple[int | None, Mark]]) -> None:
        nowhere: Box = (np.nan, np.nan, np.nan, np.nan)
        boxes = np.array([mark.box or nowhere for _, mark in marks], np.float64).reshape(-1, 4)
        codes = reasons(boxes, np.array([mark.box is None for _, mark in marks], bool), self.min_area)
        self.boxes.append(boxes)
        self.codes.append(codes)
        for index in np.flatnonzero(codes < REASONS.index("below_area"))[: NAMED - len(self.first)]:
            row, mark = marks[index]
            self.first.append(Invalid(name, row, mark.place, reprlib.repr(mark.written), REASONS[codes[index]]))


def _same_format(file: JsonFile, before: str | None) -> str:
    form = format_of(file) or (before if isinstance(file.value, list) else None)
    if isinstance(file.value, list) and not file.value:
        raise BadInput(f"{KEY}: {file.path} holds no rows; give a file that does")
    if form is None:
        raise BadInput(f"{KEY}: {file.path} is in no format that is known; give {KNOWN}")
    if before not in (None, form):
        raise BadInput(f"{KEY}: {file.path} is {form}, but the files before it are {before}; audit them apart")
    return form


def _audit(tally: _Tally, data: str, form: str, files: int, root: Path) -> Audit:
    boxes, codes = np.concatenate(tally.boxes), np.concatenate(tally.codes)
    sound = boxes[valid(boxes)]
    counts = np.bincount(codes, minlength=len(REASONS) + 1)
    faults, first_faults, notes = tally.faults.copy(), tally.first_faults, []
    if tally.missing and tally.missing == tally.located:
        notes.append(f"images not found under {root}; --image-root names their folder")
    elif tally.missing:
        faults["missing image"] = tally.missing
        first_faults = first_faults + tally.first_missing
    if form != FINEHARD:
        notes.append(f"images are not looked for in {form} data")
    return Audit(
        data=data, form=form, files=files, rows=tally.rows, images=len(tally.images), boxes=len(boxes),
        rows_without_boxes=tally.rows_without_boxes, crowd_boxes=tally.crowd, min_area=tally.min_area,
        reasons={reason: int(count) for reason, count in zip(REASONS, counts, strict=False)}, first=tuple(tally.first),
        rules=rules(boxes, sorted({*AREAS, tally.min_area})),
        areas=(sound[:, 2] - sound[:, 0]) * (sound[:, 3] - sound[:, 1]),
        texts=_texts(tally), faults=faults, first_faults=tuple(first_faults[:NAMED]), notes=tuple(notes),
    )  # fmt: skip


def _texts(tally: _Tally) -> Texts:
    return Texts(
        expressions=tally.expressions.total(),
        distinct_expressions=len(tally.expressions),
        empty_expressions=tally.empty_expressions,
        captions=tally.captions.total(),
        distinct_captions=len(tally.captions),
        empty_captions=tally.faults[EMPTY_CAPTION],
    )
