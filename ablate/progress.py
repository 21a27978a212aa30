"""The progress display, on stderr: each arm's state and the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ablate.design import Plan, PlannedRun
from ablate.records import Record, Records, outcome_of

#: Seconds between lines where stderr is no terminal.
QUIET = 15.0


class Progress:
    """Shows how a study goes, as the driver's `Watcher`. Used as a context manager."""

    def __init__(self, plan: Plan, records: Records, console: Console | None = None) -> None:
        self._plan, self._records, self._name = plan, records, _name(plan)
        self._console = console or Console(stderr=True)
        self._planned: Counter[str] = Counter()
        self._count_planned()
        self._running: dict[str, PlannedRun] = {}
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._outcomes: dict[str, list[float]] = {}
        self._clock = self._said = time.monotonic()
        self._trained = self._said_at = 0
        self._note = ""
        for run in plan.runs:
            record = records.load_one(run.id)
            if record and record.state != "failed":
                self._count(run, record)
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        )
        self._bar = self._bars.add_task(self._name, total=plan.planned, completed=sum(self._done.values()), left="")
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=4, transient=False)

    def __enter__(self) -> Progress:
        self._clock = time.monotonic()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._records.mark_running([])
        if self._console.is_terminal:
            self._live.stop()
        elif self._trained > self._said_at:
            self._line()

    def replan(self, plan: Plan) -> None:
        """Go on with a plan that has more swept values."""
        self._plan = plan
        self._count_planned()
        self._bars.update(self._bar, total=plan.planned)

    def preparing(self) -> None:
        """The target makes what its runs share."""
        self._note = "preparing what all runs share (cached after the first time)"
        if not self._console.is_terminal:
            self._console.print(f"{self._name}: {self._note}")

    def started(self, run: PlannedRun) -> None:
        if self._note:
            self._note, self._clock = "", time.monotonic()
        self._running[run.id] = run
        self._records.mark_running(list(self._running))

    def ended(self, run: PlannedRun, record: Record) -> None:
        self._running.pop(run.id, None)
        self._records.mark_running(list(self._running))
        self._trained += 1
        self._count(run, record)
        self._bars.update(self._bar, completed=sum(self._done.values()) + sum(self._failed.values()), left=self._left())
        if not self._console.is_terminal and time.monotonic() - self._said > QUIET:
            self._line()

    def _count(self, run: PlannedRun, record: Record) -> None:
        if run.aside:
            return
        group = self._group(run)
        if record.state == "failed":
            self._failed[group] += 1
            return
        self._done[group] += 1
        self._outcomes.setdefault(group, []).append(outcome_of(record, self._plan.study.outcome.metric))

    def _count_planned(self) -> None:
        """Runs a line; those whose values are still to be picked stand with their sweep."""
        self._planned = Counter(self._group(run) for run in self._plan.runs)
        for name, runs in self._plan.to_ask.items():
            self._planned[f"{name} sweep"] += runs

    def _group(self, run: PlannedRun) -> str:
        """The line a run is counted on: its arm, or its sweep."""
        arm = run.cell.id in self._plan.arms.values() or self._plan.context_of(run.cell.id) or "=" not in run.cell.label
        return run.cell.label if arm else run.cell.label.partition("=")[0] + " sweep"

    def _left(self) -> str:
        if not self._trained:
            return ""
        left = self._plan.planned - sum(self._done.values()) - sum(self._failed.values())
        seconds = round((time.monotonic() - self._clock) / self._trained * left)
        return f"{seconds // 60}:{seconds % 60:02d} left"

    def _line(self) -> None:
        self._said, self._said_at = time.monotonic(), self._trained
        done, failed = sum(self._done.values()), sum(self._failed.values())
        text = f"{self._name}: {done} of {self._plan.planned} runs done"
        text += f", {failed} failed" if failed else ""
        left = self._left()
        self._console.print(text + (f", {left}" if left and done + failed < self._plan.planned else ""))

    def _render(self) -> Group:
        metric = self._plan.study.outcome.metric
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name, side in (("arm", "left"), ("done", "right"), ("", "left"), (metric, "right")):
            table.add_column(name, justify=side)  # type: ignore[arg-type]
        running = Counter(self._group(run) for run in self._running.values())
        for group, planned in self._planned.items():
            values = self._outcomes.get(group, [])
            mean = f"{sum(values) / len(values):.4g}" if values and not group.endswith(" sweep") else ""
            state = [f"{running[group]} training"] if running[group] else []
            state += [f"[red]{self._failed[group]} failed[/red]"] if self._failed[group] else []
            table.add_row(Text(group), f"{self._done[group]}/{planned}", ", ".join(state), mean)
        note = [Text(self._note, style="yellow")] if self._note else []
        return Group(table, self._bars, *note)


def _name(plan: Plan) -> str:
    """The study's name, with the look that is trained for where it may stop early."""
    if plan.looks is None:
        return plan.name
    return f"{plan.name}, look {plan.looks.seeds.index(plan.seeds) + 1} of {len(plan.looks.seeds)} ({plan.seeds} seeds)"
