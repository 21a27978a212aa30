"""A target whose workers die while they prepare what its runs share."""

import importlib
import os
import signal

from ablate.target import declare
from tests.engines.dying import first


def prepare(params):
    if "import" in params:
        importlib.import_module(params["import"])
    elif first(params["die"] or True):
        os.kill(os.getpid(), signal.SIGKILL)


@declare(prepare=prepare)
def train(params, run):
    return {"score": 0.0}
