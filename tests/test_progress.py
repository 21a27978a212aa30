"""The live display, on a terminal that is a text buffer."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from ablate.engines.base import Result
from ablate.progress import Progress
from ablate.records import Records
from tests.builders import plan


def shown(made, folder: Path, results, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    records = Records(folder)
    with Progress(made, records, console) as progress:
        progress.preparing()
        for run, state, score in results:
            progress.started(run)
            if state:
                metrics = {"score": score} if state == "completed" else {}
                progress.ended(run, records.add(Result(run.id, state, 0.0, 1.0, metrics)))
    return console.file.getvalue()


def test_each_arm_has_its_state_and_the_bar_the_time_left(tmp_path):
    made = plan()
    first, second, third = made.runs[:3]
    last = shown(made, tmp_path, [(first, "completed", 1.5), (second, "failed", 0), (third, None, 0)]).rsplit("arm ", 1)[1]
    lines = {line.split("  ")[0].strip(): line for line in last.splitlines()}
    assert "1/6" in lines[first.cell.label]
    assert "1.5" in lines[first.cell.label]
    assert "1 failed" in lines[second.cell.label]
    assert "1 training" in lines[third.cell.label]
    assert f"2/{len(made.runs)}" in last
    assert " left" in last


def test_without_a_terminal_it_is_a_line_now_and_then(tmp_path):
    made = plan()
    said = shown(made, tmp_path, [(run, "completed", 1.0) for run in made.runs], terminal=False)
    assert said.splitlines()[-1] == f"{made.name}: {len(made.runs)} of {len(made.runs)} runs done"
    assert "preparing" in said


def test_what_was_trained_before_counts_as_done(tmp_path):
    made = plan()
    shown(made, tmp_path, [(run, "completed", 1.0) for run in made.runs[:5]])
    again = shown(made, tmp_path, [(made.runs[5], "completed", 1.0)], terminal=False)
    assert again.splitlines()[-1].startswith(f"{made.name}: 6 of {len(made.runs)} runs done")
