"""Arms by seeds as one batched program: the weights of many trainings stacked, and one step for all of them (`torch.func`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.onegpu.frames import Frame, frames, shape_of
from benchmarks.onegpu.programs import Fixed, forget
from benchmarks.onegpu.setting import Setting
from benchmarks.onegpu.static import StaticLoss

State = dict[str, Tensor]


class Stacked(Fixed):
    """Trainings that differ in their params or seeds, but not in the model's size or what a window may hold.

    Args:
        of: the trainings.
    """

    def __init__(self, of: Sequence[Setting]) -> None:
        modules, first = [StaticLoss(each) for each in of], of[0]
        weights, self.buffers = stack_module_state(modules)
        self.base, self.dtype = modules[0], {name: weight.dtype for name, weight in weights.items()}
        self.masters = {name: weight.detach().float().requires_grad_() for name, weight in weights.items()}
        self.start = {name: master.detach().to("cpu", copy=True) for name, master in self.masters.items()}
        self.optimizer = _adam(self.masters, first)
        shape = shape_of(of)
        each = zip(*(frames(one, shape) for one in of), strict=True)
        self.frames = [Frame(*map(torch.stack, zip(*place, strict=True))) for place in each]
        self.input = Frame(*(part.clone() for part in self.frames[0]))
        size = len(of), first.params["bank_size"], self.base.model.dim
        self.bank = [torch.zeros(size, device=first.device) for _ in range(2)]
        self.loss = torch.zeros(len(of), device=first.device)

    def work(self) -> None:
        """See `Fixed`."""
        weights = {name: master.to(self.dtype[name]) for name, master in self.masters.items()}
        losses, *bank = vmap(self._one)(weights, self.buffers, self.input, self.bank)
        losses.sum().backward()  # no training sees another's weights, so each gets its own gradient
        self.optimizer.step()
        self.optimizer.zero_grad()
        for to, part in zip([*self.bank, self.loss], [*bank, losses.detach()], strict=True):
            to.copy_(part)

    def _one(self, weights: State, buffers: State, frame: Frame, bank: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = functional_call(self.base, (weights, buffers), (*frame, *bank))
        return found

    @torch.no_grad()
    def rewind(self) -> None:
        """See `Fixed`."""
        for name, master in self.masters.items():
            master.copy_(self.start[name])
        forget(part for state in self.optimizer.state.values() for part in state.values())
        forget(self.bank)


def _adam(masters: State, of: Setting) -> torch.optim.Optimizer:
    """`ablate.targets.region_clip.optimizer.Optimizer`'s; a stacked vector has two dimensions, and is not decayed either."""
    matrices = [master for master in masters.values() if master.ndim > 2]
    others = [master for master in masters.values() if master.ndim <= 2]
    groups = [{"params": matrices, "weight_decay": of.params["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=of.params["lr"], fused=True, capturable=True)
