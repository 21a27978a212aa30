"""Held-out evaluation: one set of scenes and one protocol, whatever the arm's filter, bank or scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.scenes import SMALL_AREA, make_scenes

#: The stream of scenes that evaluation alone sees.
STREAM = 2000
#: Candidates that each region is matched to.
CANDIDATES = 32
#: The multipliers that the held-out loss is minimised over, so that an arm is not judged by its own scale.
SCALES = torch.logspace(0, math.log10(200), 24)
BATCH = 64


@dataclass(frozen=True)
class HeldOut:
    """Regions in groups of 32.

    Attributes:
        images: uint8, [n, 3, 64, 64].
        boxes, image: of each region, [regions, 4] and [regions].
        texts: token ids of the distinct expressions, [texts, words].
        text: each region's expression, as an index into texts, [regions].
        groups: indices of regions, [groups, 32].
        small: whether a region's box covers less than 1 % of its image, [regions].
    """

    images: Tensor
    boxes: Tensor
    image: Tensor
    texts: Tensor
    text: Tensor
    groups: Tensor
    small: Tensor


@lru_cache(maxsize=2)
def held_out(images: int) -> HeldOut:
    """The held-out regions of so many scenes, all boxes valid, up to four an image; the same in every run and study."""
    scenes = make_scenes(images, seed=0, box_counts=(0, 0, 0, 1), stream=STREAM)
    image, slot = np.nonzero(np.arange(scenes.boxes.shape[1])[None, :] < scenes.counts[:, None])
    boxes = scenes.boxes[image, slot]
    texts, text = np.unique(scenes.expressions[image, slot], axis=0, return_inverse=True)
    order = np.random.default_rng(STREAM).permutation(len(boxes))
    groups = order[: len(order) // CANDIDATES * CANDIDATES].reshape(-1, CANDIDATES)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    parts = (scenes.images, boxes, image, texts, text.reshape(-1), groups, area < SMALL_AREA)
    return HeldOut(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


#: The evaluation of a pretrained start, by weights and protocol: the same for all runs that begin there.
_starts: dict[tuple[Path, int], dict[str, float]] = {}


def evaluate_start(model: RegionCLIP, images: int, start: Path) -> dict[str, float]:
    """`evaluate` before the first step: done once a process for each start, since nothing it measures depends on the run."""
    key = (start, images)
    if key not in _starts:
        _starts[key] = evaluate(model, images)
    return _starts[key]


@torch.no_grad()
def evaluate(model: RegionCLIP, images: int) -> dict[str, float]:
    """Region→text top-1 among 32, by area, and the held-out region loss.

    An expression identical to the region's own counts as right. The loss is the symmetric cross-entropy among 32 at the best of
    a fixed grid of scales, the same grid for every arm, divided by ln 32: 1 is chance.
    """
    model.eval()
    device = model.region_logit_scale.device
    data = held_out(images)
    texts = model.texts(data.texts.to(device))[data.text]
    parts = []
    for start in range(0, len(data.images), BATCH):
        here = (data.image >= start) & (data.image < start + BATCH)
        batch = data.images[start : start + BATCH].to(device)
        parts.append(model.regions(batch, data.boxes[here].to(device), (data.image[here] - start).to(device)))
    regions = torch.cat(parts)
    cosine = (regions[data.groups] @ texts[data.groups].transpose(1, 2)).cpu()
    best = data.groups.gather(1, cosine.argmax(2))
    right = (data.text[best] == data.text[data.groups]).float()
    small = data.small[data.groups]
    model.train()
    return {
        "eval/region_top1": right.mean().item(),
        "eval/region_top1_small": right[small].mean().item(),
        "eval/region_top1_large": right[~small].mean().item(),
        "eval/region_loss": _loss(cosine) / math.log(CANDIDATES),
    }


def _loss(cosine: Tensor) -> float:
    """Symmetric cross-entropy of groups, [groups, 32, 32], at the best scale of the grid, in nats."""
    logits = SCALES[:, None, None, None] * cosine
    own = logits.diagonal(dim1=2, dim2=3)
    rows, columns = logits.logsumexp(3) - own, logits.logsumexp(2) - own
    return float(((rows + columns) / 2).mean((1, 2)).min())
