"""What one run trains on, in the order it sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablate.targets.region_clip.boxes import annotated, keep, valid
from ablate.targets.region_clip.finehard import MALFORMED_BOX, NOT_FINITE, REVERSED, Fault, Row
from ablate.targets.region_clip.inputs import Inputs, inputs_of, model_fingerprint
from ablate.targets.region_clip.photos import pixels
from ablate.targets.region_clip.roi import Pooling, cell_weights
from ablate.targets.region_clip.scenes import SMALL_AREA, VERSION, make_scenes
from ablate.targets.region_clip.shared import Arrays, shared
from ablate.targets.region_clip.source import Source, order, split
from ablate.targets.region_clip.tokens import SceneTokenizer, Tokenizer

Ints = NDArray[np.int64]
#: Faults of a box that leave the rest of its row usable.
BOX_FAULTS = (MALFORMED_BOX, NOT_FINITE, REVERSED)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """A run's images in their order, the same in every arm of its seed.

    Attributes:
        images: the distinct ones, uint8 [distinct, 3, size, size].
        which: the image at each place, [n].
        boxes: float32 fractions x1, y1, x2, y2, [n, max boxes, 4]; rows past `counts` are zero.
        counts: boxes at each place, [n].
        expressions: token ids of each box's text, [n, max boxes, words].
        captions: token ids of each image's texts, [n, texts an image, words].
        quality: the `data/...` metrics: boxes, shares of invalid and of small ones, faults.
        faults: what could not be used.
    """

    images: NDArray[np.uint8]
    which: Ints
    boxes: NDArray[np.float32]
    counts: Ints
    expressions: Ints
    captions: Ints
    quality: Mapping[str, float]
    faults: tuple[Fault, ...] = ()


def quality(boxes: NDArray[np.float32], unusable: int = 0, faults: int = 0) -> dict[str, float]:
    """What is to be said of a data set's boxes, [boxes, 4].

    Args:
        unusable: boxes that are not among them since they could not be used at all: invalid too.
        faults: rows and boxes that could not be used at all.
    """
    good = valid(boxes)
    small = good & ~valid(boxes, SMALL_AREA)
    every, sound = len(boxes) + unusable, int(good.sum())
    return {
        "data/boxes": every,
        "data/invalid_share": 1 - sound / max(every, 1),
        "data/small_share": int(small.sum()) / max(sound, 1),
        "data/faults": faults,
    }


def training_set(params: Mapping[str, Any], seed: int) -> TrainingSet:
    """Of resolved params and a seed; kept, since every arm of a block asks for the same."""
    count = params["forwards"] * params["batch_size"]
    if params["data"] == "scenes":
        return _scenes(count, seed, params["invalid_rate"], params["model"], Source.of(params))
    return _photos(count, seed, params["expression"], params["max_boxes"], params["model"], Source.of(params))


@lru_cache(maxsize=2)
def _scenes(count: int, seed: int, invalid_rate: float, model: str, source: Source) -> TrainingSet:
    inputs = inputs_of({"model": model, **vars(source)})

    def make() -> Arrays:
        made = make_scenes(count, seed, invalid_rate=invalid_rate, size=inputs.size)
        expressions = _padded([list(texts) for texts in made.expressions], made.boxes.shape[1], inputs)
        captions = encode_all(inputs.tokenizer, made.captions, inputs.words)[:, None]
        parts: Arrays = {"images": made.images, "boxes": made.boxes, "counts": made.counts}
        return parts | {"expressions": expressions, "captions": captions}

    tokens = "words" if isinstance(inputs.tokenizer, SceneTokenizer) else model_fingerprint(model) or model
    made_of = {"count": count, "seed": seed, "invalid_rate": invalid_rate, "size": inputs.size, "tokens": tokens}
    found = shared("scenes", {**made_of, "version": VERSION, "numpy": np.__version__}, make)
    images, boxes, counts, expressions, captions = found.values()
    return TrainingSet(images, np.arange(count), boxes, counts, expressions, captions, quality(boxes[annotated(boxes, counts)]))


@lru_cache(maxsize=2)
def _photos(count: int, seed: int, expression: str, max_boxes: int, model: str, source: Source) -> TrainingSet:
    inputs, found = inputs_of({"model": model, **vars(source)}), split(source)
    rows, broken = order(found.train, count, seed, inputs.size)
    distinct = list(dict.fromkeys(rows))
    index = {row: i for i, row in enumerate(distinct)}
    boxes = np.zeros((count, max_boxes, 4), np.float32)
    for place, row in enumerate(rows):
        for slot, region in enumerate(row.regions[:max_boxes]):
            boxes[place, slot] = region.box
    captions = [text for row in rows for text in (row.caption, row.short_caption)]
    faults = (*found.faults, *broken)
    every = np.asarray([region.box for row in found.train for region in row.regions], np.float32).reshape(-1, 4)
    unusable = sum(fault.kind in BOX_FAULTS for fault in found.train_faults)
    return TrainingSet(
        images=np.stack([pixels(row.image, inputs.size) for row in distinct]),
        which=np.asarray([index[row] for row in rows]),
        boxes=boxes,
        counts=np.asarray([min(len(row.regions), max_boxes) for row in rows]),
        expressions=_padded(_chosen(rows, expression, seed), max_boxes, inputs),
        captions=encode_all(inputs.tokenizer, captions, inputs.words).reshape(count, 2, -1),
        quality=quality(every, unusable, len(faults)),
        faults=faults,
    )


def _chosen(rows: Sequence[Row], expression: str, seed: int) -> list[list[str]]:
    """Each box's text: short, long, or either by chance, anew at each place, as FG-CLIP chooses."""
    rng = np.random.default_rng([seed, 3001])
    share = {"short": 0.0, "both": 0.5, "long": 1.0}[expression]
    return [[region.long if rng.random() < share else region.short for region in row.regions] for row in rows]


