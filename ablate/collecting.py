"""When Python's collector of cycles looks for garbage, and when it has no use to."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Without the collector: where very many objects are made that stay, it goes through all of them, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    """While modules are imported: what they hold stays, so that no later collection need look at it either. Without this a worker
    takes a quarter longer to import torch and transformers."""
    with no_collection():
        yield
    gc.freeze()
