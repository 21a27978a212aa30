"""Ways to take the same optimizer steps: forward by forward, folded, in fixed shapes, compiled, and replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ablate.run import Run
from ablate.targets.region_clip.loop import make_bank, make_model
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.trainer import Trainer
from benchmarks.onegpu.frames import Frame, frames, shape_of
from benchmarks.onegpu.setting import ACCUMULATION, WINDOWS, Setting
from benchmarks.onegpu.static import StaticLoss


class Program(Protocol):
    """A training that steps."""

    def step(self, place: int) -> Tensor:
        """Take the optimizer step of this place, counted from 0; its loss, still on the device."""
        ...


class Eager:
    """The training as ablate runs it: `Trainer` over whole windows, or forward by forward."""

    def __init__(self, of: Setting, apart: bool = False) -> None:
        params, device = of.params, of.device
        model = make_model(params, device).train()
        optimizer, bank = Optimizer(model, params["lr"], params["weight_decay"]), make_bank(params, model.dim, device)
        self.trainer = Trainer(params, model, optimizer, bank, Probes(Run(of.seed), "off"))
        each = of.windows(1 if apart else ACCUMULATION)
        self.parts = [each[start : start + len(each) // WINDOWS] for start in range(0, len(each), len(each) // WINDOWS)]
        self.loss = torch.zeros((), device=device)

    def step(self, place: int) -> Tensor:
        """See `Program`."""
        self.loss = torch.zeros_like(self.loss)
        forward = place * ACCUMULATION
        for window in self.parts[place % WINDOWS]:
            forwards = range(forward, forward + len(window.sizes))
            loss = self.trainer.loss(window, forwards, place)
            assert loss is not None
            (loss / ACCUMULATION).backward()
            self.loss += loss.detach() / ACCUMULATION
            forward = forwards.stop
        norm = self.trainer.optimizer.step()
        self.trainer.probes.flush(range(place * ACCUMULATION, forward), norm)
        return self.loss


class Fixed(Protocol):
    """A program whose every step is the same work on the same memory, after its input was laid there.

    Attributes:
        frames: of all places.
        input: where a step takes its frame from.
        loss: the last step's; of all trainings, where there are several.
    """

    frames: list[Frame]
    input: Frame
    loss: Tensor

    def load(self, place: int) -> None:
        """Lay out a place's frame."""
        for to, part in zip(self.input, frame_at(self.frames, place), strict=True):
            to.copy_(part)

    def step(self, place: int) -> Tensor:
        """See `Program`."""
        self.load(place)
        self.work()
        return self.loss.clone()

    def work(self) -> None:
        """Take the step."""
        ...

    def rewind(self) -> None:
        """Start again."""
        ...


def frame_at(each: Sequence[Frame], place: int) -> Frame:
    """The first windows once, then those with the bank as they left it for ever."""
    return each[place if place < WINDOWS else WINDOWS + place % WINDOWS]


class Static(Fixed):
    """Fixed shapes, one training; compiled where a backend is named."""

    def __init__(self, of: Setting, backend: str = "") -> None:
        torch._dynamo.reset()
        self.module = StaticLoss(of)
        self.losses: Callable[..., tuple[Tensor, Tensor, Tensor]] = self.module
        if backend:
            self.losses = torch.compile(self.module, backend=backend, fullgraph=True, dynamic=False)
        self.optimizer = Optimizer(self.module.model, of.params["lr"], of.params["weight_decay"])
        self.weights = [weight for flat in self.optimizer.flats for weight in flat.weights]
        self.start = [weight.detach().clone() for weight in self.weights]
        self.frames = frames(of, shape_of([of]))
        self.input = Frame(*(part.clone() for part in self.frames[0]))
        self.bank = [torch.zeros(of.params["bank_size"], self.module.model.dim, device=of.device) for _ in range(2)]
        self.loss = torch.zeros((), device=of.device)

    def work(self) -> None:
        """See `Fixed`."""
        loss, *bank = self.losses(*self.input, *self.bank)
        loss.backward()
        self.optimizer.step()
        for to, part in zip([*self.bank, self.loss], [*bank, loss.detach()], strict=True):
            to.copy_(part)

    @torch.no_grad()
    def rewind(self) -> None:
        """See `Fixed`."""
        for weight, start in zip(self.weights, self.start, strict=True):
            weight.copy_(start)
        for flat in self.optimizer.flats:
            flat.masters.copy_(flat.values)
            forget([flat.first, flat.second, flat.steps])
        forget(self.bank)


def forget(values: Iterable[Tensor]) -> None:
    """Set to zero where they lie."""
    for value in values:
        value.zero_()


class Graphed:
    """A program's step captured once and replayed: no kernel is launched by the host any more."""

    def __init__(self, program: Fixed) -> None:
        self.program = program
        program.load(0)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # what is allocated or tuned once must not be captured
                program.work()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            program.work()
        program.rewind()

    def step(self, place: int) -> Tensor:
        """See `Program`."""
        self.program.load(place)
        self.graph.replay()
        return self.program.loss.clone()
