"""The least time that a step can take on a device: the larger of its arithmetic and its traffic at the rates measured there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.onegpu.programs import Eager
from benchmarks.onegpu.setting import Setting

#: Bytes a weight moves a step: read forward and backward; its gradient written and read; the float32 weight and AdamW's two
#: moments read and written; and, in bf16, the rounded weight written.
BYTES_A_WEIGHT = {"bf16": 2 * 2 + 2 * 2 + 3 * 8 + 2, "fp32": 2 * 4 + 2 * 4 + 3 * 8}


@dataclass(frozen=True)
class Floor:
    """What a step must do, and how fast the device does it: operations and bytes a step, and both a second."""

    flops: float
    traffic: float
    rate: float
    bandwidth: float

    @property
    def seconds(self) -> float:
        """Of one step."""
        return max(self.flops / self.rate, self.traffic / self.bandwidth)


def floor_of(of: Setting) -> Floor:
    """Of the folded step, without any padding: multiplications and additions of its products and attention, backward pass
    included, and weights (`BYTES_A_WEIGHT`) and what is kept for the backward pass, written and read once."""
    program = Eager(of)
    with FlopCounterMode(display=False) as counter:
        program.step(0)
    weights = sum(weight.numel() for flat in program.trainer.optimizer.flats for weight in flat.weights)
    kept = kept_bytes(program)
    dtype = torch.bfloat16 if of.params["precision"] == "bf16" else torch.float32
    traffic = BYTES_A_WEIGHT[of.params["precision"]] * weights + 2 * kept
    return Floor(counter.get_total_flops(), traffic, matrix_rate(of.device, dtype), bandwidth(of.device))


def kept_bytes(program: Eager) -> int:
    """Bytes that a step keeps for its backward pass, the weights apart."""
    known = {weight.untyped_storage().data_ptr() for weight in program.trainer.model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        program.step(1)
    return sum(kept.values())


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large square product, the best of several."""
    side = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / _least(lambda: a @ b, device)


def bandwidth(device: torch.device) -> float:
    """Bytes a second of a large copy, read and written, the best of several."""
    source = torch.ones((1 << 30) if device.type == "cuda" else (1 << 26), dtype=torch.uint8, device=device)
    to = torch.empty_like(source)
    return 2 * source.numel() / _least(lambda: to.copy_(source), device)


def _least(work: Callable[[], object], device: torch.device) -> float:
    taken = []
    for _ in range(12):
        start = now(device)
        work()
        taken.append(now(device) - start)
    return min(taken)


def now(device: torch.device) -> float:
    """Seconds, once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
