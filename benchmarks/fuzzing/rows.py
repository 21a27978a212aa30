"""Data sets: rows of FineHARD, FG-OVD and COCO, real ones where there are any, with changes to their structure and bytes."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.fuzzing.tokens import JSON, Raw, damaged, mutated, written

#: Suffixes; most are what the content is.
SUFFIXES = [".json"] * 8 + [".jsonl"] * 8 + [".txt", ".JSON"]


#: Of `audit`: mostly none.
OPTIONS = (
    [[]] * 40
    + [["--json"]] * 8
    + [["--min-area", text] for text in ("nan", "0", "1e400", "-1", "x", "1")]
    + [["--image-root", "nowhere"]]
)
GOOD = 12


@dataclass(frozen=True)
class DataSet:
    """A data set: its format, its file's suffix and content, the folder of its images, and words of `audit` beside it."""

    form: str
    suffix: str
    content: bytes
    images: Path | None
    options: list[str]


def images(folder: Path) -> list[str]:
    """Make images that are good, cut, empty, too large, none, and no files; returns paths as rows name them, good ones first."""
    from PIL import Image

    folder.mkdir()
    for each in range(GOOD):
        Image.new("RGB", (64, 48), (20 * each, 90, 10)).save(folder / f"good{each}.jpg")
    Image.new("1", (10_000, 10_000)).save(folder / "bomb.png")
    whole = (folder / "good0.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "byte.jpg").write_bytes(b"\xff")
    (folder / "none.jpg").write_bytes(b"")
    (folder / "page.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    names = [*(f"good{each}.jpg" for each in range(GOOD)), "bomb.png", "half.jpg", "byte.jpg", "none.jpg", "page.eps"]
    names += ["folder.jpg", "pipe.jpg", "zero.jpg"]
    odd = ["images/../../x", "/etc/hostname", "images", "", "\0", "x" * 5000, "grit-20m/data-12m/images/good0.jpg"]
    return [*(f"images/{name}" for name in names), *odd]


def made(names: list[str], rng: random.Random) -> list[Any]:
    """Rows in FineHARD's form, most of them sound."""
    odd = [rng.choice(names) for _ in range(rng.randrange(4))]
    return [_row(name, rng) for name in (*names[:GOOD], *odd)]


def _row(name: str, rng: random.Random) -> dict[str, Any]:
    boxes = [[0.1, 0.2, round(rng.uniform(0.3, 1), 3), 0.9, 1.0] for _ in range(rng.randrange(1, 4))]
    regions = [{"bbox": box, "short_expr": "a cat", "long_expr": "a cat on a mat"} for box in boxes]
    return {"f_path": name, "caption": "a cat", "short_caption": "cat", "bbox_info": regions}


#: A data set that is known: its format, its rows, and the folder of its images where these are there.
Known = tuple[str, Any, Path | None]


def real(folder: Path) -> list[Known]:
    """The data sets that lie in a folder; none where it isn't there."""
    found: list[Known] = []
    if (folder / "coco100" / "train.json").exists():
        rows = json.loads((folder / "coco100" / "train.json").read_text(encoding="utf-8"))
        found.append(("FineHARD", rows, folder / "coco100"))
    if (folder / "fgovd_sample.jsonl").exists():
        with open(folder / "fgovd_sample.jsonl", encoding="utf-8") as file:
            found.append(("FG-OVD", [json.loads(line) for line in islice(file, 60)], folder))
    return found


BOX = {"img_path": "a.jpg", "width": 640, "height": 480, "bbox": [10.5, 20, 30, 40], "pos_expression": ["a cat"]}
FGOVD = [BOX] * 4
NOTES = [
    {"id": each, "image_id": each % 4, "category_id": each % 2, "bbox": [1, 2, 30, 40], "iscrowd": each % 5 == 4}
    for each in range(9)
]
COCO = {
    "images": [{"id": each, "file_name": f"{each}.jpg", "width": 640, "height": 480} for each in range(3)],
    "annotations": NOTES,
    "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
}


def data_set(seed: int, known: list[Known], names: list[str]) -> DataSet:
    """One data set, the same for the same seed and the same known ones."""
    rng = random.Random(seed)
    mine = [("FineHARD", made(names, rng), None), ("FG-OVD", FGOVD, None), ("COCO", COCO, None)]
    form, rows, folder = rng.choice([*known, *mine])
    suffix, options = rng.choice(SUFFIXES), rng.choice(OPTIONS)
    if folder and rng.random() < 0.7:
        rows = rng.sample(rows, min(len(rows), rng.choice((2, 12, 30))))
    if rng.random() < 0.4:
        return DataSet(form, suffix, damaged(_text(rows, suffix), rng, JSON), folder, options)
    changed = mutated(rows, rng, JSON, lambda path: False)
    if rng.random() < 0.2 and isinstance(changed, list) and changed:
        changed[rng.randrange(len(changed))] = Raw(rng.choice(JSON))
    return DataSet(form, suffix, _text(changed, suffix), folder, options)


def _text(rows: Any, suffix: str) -> bytes:
    lines = suffix == ".jsonl" and isinstance(rows, list)
    return ("\n".join(map(written, rows)) if lines else written(rows)).encode(errors="surrogatepass")
