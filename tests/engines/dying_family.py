"""The region training, in which a worker is killed once in the middle of a family."""

import os
import signal

from ablate.targets import region_clip


def train(params, run):
    given = dict(params)
    mark = given.pop("mark", None)
    if mark and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return region_clip.train(given, run)
