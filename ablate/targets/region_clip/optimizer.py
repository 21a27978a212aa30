"""AdamW over float32 master weights, so that weights in bf16 learn too, in few long tensors, so that a step is few calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from ablate.targets.region_clip.model import RegionCLIP

#: Of AdamW, as torch has them by default.
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass
class Flat:
    """Weights that lie end to end in one tensor, and AdamW's state of them.

    Attributes:
        weights: views into `values`.
        values: in the weights' precision, [numbers].
        masters: in float32, [numbers]; float32 weights are their own masters.
        first, second: averages of the gradient and of its square, [numbers].
        steps: taken, a float32 scalar.
        decay: weight decay.
    """

    weights: list[Tensor]
    values: Tensor
    masters: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor
    decay: float

    @classmethod
    def of(cls, weights: Sequence[Tensor], decay: float) -> Flat:
        """Move weights of one precision and device into one tensor."""
        values = torch.cat([weight.detach().flatten() for weight in weights])
        masters = values if values.dtype == torch.float32 else values.float()
        steps = torch.zeros((), device=values.device)
        made = cls(list(weights), values, masters, torch.zeros_like(masters), torch.zeros_like(masters), steps, decay)
        made._lay()
        return made

    def _lay(self) -> None:
        for weight, part in zip(self.weights, self.values.split([weight.numel() for weight in self.weights]), strict=True):
            weight.data = part.view(weight.shape)

    def split(self) -> list[Flat]:
        """Those with a gradient and those without apart: AdamW leaves a weight without one as it is, its state too."""
        there = [weight.grad is not None for weight in self.weights]
        if all(there) or not any(there):
            return [self]
        return [self._part([i for i, has in enumerate(there) if has == wanted]) for wanted in (True, False)]

    def _part(self, chosen: Sequence[int]) -> Flat:
        counts = [weight.numel() for weight in self.weights]
        parts = self.values, self.masters, self.first, self.second
        values, masters, first, second = (torch.cat([part.split(counts)[i] for i in chosen]) for part in parts)
        masters = values if self.masters is self.values else masters
        made = Flat([self.weights[i] for i in chosen], values, masters, first, second, self.steps.clone(), self.decay)
        made._lay()
        return made

    def state(self) -> dict[str, Any]:
        """All but the weights."""
        averages = {"first": self.first, "second": self.second, "steps": self.steps}
        return {"decay": self.decay, "masters": self.masters, **averages}

    def gradient(self) -> Tensor:
        """In float32, [numbers]; the weights' own is gone then."""
        found = torch.cat([weight.grad.flatten() for weight in self.weights if weight.grad is not None]).float()
        for weight in self.weights:
            weight.grad = None
        return found

    def step(self, gradient: Tensor, lr: float) -> None:
        """AdamW (Loshchilov and Hutter 2019), then the weights rounded from their masters."""
        adamw(
            [self.masters], [gradient], [self.first], [self.second], [], [self.steps], fused=True, amsgrad=False,
            beta1=BETAS[0], beta2=BETAS[1], lr=lr, weight_decay=self.decay, eps=EPSILON, maximize=False,
        )  # fmt: skip
        if self.masters is not self.values:
            self.values.copy_(self.masters)


class Optimizer:
    """AdamW; vectors and scales are not decayed, as in CLIP's own training.

    A step of 0.001 is lost on a bf16 weight of 1, whose neighbours are 0.004 to 0.008 away. So where weights are bf16 the update
    goes to float32 copies, from which they are rounded again (Micikevicius et al. 2018, sec. 3.1; DeepSpeed's bf16 mode, in
    which FG-CLIP is trained). Float32 weights are their own masters.
    """

    def __init__(self, model: RegionCLIP, lr: float, weight_decay: float) -> None:
        self.lr = lr
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        matrices, others = ([w for w in self._weights if (w.ndim > 1) == matrix] for matrix in (True, False))
        self.flats = [Flat.of(part, decay) for part, decay in ((matrices, weight_decay), (others, 0.0)) if part]

    def state(self) -> dict[str, Any]:
        """Masters and averages, and which weights lie together; `load` takes it."""
        place = {id(weight): i for i, weight in enumerate(self._weights)}
        return {"flats": [{"weights": [place[id(w)] for w in flat.weights], **flat.state()} for flat in self.flats]}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another over the same model. The weights themselves are the model's to load, and before."""
        self.flats = [self._flat(**kept) for kept in state["flats"]]

    def _flat(self, weights: Sequence[int], decay: float, **kept: Tensor) -> Flat:
        flat = Flat.of([self._weights[i] for i in weights], decay)
        for name, values in kept.items():
            getattr(flat, name).copy_(values)
        return flat

    @torch.no_grad()
    def step(self) -> Tensor:
        """Update the weights from their gradients, which are then gone. Returns the gradients' norm, a scalar on the device."""
        self.flats = [part for flat in self.flats for part in flat.split()]
        moved = [(flat, flat.gradient()) for flat in self.flats if flat.weights[0].grad is not None]
        for flat, gradient in moved:
            flat.step(gradient, self.lr)
        if not moved:
            return torch.zeros((), device=self.flats[0].values.device)
        return torch.nn.utils.get_total_norm([gradient for _, gradient in moved])
