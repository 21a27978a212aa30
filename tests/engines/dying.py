"""Trainings that end badly, for the engines' tests."""

import os
import signal


def train(params, run):
    if params.get("die") and not os.path.exists(params["die"]):
        open(params["die"], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if params.get("raise"):
        raise ValueError("planted fault")
    if params.get("exit"):
        raise SystemExit(3)
    run.log_metrics({"pid": os.getpid()}, 0)
    return {"score": params.get("score", float(run.seed))}
