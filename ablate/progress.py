"""The progress display, on stderr: arms by seeds and the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablate.board import Board, Frame
from ablate.design import Plan, PlannedRun
from ablate.display_verdict import provisional_lines
from ablate.engines.base import Retry
from ablate.pace import Pace, about, elapsed
from ablate.provisional import LINE, Blocks, line, provisional
from ablate.records import Record, Records, reason
from ablate.report.text import clipped
from ablate.terminal import stderr

#: Seconds between lines where stderr is no terminal.
QUIET = 15.0
#: Seconds of judging that nobody minds, and the share of a study's time that more may take: of thousands of blocks not each is
#: judged.
AT_ONCE, SHARE = 1.0, 0.01
#: Columns below which the bar stands without the study's name; what its figures take at most, but for the runs.
NARROW, WIDEST = 60, 29


class Progress:
    """Shows how a study goes, as the driver's `Watcher`. Used as a context manager.

    Args:
        plan: what is trained; of a study that may stop early, up to the look it is at.
        records: where its runs are kept.
        console: where it is shown; stderr by default.
        clock: seconds, never running backwards.
    """

    def __init__(
        self, plan: Plan, records: Records, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._clock = _name(plan), clock
        self._console = console or stderr()
        self._board, self._runs = Board(plan), frozenset(run.id for run in plan.runs)
        found = ((run.id, records.load_one(run.id)) for run in plan.runs)
        self._ended = {run: record for run, record in found if record and record.state != "failed"}
        self._running: dict[str, PlannedRun] = {}
        self._blocks = Blocks(plan, self._ended)
        self._seen = provisional(plan, self._ended, self._blocks.complete)
        self._judging = 0.0
        self._begun = self._said = clock()
        self._pace = Pace(self._begun)
        self._trained = self._said_at = 0
        self._preparing = self._stopping = False
        self._over: type[BaseException] | bool = False
        self._lock = threading.Lock()  # the display draws itself from a thread of its own
        self._alive = self._console.is_terminal and self._console.is_interactive and not self._console.is_dumb_terminal
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4, transient=False, vertical_overflow="crop"
        )

    def __enter__(self) -> Progress:
        self._begun = self._clock()
        self._pace.begin(self._begun)
        if self._alive:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._running, self._preparing, self._over = {}, False, kind or True
        if self._alive:
            self._live.stop()
        elif self._trained > self._said_at:
            self._line()

    def replan(self, plan: Plan) -> None:
        """Go on with a plan that has more swept values."""
        with self._lock:
            self._board, self._runs = Board(plan), frozenset(run.id for run in plan.runs)

    def preparing(self) -> None:
        """The target makes what its runs share."""
        self._preparing = True
        if not self._alive:
            self._say(PREPARING)

    def started(self, run: PlannedRun) -> None:
        with self._lock:
            now = self._clock()
            if self._preparing:
                self._preparing = False
                self._pace.begin(now)
            self._running[run.id] = run
            self._pace.started(run.id, now)

    def retried(self, run: PlannedRun, retry: Retry) -> None:
        """An attempt failed, and another is made."""
        with self._lock:
            self._running.pop(run.id, None)
        how = "trained again alone on the device" if retry.alone else "trained again"
        self._say(f"{run.name}: {reason(retry.error)}; {how} ({retry.attempt} of {retry.most} attempts failed)")

    def stopping(self) -> None:
        """Nothing more is begun. It is called from a signal handler, so it waits for no lock."""
        self._stopping = True
        if not self._alive:
            self._say(STOPPING)

    def ended(self, run: PlannedRun, record: Record) -> None:
        with self._lock:
            self._running.pop(run.id, None)
            self._ended[run.id] = record
            self._pace.ended(run.id, self._clock())
        self._trained += 1
        if self._blocks.add(run.id, record) and self._judging <= AT_ONCE + SHARE * (self._clock() - self._begun):
            self._judge()
        if not self._alive and self._clock() - self._said > QUIET:
            self._line()

    def _judge(self) -> None:
        """Judge what there is: another block has become complete."""
        plan, before, begun = self._board.plan, self._seen, self._clock()
        self._seen = provisional(plan, self._ended, self._blocks.complete)
        self._judging += self._clock() - begun
        # A look that is due has a line of its own, and between looks the last one's figures stand.
        if self._seen and not self._alive and not self._seen.at_look and (before is None or self._seen.place != before.place):
            self._say(line(self._seen, max(80, LINE - len(plan.name) - 2)), plan.name)

    def _done(self) -> int:
        return sum(run in self._runs for run in self._ended)

    def _left(self) -> str:
        """`, about 4 min left`; empty until that is known, and once nothing is left."""
        planned = self._board.plan.planned
        running = sum(run in self._runs for run in self._running)
        waiting = planned - self._done() - running
        seconds = self._pace.left(waiting, self._clock()) if waiting + len(self._running) > 0 else None
        return f"about {about(seconds)} left" if seconds is not None else ""

    def _line(self) -> None:
        self._said, self._said_at = self._clock(), self._trained
        states = [record.state for run, record in self._ended.items() if run in self._runs]
        ends = "".join(f", {count} {state}" for state in ("failed", "diverged") if (count := states.count(state)))
        text = f"{self._done() - states.count('failed')} of {self._board.plan.planned} runs done{ends}"
        left = "" if self._stopping else self._left()
        self._say(text + (f", {left}" if left else ""))

    def _say(self, text: str, name: str = "") -> None:
        self._console.print(f"{name or self._name}: {text}", soft_wrap=True, markup=False, highlight=False)

    def _render(self) -> Group:
        with self._lock:
            width, height = self._console.size
            below: list[RenderableType] = [self._bar(width)]
            if self._preparing:
                below.append(Text(f"{PREPARING}, {elapsed(self._clock() - self._begun)}", style="yellow"))
            if self._stopping and not self._over:
                below.append(Text(STOPPING, "bold yellow"))
            if self._seen and self._over is not True:
                below += ["", *provisional_lines(self._seen, width, max(3, height // 3))]
            lines = Frame(self._board, self._ended, self._running).lines(width, max(3, height - 1 - len(below)))
            return Group(*lines, *([""] if len(lines) + len(below) < height - 1 else []), *below)

    def _bar(self, width: int) -> Table:
        planned, done = self._board.plan.planned, self._done()
        parts = [f"{done}/{planned}", elapsed(self._clock() - self._begun)]
        parts.append("stopped" if self._over not in (True, False) else "stopping" if self._stopping else self._left())
        said = "  ".join(filter(None, parts))
        taken = max(len(said), 2 * len(str(planned)) + WIDEST)  # so that the bar keeps its width as the figures change
        name = "" if width < NARROW else clipped(self._name, max(8, (width - taken - 14) // 2))
        room = width - 3 - (len(name) + 2 + taken if name else len(said))
        bar = ProgressBar(total=planned, completed=done, width=max(1, min(40, room)))
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            grid.add_column(no_wrap=True)
        grid.add_row(*([Text(name, "bold")] if name else []), bar, Text(said))
        return grid


STOPPING = "stopping: what is training ends and is kept; Ctrl-C again stops now"
PREPARING = "preparing what all runs share (cached after the first time)"


def _name(plan: Plan) -> str:
    """The study's name, with the look that is trained for where it may stop early."""
    if plan.looks is None:
        return plan.name
    return f"{plan.name}, look {plan.looks.seeds.index(plan.seeds) + 1} of {len(plan.looks.seeds)} ({plan.seeds} seeds)"
