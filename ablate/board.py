"""The grid of a study in training: a row an arm with a mark a seed, and rows that are counted; cut to fit a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.cells import cell_len
from rich.text import Text

from ablate.design import Plan, PlannedRun, run_id
from ablate.records import Record
from ablate.report.text import clipped, number
from ablate.tables import value_of
from ablate.terminal import MARKS

#: How each state is drawn; its mark tells it without.
STYLES = {"done": "green", "training": "bold cyan", "waiting": "dim", "failed": "bold red", "diverged": "bold magenta"}
#: Columns between columns; names are not cut below the second where marks can make room; columns of an outcome.
GAP, LEAST_NAME, VALUE = 2, 16, 9
LEGEND = Text("  ").join(Text.assemble((mark, STYLES[state]), (f" {state}", "dim")) for state, mark in MARKS.items())


@dataclass(frozen=True)
class Row:
    """Runs that are shown together.

    Attributes:
        runs: their ids; of an arm by seed.
        planned: how many there will be, those of values still to be picked included.
        arm: whether each has a mark; else they are counted.
    """

    name: str
    runs: tuple[str, ...]
    planned: int
    arm: bool = False


@dataclass(frozen=True)
class Board:
    """The rows of a plan."""

    plan: Plan

    @cached_property
    def arms(self) -> tuple[Row, ...]:
        """A row an arm."""
        plan, seeds = self.plan, range(self.plan.seeds)
        return tuple(
            Row(plan.cells[cell].label, tuple(run_id(cell, seed) for seed in seeds), plan.seeds, arm=True)
            for cell in plan.arm_ids()
        )

    @cached_property
    def others(self) -> tuple[Row, ...]:
        """A row a context, a placebo and a sweep; a run that several share stands with the first of them."""
        plan = self.plan
        shown = {run for row in self.arms for run in row.runs}
        names = {given: f"{name} (placebo)" for name, (_, given) in plan.placebos.items()}
        swept = [(cell, name) for name, points in plan.sweeps.items() for point in points for cell in point.cells]
        sweeps = dict(reversed(swept))
        found: dict[str, list[str]] = {}
        for run in (run for run in plan.runs if run.id not in shown):
            context = plan.context_of(run.cell.id)
            name = f"{context} (context)" if context else names.get(run.cell.id) or f"{sweeps[run.cell.id]} (sweep)"
            found.setdefault(name, []).append(run.id)
        asked = {f"{name} (sweep)": runs for name, runs in plan.to_ask.items()}
        named = dict.fromkeys([*found, *asked])
        return tuple(Row(n, tuple(found.get(n, ())), len(found.get(n, ())) + asked.get(n, 0)) for n in named)

    @cached_property
    def checks(self) -> Row:
        """The runs beside the design."""
        runs = tuple(run.id for run in self.plan.checks)
        return Row("checks", runs, len(runs))

    def outcome(self, row: Row, ended: Mapping[str, Record]) -> str:
        """The mean outcome of an arm so far."""
        values = [value_of(ended.get(run), self.plan.study.outcome) for run in row.runs]
        known = [value for value in values if math.isfinite(value)]
        return number(sum(known) / len(known)) if known else ""


@dataclass(frozen=True)
class Frame:
    """What a terminal shows of a board at a moment.

    Args:
        ended: the records of runs that ended, by run id.
        running: the runs in training.
    """

    board: Board
    ended: Mapping[str, Record]
    running: Mapping[str, PlannedRun]

    def lines(self, width: int, height: int) -> list[Text]:
        """The grid in at most so many columns and lines: rows in which nothing is trained go first where it is too long."""
        counted = [*self.board.others, *([self.board.checks] if self._checking else [])]
        others = self._folded(counted, max(2, height // 4), "more sweeps and contexts")
        arms = self._folded(self.board.arms, max(1, height - 1 - len(others)), "more arms")
        columns = self._columns(width)
        lines = [self._head(columns), *(self._line(row, columns, width) for row in (*arms, *others))]
        return [*lines, LEGEND] if len(lines) < height and cell_len(LEGEND.plain) <= width else lines

    @property
    def _checking(self) -> bool:
        return any(run in self.running or run in self.ended for run in self.board.checks.runs)

    def _folded(self, rows: Sequence[Row], room: int, what: str) -> Sequence[Row]:
        """As many rows as there is room for: where not all fit, those in training, and what the others come to."""
        if len(rows) <= room:
            return rows
        shown = [row for row in rows if any(run in self.running for run in row.runs)][: room - 1]
        rest = [row for row in rows if row not in shown]
        runs = tuple(run for row in rest for run in row.runs)
        return [*shown, Row(f"… {len(rest)} {what if shown else what.removeprefix('more ')}", runs, sum(r.planned for r in rest))]

    def _columns(self, width: int) -> tuple[int, int, int, str]:
        """Widths of the name, the marks (0: they are counted) and the outcome (0: none), and what stands between marks."""
        seeds, rows = self.board.plan.seeds, (*self.board.arms, *self.board.others)
        longest = max(cell_len(row.name) for row in rows) + (5 if seeds > 1 else 0)
        for marks, value, between in (
            (2 * seeds - 1, VALUE, " "),
            (seeds, VALUE, ""),
            (seeds, 0, ""),
            (0, VALUE, ""),
            (0, 0, ""),
        ):
            taken = max(marks, 7) + (value + GAP if value else 0) + GAP
            if width - taken >= min(longest, LEAST_NAME):
                return min(longest, width - taken), marks, value, between
        return max(1, width - 7 - GAP), 0, 0, ""

    def _head(self, columns: tuple[int, int, int, str]) -> Text:
        name, marks, value, between = columns
        metric, width = self.board.plan.study.outcome.metric, max(marks, 7)
        seeds = between.join(str(seed % 10) for seed in range(self.board.plan.seeds)) if marks else "done"
        said = f"{'arm':<{name - 4}}seed" if marks and name > 8 else f"{'arm':<{name}}"
        said += f"{'':<{GAP}}{seeds:<{width}}"
        return Text(said + (f"{'':<{GAP}}{clipped(metric, value):>{value}}" if value else ""), style="dim", no_wrap=True)

    def _line(self, row: Row, columns: tuple[int, int, int, str], width: int) -> Text:
        name, marks, value, between = columns
        said = Text(clipped(row.name, name), no_wrap=True)
        said.pad_right(name + GAP - said.cell_len)
        states = [self._state(run) for run in row.runs]
        if row.arm and marks:
            said.append_text(Text(between).join(Text(MARKS[state], STYLES[state]) for state in states))
            said.pad_right(max(0, 7 - marks))
        else:
            said.append_text(_counted(states, row.planned))
        if row.arm and value:
            shown = self.board.outcome(row, self.ended)
            said.pad_right(max(0, name + GAP + max(marks, 7) + GAP + value - len(shown) - said.cell_len))
            said.append(shown)
        said.truncate(width, overflow="crop")
        return said

    def _state(self, run: str) -> str:
        if run in self.running:
            return "training"
        return {"completed": "done"}.get(state := self.ended[run].state, state) if run in self.ended else "waiting"


def _counted(states: Sequence[str], planned: int) -> Text:
    """`12/21 ◐2 ✗1`."""
    counts = Counter(states)
    said = Text(f"{counts['done'] + counts['diverged']}/{planned}")
    for state in ("training", "failed", "diverged"):
        if counts[state]:
            said.append_text(Text.assemble(" ", (f"{MARKS[state]}{counts[state]}", STYLES[state])))
    return said
