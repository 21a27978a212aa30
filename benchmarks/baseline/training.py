"""One trial as it is written today: a transformers `Trainer` that accumulates micro-batches' gradients and logs to MLflow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.boxes import keep
from ablate.targets.region_clip.data import TrainingSet
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.model import contrastive_loss
from ablate.targets.region_clip.start import load_start
from benchmarks.baseline.evaluation import evaluate
from benchmarks.baseline.model import PlainRegionCLIP
from benchmarks.baseline.optimizer import MasterAdamW


class Images(Dataset[dict[str, Tensor]]):
    """The run's images in their order, each with the boxes that the filter leaves."""

    def __init__(self, data: TrainingSet, params: Mapping[str, Any]) -> None:
        self.data = data
        self.kept = keep(data.boxes, data.counts, params["box_filter"], params["min_box_area"])

    def __len__(self) -> int:
        return len(self.data.which)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        data, kept = self.data, self.kept[place]
        parts = {
            "images": data.images[data.which[place]],
            "boxes": data.boxes[place][kept],
            "expressions": data.expressions[place][kept],
            "captions": data.captions[place, 0],
        }
        return {name: torch.from_numpy(np.array(part)) for name, part in parts.items()}


def collate(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A micro-batch: images and captions stacked, boxes and their texts end to end with the image that each lies on."""
    counts = torch.tensor([len(item["boxes"]) for item in items])
    stacked = {name: torch.stack([item[name] for item in items]) for name in ("images", "captions")}
    ended = {name: torch.cat([item[name] for item in items]) for name in ("boxes", "expressions")}
    return stacked | ended | {"image": torch.repeat_interleave(torch.arange(len(items)), counts)}


@dataclass
class Losses:
    """What each forward lost, in order; NaN for the region loss of a forward without boxes."""

    region: list[float]
    whole: list[float]


class RegionTrainer(Trainer):
    """The region training as a Trainer: the loss of a micro-batch, its probes, and the held-out evaluation."""

    def __init__(self, params: dict[str, Any], model: PlainRegionCLIP, **kwargs: Any) -> None:
        super().__init__(model=model, **kwargs)
        self.params, self.network = params, model
        self.bank = MemoryBank(params["bank_size"], params["bank_warmup"], model.dim)
        self.losses, self.final = Losses([], []), dict[str, float]()
        self._probes: defaultdict[str, list[float]] = defaultdict(list)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """FG-CLIP's image-text and region losses of a micro-batch, weighted."""
        regions, texts, images, captions = model(**inputs)
        logits = model.clip.logit_scale.float().exp() * images @ captions.T
        whole = contrastive_loss(logits, logits.T)
        loss, region = self.params["global_weight"] * whole, None
        if len(regions):
            region = self._region_loss(model, regions, texts)
            loss = loss + self.params["region_weight"] * region
        self._note(regions, region, whole)
        return loss

    def _region_loss(self, model: Any, regions: Tensor, texts: Tensor) -> Tensor:
        """Against the micro-batch's own pairs and the bank's, which then takes them in."""
        forward = len(self.losses.whole)
        past_images, past_texts = self.bank.negatives(forward)
        scale = model.spread * model.region_logit_scale.float().exp()
        logits_i2t = scale * regions @ torch.cat([texts, past_texts]).T
        logits_t2i = scale * texts @ torch.cat([regions, past_images]).T
        self.bank.enqueue(forward, regions, texts)
        self._probe(logits_i2t.detach(), regions.detach(), model.region_logit_scale.detach().float())
        return contrastive_loss(logits_i2t, logits_t2i)

    def _probe(self, logits: Tensor, regions: Tensor, scale: Tensor) -> None:
        """What the region loss was computed from."""
        own, norms, candidates = logits[:, : len(logits)], regions.norm(dim=1), logits.shape[1]
        values = {
            "logit_scale/log": scale, "logit_scale/exp": scale.exp(),
            "image_norm/min": norms.min(), "image_norm/max": norms.max(), "image_norm/mean": norms.mean(),
            "image_norm/std": _std(norms), "image_norm/zeros": (norms == 0).sum(),
            "logits_i2t/min": own.min(), "logits_i2t/max": own.max(), "logits_i2t/range": own.max() - own.min(),
            "logits_i2t/mean": own.mean(), "logits_i2t/std": _std(own),
        }  # fmt: skip
        for name, value in values.items():
            self._probes[name].append(value.item())
        self._probes["train/candidates"].append(candidates)
        self._probes["train/chance_loss"].append(math.log(candidates))

    def _note(self, regions: Tensor, region: Tensor | None, whole: Tensor) -> None:
        self.losses.whole.append(whole.item())
        self.losses.region.append(math.nan if region is None else region.item())
        probes, bank = self._probes, self.bank
        probes["train/global_loss"].append(self.losses.whole[-1])
        if region is not None:
            probes["train/region_loss"].append(self.losses.region[-1])
            if (chance := probes["train/chance_loss"][-1]) > 0:
                probes["train/region_loss_over_chance"].append(self.losses.region[-1] / chance)
        for name, value in {"ptr": bank.ptr, "full": bank.full, "size": bank.size}.items():
            probes[f"bank/{name}"].append(float(value))
        probes["train/valid_boxes"].append(len(regions))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """With a step's losses go the means of its forwards' probes."""
        means = {name: sum(values) / len(values) for name, values in self._probes.items()} if "loss" in logs else {}
        if means:
            self._probes.clear()
        super().log({**logs, **means}, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out evaluation, logged."""
        self.network.eval()
        self.final = evaluate(self.network, self.params)
        self.network.train()
        self.log(dict(self.final))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, self.final)
        return self.final


def _std(values: Tensor) -> Tensor:
    return values.std(correction=min(1, values.numel() - 1))


class EvaluateEvery(TrainerCallback):
    """Evaluate at the end of the step in which a multiple of so many forwards is reached, and at the end of training."""

    def __init__(self, forwards: int) -> None:
        self.forwards = forwards

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for it."""
        done = state.global_step * args.gradient_accumulation_steps
        passed = self.forwards and done // self.forwards > (done - args.gradient_accumulation_steps) // self.forwards
        control.should_evaluate = bool(passed) or state.global_step >= state.max_steps


def make_model(params: Mapping[str, Any], attention: str) -> PlainRegionCLIP:
    """The model before the first step, in the training's precision."""
    model = PlainRegionCLIP(load_start(params), params["logit_scale_init"], params["cosine_spread"], inputs_of(params).pixels)
    model.clip.set_attn_implementation(attention)
    return model.to(torch.bfloat16 if params["precision"] == "bf16" else torch.float32)


def train_trial(
    params: dict[str, Any], data: TrainingSet, seed: int, folder: Path, attention: str = "sdpa", report_to: str = "none"
) -> RegionTrainer:
    """Train once; the trainer has the losses of each forward and the final metrics.

    Args:
        params: resolved.
        data: the seed's, in its order.
        folder: where Trainer would write.
        attention: transformers' implementation.
        report_to: `mlflow` or `none`.
    """
    model = make_model(params, attention)
    trainer = RegionTrainer(
        params,
        model,
        args=_arguments(params, seed, folder, report_to),
        data_collator=collate,
        train_dataset=Images(data, params),
        callbacks=[EvaluateEvery(params["eval_every"])],
        optimizers=(MasterAdamW(model, params["lr"], params["weight_decay"]), None),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def _arguments(params: Mapping[str, Any], seed: int, folder: Path, report_to: str) -> TrainingArguments:
    """The training in a Trainer's words: as it stands, without schedule, clipping, checkpoints or shuffling."""
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=params["batch_size"],
        gradient_accumulation_steps=params["gradient_accumulation"],
        num_train_epochs=1,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,  # no clipping; the norm is logged all the same
        logging_steps=1,
        save_strategy="no",
        train_sampling_strategy="sequential",  # the set is in the seed's order
        remove_unused_columns=False,
        disable_tqdm=True,
        use_cpu=True,
        seed=seed,
        report_to=report_to,
    )
