"""The held-out evaluation, written out: the same regions, groups and grid of scales as the region training's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ablate.targets.region_clip.evaluate import BATCH, SCALES, HeldOut, held_out
from benchmarks.baseline.model import PlainRegionCLIP


@torch.no_grad()
def evaluate(model: PlainRegionCLIP, params: dict[str, Any]) -> dict[str, float]:
    """Region→text top-1 within groups of 32, by area, and the symmetric loss at the best scale of a grid ÷ ln 32."""
    data = held_out(params)
    regions, texts = _regions(model, data)[data.groups], model.texts(data.texts)[data.text][data.groups]
    cosine = regions @ texts.transpose(1, 2)
    chosen = data.groups.gather(1, cosine.argmax(2))
    right = (data.text[chosen] == data.text[data.groups]).double()
    small = data.small[data.groups]
    found = {"": right, "_small": right[small], "_large": right[~small]}
    shares = {f"eval/region_top1{name}": part.mean().item() for name, part in found.items() if part.numel()}
    return shares | {"eval/region_loss": min(_loss(scale * cosine) for scale in SCALES) / math.log(cosine.shape[-1])}


def _regions(model: PlainRegionCLIP, data: HeldOut) -> Tensor:
    """Embeddings of all held-out regions, [regions, dim]."""
    parts = []
    for start in range(0, len(data.images), BATCH):
        here = (data.image >= start) & (data.image < start + BATCH)
        parts.append(model.encode(data.images[start : start + BATCH], data.boxes[here], data.image[here] - start)[0])
    return torch.cat(parts)


def _loss(logits: Tensor) -> float:
    """Symmetric cross-entropy of groups whose matches lie on the diagonal, [groups, candidates, candidates]."""
    target = torch.arange(logits.shape[1]).expand(logits.shape[:2])
    both = functional.cross_entropy(logits, target), functional.cross_entropy(logits.transpose(1, 2), target)
    return float(both[0] + both[1]) / 2
