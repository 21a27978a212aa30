"""A run from its start to its final metrics."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ablate.run import Run
from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import TrainingSet, Window, training_set, windows
from ablate.targets.region_clip.evaluate import evaluate, evaluate_start, held_out
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.pictures import pictures
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.settings import shares
from ablate.targets.region_clip.start import load_start, start_path
from ablate.targets.region_clip.trainer import Trainer
from ablate.targets.region_clip.trunk import Snapshot, Trunk, generators, on_host, set_generators, size_of

#: Where this process's runs leave what they have in common.
TRUNK = Trunk()

#: Bytes of a copy that are written and read again in a second: where that takes longer than what was trained, none is made.
PACE = 5e8


def train(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Fine-tune from the start and return the final metrics. `params` are resolved (see `settings`)."""
    torch.set_num_threads(1)  # a worker a core is faster than a worker on two, and the order of sums stays fixed
    torch.manual_seed(run.seed)
    training = Training(params, run)
    training.begin()
    for window in run.timed("data", training.windows()):
        training.share()
        training.step(window)
    return training.end()


class Training:
    """One run: what it is made of, and how far it has come.

    Attributes:
        forward: how many forwards are done.
        steps: how many optimizer steps.
        first_step: the step in which the bank's pointer first grew; NaN before.
    """

    def __init__(self, params: Mapping[str, Any], run: Run) -> None:
        self.params, self.run, self.device = params, run, torch.device(run.device)
        with run.phase("model"):
            self.model = make_model(params, self.device).train()
            self.bank = make_bank(params, self.model.dim, self.device)
            self.optimizer = Optimizer(self.model, params["lr"], params["weight_decay"])
        with run.phase("data"):
            self.data, self.held = training_set(params, run.seed), held_out(params)
        self._trainer = Trainer(params, self.model, self.optimizer, self.bank, Probes(run, params["probes"]))
        self.forward, self.steps, self.first_step = 0, 0, math.nan
        self._point, self._since = shares(params).point, time.perf_counter()

    def begin(self) -> None:
        """What is known before the first step; or go on from where another run of the family came to."""
        _log_faults(self.data, self.run)
        if trunk := TRUNK.find(self.run.family, self._point, self.run.followed):
            with self.run.phase("sharing"):
                self.restore(trunk)
            return
        precision = self.params["precision"]
        with self.run.phase("evaluation"):
            found = evaluate_start(self.model, self.held, start_path(self.params), precision)
        self.run.log_metrics(found, 0)

    def share(self) -> None:
        """Leave a copy of the run where it parts from the others of its family, if one is to come."""
        if self.run.family and self.run.followed and self.run.shared < self.forward == self._point:
            with self.run.phase("sharing"):
                size = size_of(self._state())
                if self._seconds > size / PACE:
                    TRUNK.keep(self.run.family, size, self.snapshot)

    def _state(self) -> dict[str, Any]:
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state(), "bank": self.bank.state()}
        return {**parts, "first_step": self.first_step}

    def snapshot(self) -> Snapshot:
        """The run as it is now, between two windows."""
        seconds, drawn, points = self._seconds, generators(self.device), tuple(self.run.points)
        return Snapshot(self.forward, self.steps, on_host(self._state()), drawn, points, seconds)

    @property
    def _seconds(self) -> float:
        """That the training has taken so far, what was taken over included."""
        return self.run.shared_seconds + time.perf_counter() - self._since

    def restore(self, trunk: Snapshot) -> None:
        """Go on from a copy, in place of the start."""
        self.model.load_state_dict(trunk.state["model"])
        self.optimizer.load(trunk.state["optimizer"])
        self.bank.load(trunk.state["bank"])
        self.forward, self.steps, self.first_step = trunk.forward, trunk.steps, trunk.state["first_step"]
        set_generators(self.device, trunk.generators)
        self.run.take_over(trunk.points, trunk.forward, trunk.seconds)

    def windows(self) -> Iterator[Window]:
        """The windows that are still to be trained on, in order."""
        params, rule = self.params, (self.params["box_filter"], self.params["min_box_area"])
        sizes = params["batch_size"], params["gradient_accumulation"]
        yield from windows(self.data, *sizes, *rule, self.model.side, self.device, self.forward, pictures(self.data, self.model))

    def step(self, window: Window) -> None:
        """One optimizer step, and an evaluation where one is due; the last one is left to `end`."""
        forwards = range(self.forward, self.forward + len(window.sizes))
        self.run.steps = forwards.stop
        self._trainer.step(window, forwards, self.steps)
        if math.isnan(self.first_step) and (self.bank.ptr or self.bank.full):
            self.first_step = self.steps
        if _passes(forwards, self.params["eval_every"]) and forwards.stop < self.params["forwards"]:
            with self.run.phase("evaluation"):
                found = evaluate(self.model, self.held)
            self.run.log_metrics(found, forwards.stop)
        self.forward, self.steps = forwards.stop, self.steps + 1

    def end(self) -> dict[str, float]:
        """The final metrics."""
        with self.run.phase("evaluation"):
            found = evaluate(self.model, self.held)
        self.run.log_metrics(found, self.forward)
        final = {**found, **self.data.quality}
        return final if math.isnan(self.first_step) else {**final, "bank/first_step": self.first_step}


def make_model(params: Mapping[str, Any], device: torch.device) -> RegionCLIP:
    """The model before the first step, in its precision, with what is frozen frozen."""
    model = RegionCLIP(load_start(params), params["logit_scale_init"], params["cosine_spread"], inputs_of(params).pixels)
    clip = model.clip
    for part, key in (
        (clip.vision_model, "train_vision"), (clip.visual_projection, "train_vision"),
        (clip.text_model, "train_text"), (clip.text_projection, "train_text"),
    ):  # fmt: skip
        part.requires_grad_(params[key])
    return model.to(device, torch.bfloat16 if params["precision"] == "bf16" else torch.float32)


def make_bank(params: Mapping[str, Any], dim: int, device: torch.device) -> MemoryBank:
    """The memory bank that the params ask for."""
    skip_zeros = params["bank_zeros"] == "skip"
    return MemoryBank(params["bank_size"], params["bank_warmup"], dim, device, skip_zeros, params["bank_side"])


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
