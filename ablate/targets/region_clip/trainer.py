"""One optimizer step after another, each over an accumulation window: FG-CLIP's global and region losses and the memory bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import Window
from ablate.targets.region_clip.losses import Groups, global_losses, region_losses
from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes


@dataclass
class Trainer:
    """One optimizer step after another.

    The towers see a whole accumulation window at once: the weights don't change between its micro-batches, so their features are
    those that micro-batch by micro-batch would give. The losses see the bank as it is when their micro-batch's turn comes.
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
        regions, images = self.model.encode(window.images, window.pooling, whole)
        texts, captions = self._encoded(window, whole)
        losses = [self.params["region_weight"] * loss for loss in self._region_loss(window, regions, texts, forwards, step)]
        if images is not None:
            losses.append(self.params["global_weight"] * self._global_loss(window, images, captions))
        total = torch.stack(losses).sum() if losses else None
        return total if total is not None and total.requires_grad else None

    def _region_loss(self, window: Window, regions: Tensor, texts: Tensor, forwards: range, step: int) -> list[Tensor]:
        """The micro-batches' losses, summed: each against its own pairs and the bank's; its pairs enter the bank after it, or
        before. Nothing where no micro-batch has a box."""
        before = self.params["bank_enqueue"] == "before"
        past, states = self.bank.over(forwards, window.sizes, window.zero, before)
        for forward, state, size in zip(forwards, states, window.sizes, strict=True):
            self.probes.state(forward, state, self.bank.size, size, step)
        if not sum(window.sizes):
            return []
        texts, groups = texts[window.expressions.place], Groups.of(window.sizes, regions.device)
        log_scale = self.model.region_logit_scale
        losses, logits = region_losses(regions, texts, self.model.spread * log_scale.float().exp(), groups, past)
        asked = [(forward, size) for forward, size in zip(forwards, window.sizes, strict=True) if size]
        held = past.count if past else [0] * len(asked)
        candidates = [size + int(more) for (_, size), more in zip(asked, held, strict=True)]
        self.probes.regions([forward for forward, _ in asked], losses, log_scale, regions, logits, groups, candidates)
        self._enqueue(window, forwards, regions, texts)
        return [losses.sum()]

    def _enqueue(self, window: Window, forwards: range, regions: Tensor, texts: Tensor) -> None:
        """All pairs since the bank's warm-up ended."""
        early = sum(size for forward, size in zip(forwards, window.sizes, strict=True) if not self.bank.active(forward))
        self.bank.enqueue(forwards[-1], regions[early:], texts[early:])

    def _global_loss(self, window: Window, images: Tensor, captions: Tensor) -> Tensor:
        """The micro-batches' losses over images and captions, summed."""
        count, kinds = len(window.sizes), window.kinds
        texts = captions[window.captions.place].unflatten(0, (count, -1, kinds)).transpose(1, 2)
        losses = global_losses(images.unflatten(0, (count, -1)), texts, self.model.clip.logit_scale.float().exp())
        self.probes.whole(losses)
        return losses.sum()

    def _encoded(self, window: Window, whole: bool) -> tuple[Tensor, Tensor]:
        """Embeddings of the window's distinct expressions, and of its captions where they are wanted; in one call where that is
        cheaper."""
        count, none = len(window.expressions.ids), torch.zeros(0, self.model.dim, device=window.images.device)
        if whole and window.both is not None:
            both = self.model.texts(window.both)
            return both[:count], both[count:]
        expressions = self.model.texts(window.expressions.ids) if count else none
        return expressions, self.model.texts(window.captions.ids) if whole else none
