"""AdamW for weights in bf16, as a torch optimizer that a transformers `Trainer` takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class MasterAdamW(torch.optim.AdamW):
    """AdamW whose update goes to float32 copies, from which the weights are rounded (Micikevicius et al. 2018, sec. 3.1).

    A Trainer has none for weights in bf16, and without the copies steps as small as these are lost. Weights in float32 are
    their own copies. Vectors and scales are not decayed.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float) -> None:
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.masters: list[Tensor] = [
            weight if weight.dtype == torch.float32 else nn.Parameter(weight.detach().float()) for weight in self.weights
        ]
        matrices = [master for master in self.masters if master.ndim > 1]
        others = [master for master in self.masters if master.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        super().__init__(groups, lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update copies and weights from the weights' gradients."""
        for weight, master in zip(self.weights, self.masters, strict=True):
            if weight is not master:
                master.grad = None if weight.grad is None else weight.grad.float()
        super().step(closure)
        for weight, master in zip(self.weights, self.masters, strict=True):
            if weight is not master:
                weight.copy_(master)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of weights and copies."""
        super().zero_grad(set_to_none)
        for weight in self.weights:
            weight.grad = None
