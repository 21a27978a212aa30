"""The training: FG-CLIP's global and region losses with gradient accumulation, a memory bank, and the diagnosis's probes."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate.run import Run
from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import TrainingSet, Window, training_set, windows
from ablate.targets.region_clip.evaluate import evaluate, evaluate_start, held_out
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.start import load_start, start_path


def train(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Fine-tune from the start and return the final metrics. `params` are resolved (see `settings`)."""
    torch.set_num_threads(1)  # a worker a core is faster than a worker on two, and the order of sums stays fixed
    torch.manual_seed(run.seed)
    device = torch.device(run.device)
    model = make_model(params, device).train()
    bank = make_bank(params, model.dim, device)
    data, held = training_set(params, run.seed), held_out(params)
    _log_faults(data, run)
    trainer = Trainer(params, model, Optimizer(model, params["lr"], params["weight_decay"]), bank, Probes(run, params["probes"]))
    run.log_metrics(evaluate_start(model, held, start_path(params), params["precision"]), 0)
    forward, first_step = 0, math.nan
    for step, window in enumerate(_windows(params, data, device)):
        forwards = range(forward, forward + len(window.sizes))
        trainer.step(window, forwards, step)
        if math.isnan(first_step) and (bank.ptr or bank.full):
            first_step = step
        if _passes(forwards, params["eval_every"]) and forwards.stop < params["forwards"]:
            run.log_metrics(evaluate(model, held), forwards.stop)
        forward = forwards.stop
    found = evaluate(model, held)
    run.log_metrics(found, forward)
    final = {**found, **data.quality}
    return final if math.isnan(first_step) else {**final, "bank/first_step": first_step}


def make_model(params: Mapping[str, Any], device: torch.device) -> RegionCLIP:
    """The model before the first step, in its precision, with what is frozen frozen.

    On a CPU its attention is written out: the fused kernel's backward pass takes six times as long there in bf16, for sequences
    as short as these.
    """
    model = RegionCLIP(load_start(params), params["logit_scale_init"], params["cosine_spread"], inputs_of(params).pixels)
    clip = model.clip
    for part, key in (
        (clip.vision_model, "train_vision"), (clip.visual_projection, "train_vision"),
        (clip.text_model, "train_text"), (clip.text_projection, "train_text"),
    ):  # fmt: skip
        part.requires_grad_(params[key])
    if device.type == "cpu":
        clip.set_attn_implementation("eager")
    return model.to(device, torch.bfloat16 if params["precision"] == "bf16" else torch.float32)


def make_bank(params: Mapping[str, Any], dim: int, device: torch.device) -> MemoryBank:
    """The memory bank that the params ask for."""
    skip_zeros = params["bank_zeros"] == "skip"
    return MemoryBank(params["bank_size"], params["bank_warmup"], dim, device, skip_zeros, params["bank_side"])


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
        loss = self.loss(window, forwards, step)
        if loss is not None:
            (loss / self.params["gradient_accumulation"]).backward()
        self.probes.flush(forwards, self.optimizer.step())

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


def _windows(params: Mapping[str, Any], data: TrainingSet, device: torch.device) -> Any:
    rule = params["box_filter"], params["min_box_area"]
    return windows(data, params["batch_size"], params["gradient_accumulation"], *rule, device)


def _log_faults(data: TrainingSet, run: Run) -> None:
    """Keep with the run which rows and boxes could not be used, one a line."""
    if data.faults:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data_faults.txt"
            path.write_text("".join(f"{fault}\n" for fault in data.faults), encoding="utf-8")
            run.log_artifact(path)


def _passes(forwards: range, every: int) -> bool:
    """Whether a multiple of `every` is reached as this window ends."""
    return every > 0 and forwards.stop // every > forwards.start // every
