"""What is known of a worker that is gone, as the error of the run that it trained."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from ablate.engines.memory import GIB
from ablate.engines.pulse import EACH, Trace

#: Of what a worker wrote to stderr, the last so many lines are kept, of so many characters.
LINES, WIDTH = 8, 200
#: Seconds that a process has to end itself, once its training hangs, before it counts as frozen.
GRACE = 5.0


def lost(said: str, trace: Trace | None, stderr: Sequence[str] = (), hung: bool = False, deadline: float = 0.0) -> str:
    """What became of a worker, in the form of a traceback: what is known above, and the reason on the last line.

    Args:
        said: what ray says of it, the name of its error included.
        trace: what it left.
        stderr: what it wrote last.
        hung: whether it was killed because it gave no sign of life.
        deadline: seconds that it had for the next one.
    """
    parts = [trace.traceback] if trace and trace.traceback else []
    if (trace and trace.hung) or hung:
        where = trace.place if trace and trace.place else "its process was frozen, or could not say where it was"
        remedy = "if it logs nothing for that long when well, raise resources.progress_deadline"
        return "\n".join([*parts, f"no progress for {deadline:g} s: {where}; {remedy}"])
    if stderr and not parts:
        parts = ["The last it wrote to stderr:", *(f"  {line[:WIDTH]}" for line in stderr[-LINES:])]
    return "\n".join([*parts, _why(said, trace)])


def _why(said: str, trace: Trace | None) -> str:
    if "OutOfMemory" in said:
        used = re.search(r"Memory usage (\d+)B .* of (\d+)B limit", said)
        figures = f" ({int(used[1]) / GIB:.1f} of {int(used[2]) / GIB:.1f} GiB in use)" if used else ""
        return f"the worker process was killed as the machine ran out of memory{figures}; give fewer --workers"
    if trace and trace.fatal:
        return f"the worker process died while training this run: {trace.fatal}"
    known = re.search(r"exit code (?!2\. End)-?\d+|signal \d+|node .* (?:died|was terminated|is dead)", said)
    known_as = known[0] if known else "it was killed or left at once; for one, the system kills where memory runs out"
    return f"the worker process died while training this run ({known_as})"


class Vigil:
    """Whether a process on this machine still gives a sign of life: one that was stopped can't end itself.

    It counts by a clock of its own, which stands still while the machine sleeps.

    Args:
        path: of the file that the process touches.
        deadline: seconds that it may leave it.
    """

    def __init__(self, path: Path, deadline: float) -> None:
        self._path, self._limit = path, deadline + EACH + min(GRACE, deadline)
        self._seen, self._since = -1, time.monotonic()

    def over(self) -> bool:
        """Whether the time is over; never before the process began."""
        try:
            seen = self._path.stat().st_mtime_ns
        except OSError:
            seen = -1
        if seen != self._seen or seen == -1:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > self._limit
