"""A device that has no memory left: how it is told, what was used at most, and how it is freed.

Nothing here imports torch: a target that has found a device full has imported it.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

GIB = 2**30


def is_short(raised: BaseException) -> bool:
    """Whether a training ended because its device had no memory left."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(raised, torch.OutOfMemoryError)


def watch() -> None:
    """Count the peak from here."""
    cuda = _cuda()
    if cuda and cuda.is_initialized():
        cuda.reset_peak_memory_stats()


def peak() -> str:
    """What was used at most since `watch`: `the peak was 70.8 of 79.1 GiB`."""
    cuda = _cuda()
    if not cuda:
        return "the peak is not known: torch sees no CUDA device"
    free, whole = cuda.mem_get_info()
    others = whole - free - cuda.memory_reserved()
    return f"the peak was {cuda.max_memory_allocated() / GIB:.1f} of {whole / GIB:.1f} GiB" + (
        f", {others / GIB:.1f} GiB of them others'" if others > GIB / 2 else ""
    )


def free() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if cuda := _cuda():
        cuda.empty_cache()


def _cuda() -> Any:
    """torch's module of that name where it is imported and sees a device, else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
