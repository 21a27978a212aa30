"""What the diagnosis printed, per forward: scale, norms, logits, bank, loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ablate.run import Run
from ablate.targets.region_clip.bank import MemoryBank

#: The per-forward probes that come from tensors, in the order of `measure`.
TENSORS = (
    "train/region_loss", "logit_scale/log", "logit_scale/exp",
    "image_norm/min", "image_norm/max", "image_norm/mean", "image_norm/std", "image_norm/zeros",
    "logits_i2t/min", "logits_i2t/max", "logits_i2t/mean", "logits_i2t/std",
)  # fmt: skip


@torch.no_grad()
def measure(loss: Tensor, log_scale: Tensor, regions: Tensor, logits: Tensor) -> Tensor:
    """The tensor probes of one forward, [12], still on the device.

    Standard deviations are with n − 1, as torch has them by default (the diagnosis's 0.5 for norms 0, 1, 1, 1); 0 for one value.

    Args:
        loss: of the forward, a scalar.
        log_scale: the region logit scale, in the precision it is kept in; its exponential is taken in float32.
        regions: normalised region embeddings, [boxes, dim].
        logits: image to text within the batch, [boxes, boxes]: the bank's columns are left out, as the diagnosis printed them.
    """
    norms, scale = regions.norm(dim=1), log_scale.detach().float()
    zeros = (norms == 0).sum().float()
    parts = (loss.detach(), scale, scale.exp(), norms.min(), norms.max(), norms.mean(), _std(norms), zeros)
    return torch.stack([*parts, logits.min(), logits.max(), logits.mean(), _std(logits)])


def _std(values: Tensor) -> Tensor:
    return values.std(correction=min(1, values.numel() - 1))


@dataclass
class Probes:
    """Gathers the probes of an accumulation window and logs them, with one copy from the device a window.

    Args:
        run: where to.
        level: `all`; `loss` for losses, boxes and the bank alone; `off`.
    """

    run: Run
    level: str
    _forwards: list[int] = field(default_factory=list)
    _measured: list[Tensor] = field(default_factory=list)
    _candidates: list[int] = field(default_factory=list)
    _whole: list[Tensor] = field(default_factory=list)

    def region(self, forward: int, loss: Tensor, log_scale: Tensor, regions: Tensor, logits: Tensor) -> None:
        """Note a forward's region loss; `logits` are image to text, [boxes, candidates]. See `measure`."""
        if self.level == "off":
            return
        self._forwards.append(forward)
        self._candidates.append(logits.shape[1])
        every = self.level == "all"
        self._measured.append(measure(loss, log_scale, regions, logits[:, : len(logits)]) if every else loss.detach()[None])

    def whole(self, loss: Tensor) -> None:
        """Note a forward's image-text loss, in the order of the window's forwards."""
        self._whole.append(loss.detach())

    def state(self, forward: int, bank: MemoryBank, boxes: int, step: int) -> None:
        """Log what the host knows of a forward."""
        if self.level != "off":
            state = {"bank/ptr": bank.ptr, "bank/full": bank.full, "bank/size": bank.size}
            self.run.log_metrics({**state, "train/valid_boxes": boxes, "train/optimizer_step": step}, forward)

    def flush(self, forwards: range, grad_norm: Tensor) -> None:
        """Log the window's probes, and start on the next."""
        if self.level != "off":
            parts = [*self._measured, *(loss[None] for loss in self._whole), grad_norm[None]]
            values = torch.cat([part.float() for part in parts]).tolist()
            self._log_regions(values)
            wide = len(self._measured) * len(self._names)
            for forward, loss in zip(forwards, values[wide:-1], strict=False):
                self.run.log_metrics({"train/global_loss": loss}, forward)
            self.run.log_metrics({"train/grad_norm": values[-1]}, forwards[-1])
        self._forwards, self._measured, self._candidates, self._whole = [], [], [], []

    @property
    def _names(self) -> Sequence[str]:
        return TENSORS if self.level == "all" else TENSORS[:1]

    def _log_regions(self, values: Sequence[float]) -> None:
        """Log each forward's tensors, and what its loss is to be read against: chance, ln(candidates)."""
        names = self._names
        for i, (forward, count) in enumerate(zip(self._forwards, self._candidates, strict=True)):
            logged = dict(zip(names, values[i * len(names) : (i + 1) * len(names)], strict=True)) | {"train/candidates": count}
            if "logits_i2t/max" in logged:
                logged["logits_i2t/range"] = logged["logits_i2t/max"] - logged["logits_i2t/min"]
            if count > 1:
                chance = math.log(count)
                logged |= {"train/chance_loss": chance, "train/region_loss_over_chance": logged["train/region_loss"] / chance}
            self.run.log_metrics(logged, forward)
