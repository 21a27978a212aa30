"""The training: region-text contrastive fine-tuning with gradient accumulation, a memory bank, and the diagnosis's probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.run import Run
from ablate.targets.region_clip import probes
from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import Window, training_scenes, windows
from ablate.targets.region_clip.evaluate import evaluate, evaluate_start
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss
from ablate.targets.region_clip.pretrain import load_pretrained, pretrained_path


def train(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Fine-tune from the pretrained start and return the final metrics.

    `params` are resolved (see the package). The towers see a whole accumulation window at once: the weights don't change between
    its micro-batches, so their features are those that micro-batch by micro-batch would give; the bank and the loss then
    go through the micro-batches in order.
    """
    torch.set_num_threads(1)  # a worker a core is faster than a worker on two, and the order of sums stays fixed
    torch.manual_seed(run.seed)
    device = torch.device(run.device)
    model = RegionCLIP(load_pretrained(params), params["logit_scale_init"]).to(device).train()
    optimizer = _optimizer(model, params["lr"], params["weight_decay"])
    bank = MemoryBank(params["bank_size"], params["bank_warmup"], model.dim, device)
    scenes = training_scenes(params["forwards"] * params["batch_size"], run.seed, params["invalid_rate"])
    batches = windows(
        scenes, params["batch_size"], params["gradient_accumulation"], params["box_filter"], params["min_box_area"], device
    )
    run.log_metrics(evaluate_start(model, params["eval_images"], pretrained_path(params)), 0)
    forward, first_step = 0, math.nan
    for step, window in enumerate(batches):
        forwards = range(forward, forward + len(window.sizes))
        _step(model, optimizer, bank, window, forwards, step, params["gradient_accumulation"], run)
        if math.isnan(first_step) and (bank.ptr or bank.full):
            first_step = step
        if _passes(forwards, params["eval_every"]) and forwards.stop < params["forwards"]:
            run.log_metrics(evaluate(model, params["eval_images"]), forwards.stop)
        forward = forwards.stop
    final = evaluate(model, params["eval_images"])
    run.log_metrics(final, forward)
    return final if math.isnan(first_step) else {**final, "bank/first_step": first_step}


def _optimizer(model: RegionCLIP, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW; vectors and the scale are not decayed, as in CLIP's own training."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def _step(
    model: RegionCLIP,
    optimizer: torch.optim.Optimizer,
    bank: MemoryBank,
    window: Window,
    forwards: range,
    step: int,
    accumulation: int,
    run: Run,
) -> None:
    """One optimizer step over a window: the gradient is that of the mean over `accumulation` micro-batches."""
    measured: list[Tensor] = []
    held: list[int] = []
    losses: list[Tensor] = []
    if sum(window.sizes):
        regions = model.regions(window.images, window.boxes, window.image)
        texts = model.texts(window.expressions)
        parts = zip(forwards, regions.split(window.sizes), texts.split(window.sizes), strict=True)
        for forward, region, text in parts:
            if len(region):
                loss, probe, candidates = _forward(model, bank, forward, region, text)
                losses.append(loss)
                measured.append(probe)
                held.append(candidates)
            _log_bank(run, bank, forward, step, len(region))
        torch.stack(losses).sum().div(accumulation).backward()
    optimizer.step()
    optimizer.zero_grad()
    seen = [forward for forward, size in zip(forwards, window.sizes, strict=True) if size]
    _log_probes(run, seen, measured, held)


def _forward(model: RegionCLIP, bank: MemoryBank, forward: int, region: Tensor, text: Tensor) -> tuple[Tensor, Tensor, int]:
    """Loss, probes and number of candidates of one micro-batch; its pairs enter the bank after the loss."""
    scale = model.region_logit_scale.exp()
    bank_images, bank_texts = bank.negatives(forward)
    logits_i2t = scale * region @ torch.cat([text, bank_texts]).T
    logits_t2i = scale * text @ torch.cat([region, bank_images]).T
    loss = contrastive_loss(logits_i2t, logits_t2i)
    bank.enqueue(forward, region, text)
    probe = probes.measure(loss, model.region_logit_scale, region, logits_i2t[:, : len(region)])
    return loss, probe, logits_i2t.shape[1]


def _log_bank(run: Run, bank: MemoryBank, forward: int, step: int, boxes: int) -> None:
    state = {"bank/ptr": bank.ptr, "bank/full": bank.full, "train/valid_boxes": boxes, "train/optimizer_step": step}
    run.log_metrics(state, forward)


def _log_probes(run: Run, forwards: list[int], measured: list[Tensor], candidates: list[int]) -> None:
    """Log a window's probes with one copy from the device, and what the loss is to be read against: chance, ln(candidates)."""
    if not measured:
        return
    for forward, values, count in zip(forwards, torch.stack(measured).tolist(), candidates, strict=True):
        logged = dict(zip(probes.TENSORS, values, strict=True)) | {"train/candidates": count}
        if count > 1:
            chance = math.log(count)
            logged |= {"train/chance_loss": chance, "train/region_loss_over_chance": logged["train/region_loss"] / chance}
        run.log_metrics(logged, forward)


def _passes(forwards: range, every: int) -> bool:
    """Whether a multiple of `every` is reached as this window ends."""
    return every > 0 and forwards.stop // every > forwards.start // every
