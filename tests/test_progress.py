"""The live display, on a terminal that is a text buffer, with a clock that the test turns."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ablate.design import Plan, PlannedRun
from ablate.display_verdict import provisional_lines
from ablate.engines.base import Result, Retry
from ablate.progress import Progress
from ablate.provisional import Blocks, line, provisional
from ablate.records import Records
from ablate.report.rows import estimate
from ablate.stages import verdict_at
from ablate.terminal import MARKS
from tests.builders import open_plan, plan

Outcomes = Iterable[tuple[PlannedRun, str | None, float]]


class Sitting:
    """A progress display and what it is told: a second passes with each run."""

    def __init__(self, made: Plan, folder: Path, width: int = 80, height: int = 24, terminal: bool = True) -> None:
        self.made, self.records, self.now = made, Records(folder), 0.0
        self.console = Console(
            file=io.StringIO(), force_terminal=terminal, width=width, height=height, color_system=None, record=True
        )
        self.progress = Progress(made, self.records, self.console, lambda: self.now)

    def carry_out(self, results: Outcomes) -> Sitting:
        """Start each run, and end it where it has a state."""
        for run, state, score in results:
            self.progress.started(run)
            self.now += 1.0
            if state:
                metrics = {"score": score, "mark": float(run.cell.fixes.get("idle", 0))} if state == "completed" else {}
                self.progress.ended(run, self.records.add(Result(run.id, state, 0.0, 1.0, metrics)))
        return self

    def frame(self) -> list[str]:
        """The lines on the screen now."""
        self.console.export_text()
        self.console.print(self.progress._render())
        return self.console.export_text().splitlines()


def scores(runs: Sequence[PlannedRun]) -> Outcomes:
    """Every run with an outcome: `good` gives 2, the seed a bit, and the rest is noise."""
    rng = np.random.default_rng(3)
    return [(run, "completed", 2.0 * run.cell.fixes.get("good", False) + 0.1 * run.seed + rng.normal(scale=0.2)) for run in runs]


def row(lines: Sequence[str], label: str) -> str:
    return next(text for text in lines if re.split(r"\s{2,}", text)[0].strip() == label)


def test_each_run_has_its_mark_and_each_arm_the_mean_so_far(tmp_path):
    made = plan(design={"seeds": 2}, sweeps={"dose": {"param": "helps", "values": [2, 3], "seeds": 2}})
    arms = [run for run in made.runs if run.cell.id in made.arms.values()]
    told = [(arms[0], "completed", 1.0), (arms[8], "completed", 2.0), (arms[1], "failed", 0), (arms[2], "diverged", 0)]
    lines = Sitting(made, tmp_path).carry_out([*told, (arms[3], None, 0), (made.runs[-1], "failed", 0)]).frame()
    assert row(lines, "all off").split()[-3:] == ["●", "●", "1.50"]
    assert [row(lines, run.cell.label).split()[-2:] for run in arms[1:5]] == [["✗", "·"], ["≈", "·"], ["◐", "·"], ["·", "·"]]
    assert row(lines, "dose (sweep)").split()[2:] == ["0/4", "✗1"]
    assert "5/20" in lines[-1] and all(f"{mark} {state}" in lines[-3] for state, mark in MARKS.items())


def test_the_time_left_is_unknown_until_a_run_ended(tmp_path):
    sitting = Sitting(open_plan(design={"seeds": 10}), tmp_path)
    sitting.progress.preparing()
    sitting.now = 300.0
    assert sitting.frame()[-1] == "preparing what all runs share (cached after the first time), 5:00"
    sitting.carry_out([(sitting.made.runs[0], None, 0)])
    assert " left" not in sitting.frame()[-1]
    sitting.now = 319.0
    sitting.carry_out([(sitting.made.runs[0], "completed", 1.0)])
    assert sitting.frame()[-1].endswith("  1/80  5:20  about 27 min left")  # 79 runs of 20 s; preparing is no part of the pace


def wide(fixes: int, long: bool = False, **more) -> Plan:
    names = [f"fix_{i}_{'of_sixty_characters_' * 3}"[:60] if long else f"fix{i}" for i in range(fixes)]
    made = {name: {"off": {f"p{i}": 0}, "on": {f"p{i}": 1}} for i, name in enumerate(names)}
    return open_plan(fixes=made, **more)


@pytest.mark.parametrize(
    ("made", "size", "runs"),
    [
        (wide(3, design={"seeds": 6}, sweeps={"q": {"param": "q", "values": [1, 2], "seeds": 2}}), (80, 24), 20),
        (wide(3, long=True, design={"seeds": 6}), (80, 24), 20),
        (wide(3, long=True, design={"seeds": 12}), (40, 24), 20),
        (wide(7, design={"seeds": 12}), (80, 24), 260),
        (wide(12, design={"seeds": 6, "kind": "fractional"}), (120, 30), 70),
        (wide(1, design={"seeds": 40}), (40, 10), 7),
    ],
    ids=["8 arms", "long names", "narrow", "128 arms", "12 fixes", "40 seeds"],
)
def test_it_fits_the_terminal(made, size, runs, tmp_path):
    sitting = Sitting(made, tmp_path, *size).carry_out(scores(made.runs[:runs])).carry_out([(made.runs[runs], None, 0)])
    lines = sitting.frame()
    assert len(lines) < size[1] and max(map(len, lines)) <= size[0]
    assert any(f"{runs}/{made.planned}" in text for text in lines)
    assert any("◐" in text for text in lines[1:-1]) and any(text.startswith("PROVISIONAL") for text in lines)


def test_of_many_arms_those_in_training_are_shown_and_the_rest_is_counted(tmp_path):
    made = wide(7, design={"seeds": 2})
    lines = Sitting(made, tmp_path).carry_out(scores(made.runs[:100])).carry_out([(made.runs[100], None, 0)]).frame()
    assert "◐" in row(lines, made.runs[100].cell.label)
    assert row(lines, "… 127 more arms").split()[-1] == "100/254"


def test_after_each_block_it_says_what_the_verdict_would_be_marked_provisional(tmp_path):
    made = plan(design={"seeds": 4})
    sitting = Sitting(made, tmp_path, width=100).carry_out(scores(made.runs[:15]))
    assert not any("PROVISIONAL" in text for text in sitting.frame())
    sitting.carry_out(scores(made.runs)[15:27])
    lines = sitting.frame()
    title = next(i for i, text in enumerate(lines) if "PROVISIONAL" in text)
    assert lines[title] == "PROVISIONAL after 3 of 4 seeds: may change; intervals are not adjusted for looking"
    verdict = verdict_at(made.up_to(3), sitting.records.load())
    for name, text in zip(verdict.ranking, lines[title + 1 :], strict=True):
        effect = estimate(verdict.fixes[name].effect)
        assert text.split()[:2] == [name, effect.point]
        assert effect.ci in text and text.endswith(verdict.fixes[name].word)
    again = Sitting(made, tmp_path, width=100)  # resumed, it knows the blocks from before
    assert [text for text in again.frame() if "[" in text] == lines[title + 1 :]


def test_nothing_is_said_where_the_verdict_would_be_withheld(tmp_path):
    made = plan(design={"seeds": 3})
    told = [(run, state, score) for run, state, score in scores(made.runs)]
    lost = [(run, "diverged" if run == made.runs[3] else state, score) for run, state, score in told]
    sitting = Sitting(made, tmp_path / "diverged").carry_out(lost)
    assert Blocks(made, sitting.records.load()).complete == (1, 2)
    assert not any("PROVISIONAL" in text for text in sitting.frame())
    mixed = {run.cell.id: run.cell.fixes["good"] for run in made.runs}
    same = [(run, "completed", 2.0 * mixed[run.cell.id] + run.seed) for run in made.runs]  # `bad` changes nothing
    assert not any("PROVISIONAL" in text for text in Sitting(made, tmp_path / "same").carry_out(same).frame())


def test_a_study_with_looks_says_at_which_look_it_is(tmp_path):
    made = plan(stopping={"looks": [3, 6]}).up_to(6)
    records = Sitting(made, tmp_path).carry_out(scores(made.runs)).records.load()
    places = [found.place for seeds in (2, 3, 5, 6) if (found := provisional(made, records, tuple(range(seeds))))]
    assert places == [
        "before look 1 of 2, after 2 of up to 6 seeds",
        "at look 1 of 2, after 3 of up to 6 seeds",
        "at look 1 of 2, after 3 of up to 6 seeds",
        "at look 2 of 2, after 6 of up to 6 seeds",
    ]


def test_without_a_terminal_it_is_plain_lines(tmp_path):
    made = plan(design={"seeds": 3})
    sitting = Sitting(made, tmp_path, terminal=False)
    with sitting.progress:
        sitting.progress.preparing()
        sitting.carry_out(scores(made.runs))
    said = sitting.console.file.getvalue()
    assert said.splitlines()[0].startswith("trial: preparing")
    assert said.splitlines()[-1] == "trial: 24 of 24 runs done"
    effect = estimate(verdict_at(made.up_to(2), sitting.records.load()).fixes["good"].effect)
    assert f"trial: after 2 of 3 seeds, provisional: good helps {effect.point} {effect.ci}; " in said
    assert re.search(r"^trial: \d+ of 24 runs done, about \d+ s left$", said, re.MULTILINE)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said) and max(map(len, said.splitlines())) <= 160


@pytest.mark.parametrize(("fixes", "long"), [(5, False), (7, True), (12, True)])
def test_a_line_of_many_fixes_stays_short(fixes, long, tmp_path):
    made = wide(fixes, long, design={"seeds": 2, "kind": "one_at_a_time"})
    records = Sitting(made, tmp_path).carry_out(scores(made.runs)).records.load()
    found = provisional(made, records, (0, 1))
    said = line(found)
    assert len(said) <= 160 and "[" not in said and said.startswith("after 2 of 2 seeds, provisional: ")
    assert all(len(text.plain) <= 60 for text in provisional_lines(found, 60, 8)) and len(provisional_lines(found, 60, 8)) <= 8


def test_what_was_trained_before_counts_as_done_and_what_was_interrupted_is_not_left_in_training(tmp_path):
    made = plan()
    Sitting(made, tmp_path).carry_out(scores(made.runs[:5]))
    again = Sitting(made, tmp_path)
    with again.progress as watcher:
        again.carry_out([(made.runs[5], "completed", 1.0), (made.runs[6], None, 0)])
        watcher.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    last = again.console.export_text().rsplit("arm ", 1)[1]
    assert f"6/{made.planned}" in last and "stopped" in last
    assert last.count("◐") == 1  # the legend's
    assert again.console.file.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_a_retry_has_a_line_above_the_grid_and_a_stop_stands_below_the_bar(tmp_path):
    made = plan()
    sitting = Sitting(made, tmp_path).carry_out([(made.runs[0], "completed", 1.0), (made.runs[1], None, 0)])
    error = 'Traceback (most recent call last):\n  File "x.py", line 1, in train\nValueError: too deep'
    sitting.progress.retried(made.runs[1], Retry(made.runs[1].id, error, 1, 2))
    said = " ".join(sitting.console.export_text().split())
    assert f"{made.runs[1].name}: ValueError: too deep; trained again (1 of 2 attempts failed)" in said
    assert row(sitting.frame(), made.runs[1].cell.label).split()[-2:] == ["·", "·"]
    sitting.progress.stopping()
    lines = sitting.frame()
    assert lines[-1] == "stopping: what is training ends and is kept; Ctrl-C again stops now"
    assert lines[-2].endswith("  stopping") and " left" not in lines[-2]


def test_without_a_terminal_a_stop_is_a_line(tmp_path):
    sitting = Sitting(plan(), tmp_path, terminal=False)
    with sitting.progress:
        sitting.progress.stopping()
        sitting.carry_out([(sitting.made.runs[0], "completed", 1.0)])
    first, last = sitting.console.file.getvalue().splitlines()
    assert first == "trial: stopping: what is training ends and is kept; Ctrl-C again stops now"
    assert last.startswith("trial: 1 of ") and " left" not in last


def test_blocks_are_complete_once_every_arm_has_an_outcome_in_whatever_order(tmp_path):
    made = plan(design={"seeds": 4})
    runs = [run for run in made.runs if run.cell.id in made.arms.values()]
    records, blocks, rng = Records(tmp_path), Blocks(made, {}), np.random.default_rng(0)
    kept = {}
    for run in rng.permutation(np.array([*runs, *runs], dtype=object)):  # each ends twice: failed at first, some of them
        state = "failed" if run.id not in kept and rng.random() < 0.3 else "completed"
        kept[run.id] = records.add(Result(run.id, state, 0.0, 1.0, {"score": 1.0} if state == "completed" else {}))
        before = blocks.complete
        assert blocks.add(run.id, kept[run.id]) == (blocks.complete != before)
        now = {key: record for key, record in kept.items() if record.state == "completed"}
        whole = [seed for seed in range(4) if all(f"{arm}-{seed}" in now for arm in made.arm_ids())]
        assert set(whole) <= set(blocks.complete) == set(Blocks(made, now).complete) | set(before)
    assert blocks.complete == (0, 1, 2, 3)


def test_of_thousands_of_blocks_only_so_many_are_judged(tmp_path):
    made = open_plan(design={"seeds": 40})
    clock = iter(range(10**6))  # each reading is a second later: judging takes one, and so does all else
    sitting = Sitting(made, tmp_path, terminal=False)
    sitting.progress._clock = lambda: float(next(clock))
    sitting.carry_out(scores(made.runs))
    said = sitting.console.export_text().count("provisional")
    assert 1 <= said < 20
