"""AdamW over float32 master weights, so that weights in bf16 learn too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.targets.region_clip.model import RegionCLIP


class Optimizer:
    """AdamW; vectors and scales are not decayed, as in CLIP's own training.

    A step of 0.001 is lost on a bf16 weight of 1, whose neighbours are 0.004 to 0.008 away. So where weights are bf16 the update
    goes to float32 copies, from which they are rounded again (Micikevicius et al. 2018, sec. 3.1; DeepSpeed's bf16 mode, in
    which FG-CLIP is trained). Float32 weights are their own masters.
    """

    def __init__(self, model: RegionCLIP, lr: float, weight_decay: float) -> None:
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.masters: list[Tensor] = [
            weight if weight.dtype == torch.float32 else weight.detach().float().requires_grad_() for weight in self.weights
        ]
        matrices = [master for master in self.masters if master.ndim > 1]
        others = [master for master in self.masters if master.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.adamw = torch.optim.AdamW([group for group in groups if group["params"]], lr=lr, fused=True)

    def state(self) -> dict[str, Any]:
        """The masters and what AdamW keeps of each; `load` takes it."""
        return {"masters": self.masters, "adamw": self.adamw.state_dict()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another over the same model. The weights themselves are the model's to load."""
        for master, kept in zip(self.masters, state["masters"], strict=True):
            master.copy_(kept)
        self.adamw.load_state_dict(copy.deepcopy(state["adamw"]))

    @torch.no_grad()
    def step(self) -> Tensor:
        """Update the weights from their gradients, which are then gone. Returns the gradients' norm, a scalar on the device."""
        for weight, master in zip(self.weights, self.masters, strict=True):
            if weight is not master:
                master.grad = None if weight.grad is None else weight.grad.float()
        grads = [master.grad for master in self.masters if master.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads) if grads else torch.zeros((), device=self.masters[0].device)
        self.adamw.step()
        self._round()
        for weight, master in zip(self.weights, self.masters, strict=True):
            weight.grad = master.grad = None
        return norm

    def _round(self) -> None:
        pairs = [(w, m) for w, m in zip(self.weights, self.masters, strict=True) if w is not m and m.grad is not None]
        if pairs:
            torch._foreach_copy_([weight for weight, _ in pairs], [master for _, master in pairs])
