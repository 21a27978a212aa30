"""Held-out evaluation: one set of regions and one protocol, whatever the arm's filter, bank, scale or losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablate.targets.region_clip.boxes import annotated, valid
from ablate.targets.region_clip.data import MULTIPLE, encode_all
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.photos import pixels
from ablate.targets.region_clip.pictures import pictures
from ablate.targets.region_clip.roi import Pooling, cell_weights
from ablate.targets.region_clip.scenes import SMALL_AREA, make_scenes
from ablate.targets.region_clip.source import Source, split, usable

#: The stream of scenes that evaluation alone sees.
STREAM = 2000
#: Candidates that each region is matched to; all there are, where a data set holds out fewer.
CANDIDATES = 32
#: The multipliers that the held-out loss is minimised over, so that an arm is not judged by its own scale.
SCALES = torch.logspace(0, math.log10(200), 24)
BATCH = 64


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Regions in groups of 32, all of them valid.

    Attributes:
        images: uint8, [n, 3, size, size].
        boxes, image: of each region, [regions, 4] and [regions].
        texts: token ids of the distinct expressions, [texts, words].
        text: each region's expression, as an index into texts, [regions].
        groups: indices of regions, [groups, candidates].
        small: whether a region's box covers less than 1 % of its image, [regions].
    """

    images: Tensor
    boxes: Tensor
    image: Tensor
    texts: Tensor
    text: Tensor
    groups: Tensor
    small: Tensor


def held_out(params: Mapping[str, Any]) -> HeldOut:
    """The held-out regions of resolved params; the same in every run of a study. Made scenes have up to four an image; of
    photographs, the first `eval_images` rows, all valid boxes are taken, by their long expressions."""
    return _held_out(params["eval_images"], params["model"], Source.of(params))


@lru_cache(maxsize=2)
def _held_out(count: int, model: str, source: Source) -> HeldOut:
    inputs = inputs_of({"model": model, **vars(source)})
    images, boxes, image, expressions = _scenes(count, inputs.size) if source.made else _photos(count, inputs.size, source)
    text, row = np.unique(np.asarray(expressions), return_inverse=True)
    ids = encode_all(inputs.tokenizer, [str(one) for one in text], inputs.words)
    candidates = min(CANDIDATES, len(boxes))
    mixed = np.random.default_rng(STREAM).permutation(len(boxes))
    groups = mixed[: len(boxes) // candidates * candidates].reshape(-1, candidates)
    parts = (images, boxes, image, ids, row.reshape(-1), groups, ~valid(boxes, SMALL_AREA))
    return HeldOut(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


Regions = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64], list[str]]


def _scenes(count: int, size: int) -> Regions:
    scenes = make_scenes(count, seed=0, box_counts=(0, 0, 0, 1), stream=STREAM, size=size)
    image, slot = np.nonzero(annotated(scenes.boxes, scenes.counts))
    texts = [scenes.expressions[i][j] for i, j in zip(image, slot, strict=True)]
    return scenes.images, scenes.boxes[image, slot], image, texts


def _photos(count: int, size: int, source: Source) -> Regions:
    rows = usable(split(source).val[:count], size)[0]
    found = [(i, region) for i, row in enumerate(rows) for region in row.regions]
    boxes = np.asarray([region.box for _, region in found], np.float32)
    good = np.flatnonzero(valid(boxes))
    image = np.asarray([found[i][0] for i in good])
    return np.stack([pixels(row.image, size) for row in rows]), boxes[good], image, [found[i][1].long for i in good]


#: The evaluation of a start, by weights and held-out set: the same for all runs that begin there.
_starts: dict[tuple[Path, str, HeldOut], dict[str, float]] = {}


def evaluate_start(model: RegionCLIP, data: HeldOut, start: Path, precision: str) -> dict[str, float]:
    """`evaluate` before the first step: done once a process for each start, since nothing it measures depends on the run."""
    key = (start, precision, data)
    if key not in _starts:
        _starts[key] = evaluate(model, data)
    return _starts[key]


@lru_cache(maxsize=2)
def _poolings(data: HeldOut, side: int) -> tuple[Pooling, ...]:
    """Of each batch of images, over maps of `side` x `side` cells."""
    weights, batch = cell_weights(data.boxes, side, side), data.image // BATCH
    chosen = [batch == index for index in range(-(-len(data.images) // BATCH))]
    return tuple(Pooling.of(weights[here], data.image[here] % BATCH, MULTIPLE) for here in chosen)


@torch.no_grad()
def evaluate(model: RegionCLIP, data: HeldOut) -> dict[str, float]:
    """Region→text top-1 among 32, by area, and the held-out region loss.

    An expression identical to the region's own counts as right. The loss is the symmetric cross-entropy among 32 at the best of
    a fixed grid of scales, the same grid for every arm, divided by ln 32: 1 is chance. A stratum without regions is left out.
    """
    model.eval()
    device = model.region_logit_scale.device
    texts = model.texts(data.texts)[data.text.to(device)]
    cut = pictures(data, model)
    parts, images = [], data.images if cut is None else cut
    for batch, pooling in zip(images.split(BATCH), _poolings(data, model.side), strict=True):
        parts.append(model.encode(batch.to(device), pooling.to(device), whole=False)[0])
    regions = torch.cat(parts)
    model.train()
    cosine = (regions[data.groups] @ texts[data.groups].transpose(1, 2)).cpu()
    best = data.groups.gather(1, cosine.argmax(2))
    right = (data.text[best] == data.text[data.groups]).double()
    small = data.small[data.groups]
    strata = {"": right, "_small": right[small], "_large": right[~small]}
    found = {f"eval/region_top1{name}": part.mean().item() for name, part in strata.items() if part.numel()}
    return found | {"eval/region_loss": _loss(cosine) / math.log(cosine.shape[-1])}


def _loss(cosine: Tensor) -> float:
    """Symmetric cross-entropy of groups, [groups, candidates, candidates], at the best scale of the grid, in nats."""
    logits = SCALES[:, None, None, None] * cosine
    own = logits.diagonal(dim1=2, dim2=3)
    rows, columns = logits.logsumexp(3) - own, logits.logsumexp(2) - own
    return float(((rows + columns) / 2).mean((1, 2)).min())
