"""What the diagnosis printed, per forward: scale, norms, logits, bank, loss."""

from __future__ import annotations

import torch
from torch import Tensor

#: The per-forward probes that come from tensors, in the order of `measure`.
TENSORS = (
    "train/region_loss", "logit_scale/log", "logit_scale/exp", "image_norm/min", "image_norm/max", "image_norm/mean",
    "image_norm/zeros", "logits_i2t/min", "logits_i2t/max", "logits_i2t/mean", "logits_i2t/std",
)  # fmt: skip


@torch.no_grad()
def measure(loss: Tensor, log_scale: Tensor, regions: Tensor, logits: Tensor) -> Tensor:
    """The probes of one forward, [11], still on the device: windows are copied to the host in one go.

    Args:
        loss: of the forward, a scalar.
        log_scale: the region logit scale.
        regions: normalised region embeddings, [boxes, dim].
        logits: image to text within the batch, [boxes, boxes]: the bank's columns are left out, as the diagnosis printed them.
    """
    norms, scale = regions.norm(dim=1), log_scale.detach()
    parts = (loss.detach(), scale, scale.exp(), norms.min(), norms.max(), norms.mean(), (norms == 0).sum().float())
    return torch.stack([*parts, logits.min(), logits.max(), logits.mean(), logits.std(correction=0)])
