"""One optimizer step after another, each over an accumulation window: FG-CLIP's global and region losses and the memory bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import Window
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes


@dataclass
class Trainer:
    """One optimizer step after another.

    The towers see a whole accumulation window at once: the weights don't change between its micro-batches, so their features are
    those that micro-batch by micro-batch would give; the losses and the bank then go through the micro-batches in order.
    """

    params: Mapping[str, Any]
    model: RegionCLIP
    optimizer: Optimizer
    bank: MemoryBank
    probes: Probes

    def step(self, window: Window, forwards: range, step: int) -> None:
        """Step over a window: the gradient is that of the losses' sum over `gradient_accumulation`, so of their mean unless the
        last window is shorter."""
        phase = self.probes.run.phase
        with phase("forward"):
            loss = self.loss(window, forwards, step)
        if loss is not None:
            with phase("backward"):
                (loss / self.params["gradient_accumulation"]).backward()
        with phase("optimizer"):
            norm = self.optimizer.step()
        with phase("logging"):
            self.probes.flush(forwards, norm)

    def loss(self, window: Window, forwards: range, step: int) -> Tensor | None:
        """The weighted losses of a window's micro-batches, summed; None where nothing of it can be learnt from."""
        whole = self.params["global_weight"] > 0
        regions, images = self.model.encode(window.images, window.boxes, window.image, whole)
        losses = [self.params["region_weight"] * loss for loss in self._region_losses(window, regions, forwards, step)]
        if images is not None:
            losses += [self.params["global_weight"] * loss for loss in self._global_losses(window, images)]
        total = torch.stack(losses).sum() if losses else None
        return total if total is not None and total.requires_grad else None

    def _region_losses(self, window: Window, regions: Tensor, forwards: range, step: int) -> list[Tensor]:
        texts = self.model.texts(window.expressions) if sum(window.sizes) else regions
        losses = []
        parts = zip(forwards, regions.split(window.sizes), texts.split(window.sizes), strict=True)
        for forward, region, text in parts:
            if len(region):
                losses.append(self._region_loss(forward, region, text))
            self.probes.state(forward, self.bank, len(region), step)
        return losses

    def _region_loss(self, forward: int, region: Tensor, text: Tensor) -> Tensor:
        """Symmetric loss of a micro-batch against its own pairs and the bank's; its pairs enter the bank after it, or before."""
        first = self.params["bank_enqueue"] == "before"
        if first:
            self.bank.enqueue(forward, region, text)
        images, texts = self.bank.negatives(forward)
        scale = self.model.spread * self.model.region_logit_scale.float().exp()
        logits_i2t = scale * region @ torch.cat([text, texts]).T
        logits_t2i = scale * text @ torch.cat([region, images]).T
        loss = contrastive_loss(logits_i2t, logits_t2i)
        if not first:
            self.bank.enqueue(forward, region, text)
        self.probes.region(forward, loss, self.model.region_logit_scale, region, logits_i2t)
        return loss

    def _global_losses(self, window: Window, images: Tensor) -> list[Tensor]:
        """CLIP's loss of each micro-batch, over its images' captions; FG-CLIP adds one for long and one for short captions."""
        batch, kinds = self.params["batch_size"], window.captions.shape[1]
        texts = self.model.texts(window.captions.flatten(0, 1)).unflatten(0, (-1, kinds))
        scale = self.model.clip.logit_scale.float().exp()
        losses = []
        for image, text in zip(images.split(batch), texts.split(batch), strict=True):
            logits = [scale * image @ text[:, kind].T for kind in range(kinds)]
            losses.append(torch.stack([contrastive_loss(each, each.T) for each in logits]).sum())
            self.probes.whole(losses[-1])
        return losses