def _padded(texts: Sequence[Sequence[str]], most: int, inputs: Inputs) -> Ints:
    """Token ids of up to `most` texts a place, [places, most, words]; zero where there are fewer."""
    kept = [place[:most] for place in texts]
    flat = encode_all(inputs.tokenizer, [text for place in kept for text in place] or [""], inputs.words)
    ids = np.zeros((len(kept), most, flat.shape[1]), np.int64)
    there = np.arange(most)[None, :] < np.asarray([len(place) for place in kept])[:, None]
    ids[there] = flat[: int(there.sum())]
    return ids


def encode_all(tokenizer: Tokenizer, texts: Sequence[str], words: int) -> Ints:
    """Token ids of many texts, each distinct one encoded once, [texts, words]."""
    distinct = list(dict.fromkeys(texts))
    place = {text: i for i, text in enumerate(distinct)}
    ids: Ints = tokenizer(distinct, words)[[place[text] for text in texts]]
    return ids


#: What numbers of texts and of cells are rounded up to: kernels are made anew for each new size.
MULTIPLE = 16


#: Two sets of texts are encoded in one call where that takes at most so many times the tokens of two calls.
WIDER = 1.5


@dataclass(frozen=True)
class Texts:
    """Texts with each distinct one once.

    Attributes:
        ids: token ids, [distinct, words], on the host; the last of them again and again up to a multiple of `MULTIPLE`.
        place: each text's, as an index into them, [texts].
    """

    ids: Tensor
    place: Tensor

    def joined(self, other: Texts) -> Tensor | None:
        """Both sets of ids in one, those of the shorter texts wider by what follows their end; None where that is no gain."""
        words = max(self.ids.shape[1], other.ids.shape[1])
        parts = [part.ids for part in (self, other)]
        if words * sum(map(len, parts)) > WIDER * sum(part.numel() for part in parts):
            return None
        return torch.cat([torch.cat([part, part[:, -1:].expand(-1, words - part.shape[1])], 1) for part in parts])

    @classmethod
    def of(cls, ids: Ints) -> Texts:
        """From the token ids of texts, [texts, words]."""
        distinct, place = np.unique(ids, axis=0, return_inverse=True)
        padded = np.pad(distinct, ((0, -len(distinct) % MULTIPLE), (0, 0)), mode="edge") if len(distinct) else distinct
        return cls(torch.from_numpy(padded), torch.from_numpy(place.reshape(-1)))

    def to(self, device: torch.device) -> Texts:
        """The same with places on a device."""
        return Texts(self.ids, self.place.to(device))

    @property
    def each(self) -> Tensor:
        """Token ids of each text, those that recur too, [texts, words]."""
        return self.ids[self.place.cpu()]


