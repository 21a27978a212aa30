"""What the diagnosis printed, per forward: scale, norms, logits, bank, loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ablate.run import Diverged, Run
from ablate.targets.region_clip.bank import State
from ablate.targets.region_clip.losses import Groups

#: The per-forward probes that come from tensors, in the order of `measure`.
TENSORS = (
    "train/region_loss", "logit_scale/log", "logit_scale/exp",
    "image_norm/min", "image_norm/max", "image_norm/mean", "image_norm/std", "image_norm/zeros",
    "logits_i2t/min", "logits_i2t/max", "logits_i2t/mean", "logits_i2t/std",
)  # fmt: skip
#: What must stay finite.
LOSSES = ("train/region_loss", "train/global_loss")


@torch.no_grad()
def measure(losses: Tensor, log_scale: Tensor, regions: Tensor, logits: Tensor, groups: Groups) -> Tensor:
    """The tensor probes of each forward that has boxes, [groups, 12], still on the device.

    Standard deviations are with n − 1, as torch has them by default (the diagnosis's 0.5 for norms 0, 1, 1, 1); 0 for one value.

    Args:
        losses: of the forwards, [groups].
        log_scale: the region logit scale, in the precision it is kept in; its exponential is taken in float32.
        regions: normalised region embeddings, [boxes, dim].
        logits: image to text, [boxes, boxes]: of a forward those within its batch count, without the bank's columns, as the
            diagnosis printed them.
    """
    norms, scale = regions.norm(dim=1)[groups.place], log_scale.detach().float().expand(len(losses))
    zeros = ((norms == 0) & groups.there).sum(1).float()
    own = logits[groups.place[:, :, None], groups.place[:, None]].flatten(1)
    both = (groups.there[:, :, None] & groups.there[:, None]).flatten(1)
    parts = (losses.detach(), scale, scale.exp(), *_spread(norms, groups.there), zeros, *_spread(own, both))
    return torch.stack(parts, dim=1)


def _spread(values: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Least, greatest, mean and standard deviation of each row's values, [rows, most], where there are any."""
    count = there.sum(1)
    mean = values.masked_fill(~there, 0.0).sum(1) / count
    square = (values - mean[:, None]).square().masked_fill(~there, 0.0).sum(1)
    least, greatest = values.masked_fill(~there, math.inf).amin(1), values.masked_fill(~there, -math.inf).amax(1)
    return least, greatest, mean, (square / (count - 1).clamp(min=1)).sqrt()


#: Metrics of a forward.
Logged = tuple[int, dict[str, float]]


@dataclass
class Probes:
    """Gathers the probes of an accumulation window and logs them, with one copy from the device a window.

    The losses are among them whatever the level, as a training whose loss is not finite ends there.

    Args:
        run: where to.
        level: `all`; `loss` for losses, boxes and the bank alone; `off`.
    """

    run: Run
    level: str
    _states: list[Logged] = field(default_factory=list)
    _forwards: list[int] = field(default_factory=list)
    _measured: list[Tensor] = field(default_factory=list)
    _candidates: list[int] = field(default_factory=list)
    _whole: list[Tensor] = field(default_factory=list)

    def regions(
        self, forwards: Sequence[int], losses: Tensor, log_scale: Tensor, regions: Tensor, logits: Tensor, groups: Groups,
        candidates: Sequence[int],
    ) -> None:  # fmt: skip
        """Note the region losses of the forwards that have boxes, and how many texts each region of theirs was matched to. See
        `measure`."""
        self._forwards, self._candidates = list(forwards), list(candidates)
        every = self.level == "all"
        found = measure(losses, log_scale, regions, logits, groups) if every else losses.detach()[:, None]
        self._measured = [found.flatten()]

    def whole(self, losses: Tensor) -> None:
        """Note the image-text losses of the window's forwards, [forwards]."""
        self._whole.append(losses.detach())

    def state(self, forward: int, bank: State, size: int, boxes: int, step: int) -> None:
        """Note what the host knows of a forward: the bank after it, and its size."""
        state = {"bank/ptr": bank.ptr, "bank/full": bank.full, "bank/size": size}
        self._states.append((forward, {**state, "train/valid_boxes": boxes, "train/optimizer_step": step}))

    def flush(self, forwards: range, grad_norm: Tensor) -> None:
        """Log the window's probes, and start on the next.

        Raises:
            Diverged: at the first forward with a loss that is not finite; nothing that came after it is logged.
        """
        parts = [*self._measured, *self._whole, grad_norm[None]]
        values = torch.cat([part.float() for part in parts]).tolist()
        wide = len(self._forwards) * len(self._names)
        whole: list[Logged] = [(f, {"train/global_loss": v}) for f, v in zip(forwards, values[wide:-1], strict=False)]
        regions = self._regions(values[:wide])
        end = _divergence([*regions, *whole])
        last = forwards[-1] if end is None else end.step
        for forward, metrics in (*self._states, *regions, *whole, (forwards[-1], {"train/grad_norm": values[-1]})):
            if self.level != "off" and forward <= last:
                self.run.log_metrics(metrics, forward)
        self._states, self._forwards, self._measured, self._candidates, self._whole = [], [], [], [], []
        if end:
            raise end

    @property
    def _names(self) -> Sequence[str]:
        return TENSORS if self.level == "all" else TENSORS[:1]

    def _regions(self, values: Sequence[float]) -> list[Logged]:
        """Each forward's tensors, and what its loss is to be read against: chance, ln(candidates)."""
        names, found = self._names, list[Logged]()
        for i, (forward, count) in enumerate(zip(self._forwards, self._candidates, strict=True)):
            logged = dict(zip(names, values[i * len(names) : (i + 1) * len(names)], strict=True)) | {"train/candidates": count}
            if "logits_i2t/max" in logged:
                logged["logits_i2t/range"] = logged["logits_i2t/max"] - logged["logits_i2t/min"]
            if count > 1:
                chance = math.log(count)
                logged |= {"train/chance_loss": chance, "train/region_loss_over_chance": logged["train/region_loss"] / chance}
            found.append((forward, logged))
        return found


def _divergence(logged: Sequence[Logged]) -> Diverged | None:
    """That the training diverged, where a loss is not finite: at the first forward with one."""
    losses = ((forward, name, metrics[name]) for forward, metrics in logged for name in LOSSES if name in metrics)
    lost = [(forward, name, value) for forward, name, value in losses if not math.isfinite(value)]
    if not lost:
        return None
    forward, name, value = min(lost, key=lambda each: each[0])
    return Diverged(f"{name} is {'nan' if math.isnan(value) else 'infinite'}", forward, "forward")
