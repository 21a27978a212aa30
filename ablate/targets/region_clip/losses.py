"""The losses of a window's micro-batches, all at once: those of one after the other, in a fraction of the calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ablate.targets.region_clip.bank import Negatives


@dataclass(frozen=True)
class Groups:
    """Which boxes belong to which of the micro-batches that have any.

    Attributes:
        group: of each box, [boxes].
        place: the boxes of each group, [groups, most]; 0 where there are fewer.
        there: where there is one, bool [groups, most].
        count: boxes of each, float [groups].
    """

    group: Tensor
    place: Tensor
    there: Tensor
    count: Tensor

    @classmethod
    def of(cls, sizes: Sequence[int], device: torch.device) -> Groups:
        """Of micro-batches of so many boxes, which lie end to end."""
        found = np.asarray([size for size in sizes if size])
        most = np.arange(max(found, default=0))
        there = most < found[:, None]
        place = np.where(there, (np.cumsum(found) - found)[:, None] + most, 0)
        parts = np.repeat(np.arange(len(found)), found), place, there, found.astype(np.float32)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    @property
    def same(self) -> Tensor:
        """Whether two boxes are of one group, bool [boxes, boxes]."""
        return self.group[:, None] == self.group

    def mean(self, values: Tensor) -> Tensor:
        """Of each group's boxes, [groups], from values of all, [boxes]."""
        return self.padded(values).sum(1) / self.count

    def padded(self, values: Tensor) -> Tensor:
        """Values of all boxes, [boxes], by group: [groups, most], 0 where there are fewer."""
        return values[self.place].masked_fill(~self.there, 0.0)


def region_losses(regions: Tensor, texts: Tensor, scale: Tensor, groups: Groups, past: Negatives | None) -> tuple[Tensor, Tensor]:
    """Symmetric loss of each micro-batch against its own pairs and what the bank holds then.

    Args:
        regions, texts: normalised embeddings of pairs, [boxes, dim].
        scale: what cosines are multiplied by, a scalar.
        past: the negatives beside their own; None where there are none.

    Returns:
        the losses, nats, [groups], and region→text logits of all pairs, [boxes, boxes].
    """
    towards_texts, logits = _one_sided(regions, texts, scale, groups, (past.texts, past.of_texts) if past else None)
    towards_regions, _ = _one_sided(texts, regions, scale, groups, (past.images, past.of_images) if past else None)
    return groups.mean((towards_texts + towards_regions) / 2), logits


def _one_sided(
    asking: Tensor, candidates: Tensor, scale: Tensor, groups: Groups, past: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each pair, [boxes], and its logits within the window."""
    columns, seen = candidates, groups.same
    if past is not None:
        columns = torch.cat([candidates, candidates.detach(), past[0]])
        seen = torch.cat([seen, past[1][groups.group]], dim=1)
    logits = scale * asking @ columns.T
    losses = logits.masked_fill(~seen, float("-inf")).logsumexp(1) - logits.diagonal()
    return losses, logits[:, : len(asking)]


def global_losses(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss of each micro-batch over its images' captions, [forwards]; where an image has several kinds of captions, as
    FG-CLIP's long and short ones, their losses are added.

    Args:
        images: [forwards, batch, dim].
        texts: [forwards, kinds, batch, dim].
        scale: what cosines are multiplied by, a scalar.
    """
    logits = scale * images[:, None] @ texts.transpose(2, 3)
    own = logits.diagonal(dim1=2, dim2=3)
    return ((logits.logsumexp(3) + logits.logsumexp(2)) / 2 - own).mean(2).sum(1)