@dataclass(frozen=True)
class Cut:
    """The micro-batches between two optimizer steps, laid end to end, without their images.

    Attributes:
        boxes: of all kept boxes, [boxes, 4], in the order of their images; on the host.
        image: which image each lies on, [boxes]; on the host.
        pooling: what they are pooled from.
        zero: whether a box pools to zero, [boxes].
        expressions: of each box.
        captions: of each image, the texts of one after those of the other.
        both: token ids of the expressions and then of the captions, where one call for both is cheaper.
        kinds: texts an image.
        sizes: how many boxes each micro-batch has.
    """

    boxes: Tensor
    image: Tensor
    pooling: Pooling
    zero: NDArray[np.bool_]
    expressions: Texts
    captions: Texts
    both: Tensor | None
    kinds: int
    sizes: tuple[int, ...]

    def to(self, device: torch.device) -> Cut:
        """The same with what a model's output is indexed with on a device."""
        expressions, captions = self.expressions.to(device), self.captions.to(device)
        return replace(self, pooling=self.pooling.to(device), expressions=expressions, captions=captions)


@dataclass(frozen=True)
class Window(Cut):
    """A `Cut` with its images.

    Attributes:
        images: uint8, [micro-batches x batch size, 3, height, width], or as `pictures` has them.
    """

    images: Tensor


def windows(
    data: TrainingSet,
    batch_size: int,
    accumulation: int,
    box_filter: str,
    min_area: float,
    side: int,
    device: torch.device,
    first: int = 0,
    pictures: Tensor | None = None,
) -> Iterator[Window]:
    """Cut a training set into windows of `accumulation` micro-batches of `batch_size` images; the last may be shorter.

    Args:
        side: cells along a side of a feature map.
        first: the micro-batch that the first of them begins with, a window's first.
        pictures: the images as the model takes them, in place of the set's own.
    """
    span = batch_size * accumulation
    for start, cut in zip(
        range(0, len(data.which), span), _cuts(data, batch_size, accumulation, box_filter, min_area, side), strict=True
    ):
        if start >= first * batch_size:
            which = data.which[start : start + span]
            images = torch.from_numpy(data.images[which]) if pictures is None else pictures[torch.from_numpy(which)]
            yield Window(**vars(cut.to(device)), images=images.to(device))


@lru_cache(maxsize=4)
def _cuts(data: TrainingSet, batch_size: int, accumulation: int, box_filter: str, min_area: float, side: int) -> tuple[Cut, ...]:
    """All windows of a training set; kept, since runs of one seed and filter cut it alike."""
    kept = keep(data.boxes, data.counts, box_filter, min_area)
    weights = cell_weights(torch.from_numpy(data.boxes[kept]), side, side)
    empty = ~weights.any(1).numpy()
    cuts, span, before = [], batch_size * accumulation, 0
    for start in range(0, len(data.which), span):
        image, slot = np.nonzero(kept[start : start + span])
        captions = data.captions[start : start + span]
        here, owner = slice(before, before + len(image)), torch.from_numpy(image)
        expressions = Texts.of(data.expressions[start + image, slot])
        whole = Texts.of(captions.reshape(-1, captions.shape[-1]))
        sizes = np.bincount(image // batch_size, minlength=-(-len(captions) // batch_size))
        cut = Cut(
            boxes=torch.from_numpy(data.boxes[start + image, slot]),
            image=owner,
            pooling=Pooling.of(weights[here], owner, MULTIPLE),
            zero=empty[here],
            expressions=expressions,
            captions=whole,
            both=expressions.joined(whole) if len(image) else None,
            kinds=captions.shape[1],
            sizes=tuple(int(size) for size in sizes),
        )
        cuts.append(cut)
        before = here.stop
    return tuple(cuts)
