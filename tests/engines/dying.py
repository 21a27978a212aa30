"""Trainings that end badly, for the engines' tests."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from ablate.errors import BadInput
from ablate.run import Diverged


def train(params, run):
    if params.get("die") and not os.path.exists(params["die"]):
        open(params["die"], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if params.get("raise") and first(params["raise"]):
        raise ValueError("planted fault")
    if params.get("exit"):
        raise SystemExit(3)
    if params.get("input"):
        raise BadInput("depth: -1 must be at least 1")
    for name in ("crash", "leave", "stuck", "frozen"):
        if params.get(name) and first(params[name]):
            END[name]()
    for step in range(params.get("slow", 0)):
        time.sleep(0.1)
        run.log_metrics({"loss": 1.0}, step)
    if params.get("diverge"):
        run.log_metrics({"loss": 2.0}, 3)
        raise Diverged("loss is nan", 4)
    if params.get("crowded"):
        crowded(Path(params["crowded"]))
    run.log_metrics({"pid": os.getpid()}, 0)
    return {"score": params.get("score", float(run.seed))}


def first(mark):
    """Whether this is the first to come by; always, where there is no file to mark it."""
    if mark is True:
        return True
    try:
        open(mark, "x").close()
    except FileExistsError:
        return False
    return True


def stuck():
    """Waits in a library that holds the interpreter's lock."""
    ctypes.PyDLL(None).sleep(600)


def leave():
    print("a last word", file=sys.stderr, flush=True)
    os._exit(7)


END = {
    "crash": lambda: ctypes.string_at(0),
    "leave": leave,
    "stuck": stuck,
    "frozen": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def crowded(folder):
    """Finds no memory on its device unless it is alone there."""
    import torch

    mine = folder / f"{os.getpid()}"
    mine.touch()
    time.sleep(0.3)
    others = len(list(folder.iterdir())) - 1
    mine.unlink()
    if others or (folder / "never").exists():
        raise torch.OutOfMemoryError("CUDA out of memory.")
