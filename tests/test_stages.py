"""A study that may stop early: it ends where every fix is decided, goes on where it was left, and every command agrees."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ablate import display
from ablate.analysis.power import detectable_effect
from ablate.assess import assess
from ablate.design import Plan, make_plan
from ablate.driver import unchecked
from ablate.engines.base import Result, Task
from ablate.engines.inline import InlineEngine
from ablate.forecast import forecast, progress
from ablate.records import Record, Records
from ablate.report.appendix import appendix
from ablate.report.looks import looks_part
from ablate.stages import due, stage, until_decided, with_checks
from ablate.study import load_study
from ablate.written import verdict_json
from tests.builders import PLANTED, few, plan, study, train
from tests.shell import ROOT

FIXES = {"good": {"off": {"helps": 0}, "on": {"helps": 2}}, "bad": {"off": {"harms": 0}, "on": {"harms": 1}}}
IDLE = {"idle": {"off": {"nothing": 0}, "on": {"nothing": 1}}}
RULE = {"looks": [3, 5, 8]}


def looked(fixes: dict[str, Any] = FIXES, **changes: Any) -> Plan:
    """A plan with looks at 3, 5 and 8 seeds; without a smallest effect, so that nothing can be called negligible."""
    return plan(
        **{"fixes": fixes, "stopping": RULE, "params": {"steps": 2, "noise": 1.0}, "outcome": {"metric": "score"}} | changes
    )


def sit(made: Plan, records: Records, at_most: int | None = None, broken: tuple[str, ...] = ()) -> list[str]:
    """One sitting: train until the study has ended, or until so many runs were trained. Returns what was told.

    Args:
        broken: ids of runs that fail.
    """
    told: list[str] = []
    count = 0
    with InlineEngine() as engine:
        for _, todo in with_checks(until_decided(made, records.load, told.append), made, unchecked(made, records)):
            for run in todo:
                if count == at_most:
                    return told
                count += not run.again
                task = Task(run.id, made.target.name, run.cell.params, run.seed)
                (result,) = [event for event in engine.run([task]) if isinstance(event, Result)]
                if math.isnan(result.metrics["score"]):  # as the driver has it
                    result = replace(result, state="diverged")
                failed = replace(result, state="failed", metrics={}, points=(), error="ValueError: why")
                records.add(failed if run.id in broken else result)
    return told


def test_large_effects_end_it_at_an_early_look(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    told = sit(made, records)
    found = assess(made, records)
    assert {name: fix.word for name, fix in found.verdict.fixes.items()} == {"good": "helps", "bad": "harms"}
    assert len(records.load()) == 4 * 5
    assert found.complete
    assert told == [
        "look 1 of 3 (3 seeds): good helps, bad open",
        "look 2 of 3 (5 seeds): good helps, bad harms",
        "every fix is decided: stopped after 5 of up to 8 seeds, look 2 of 3; 12 runs saved",
    ]
    written = verdict_json(found)
    assert written["stopping"] == {
        "looks": [3, 5, 8],
        "alpha": 0.05,
        "spending": "obrien_fleming",
        "taken": [3, 5],
        "stopped_at": 5,
        "decided": {"good": {"look": 3, "verdict": "helps"}, "bad": {"look": 5, "verdict": "harms"}},
        "saved_runs": 12,
    }
    assert (written["design"]["seeds"], written["design"]["planned"]) == (5, 20)
    assert sit(made, records) == []
    assert due(made, records.load()) == []


def test_its_intervals_are_wider_than_those_of_a_study_of_that_size(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    sit(made, records)
    fixed = assess(looked(stopping=None, design={"seeds": 5}), records).verdict.fixes["good"].effect
    found = assess(made, records).verdict.fixes["good"].effect
    assert found.effect == fixed.effect
    assert found.ci()[0] < fixed.ci()[0] < fixed.ci()[1] < found.ci()[1]
    assert found.p > fixed.p


def test_what_can_not_be_decided_goes_to_the_last_look_and_ends(tmp_path: Path) -> None:
    made, records = looked(FIXES | IDLE), Records(tmp_path)
    told = sit(made, records)
    found = assess(made, records)
    assert [line.partition(":")[0] for line in told] == [
        "look 1 of 3 (3 seeds)",
        "look 2 of 3 (5 seeds)",
        "look 3 of 3 (8 seeds)",
    ]
    assert told[-1].endswith("idle open")
    stopping = verdict_json(found)["stopping"]
    assert (stopping["taken"], stopping["stopped_at"], stopping["saved_runs"]) == ([3, 5, 8], 8, 0)
    assert stopping["decided"]["idle"] is None
    assert len(records.load()) == 8 * 8
    assert found.stage.place == "ended after all 8 seeds, look 3 of 3"
    assert not found.warnings


@pytest.mark.parametrize("at_most", [5, 12, 15])
def test_interrupted_it_goes_on_at_its_look_and_says_the_same(tmp_path: Path, at_most: int) -> None:
    made, records, whole = looked(), Records(tmp_path / "parts"), Records(tmp_path / "whole")
    sit(made, records, at_most)
    part = assess(made, records)
    assert part.stage.ended is False
    assert part.plan.seeds == (3 if at_most < 12 else 5)
    assert part.warnings[0].startswith(f"not ended: at look {1 if at_most < 12 else 2} of 3")
    assert verdict_json(part)["stopping"]["stopped_at"] is None
    assert progress(made, records)["planned"] == len(part.plan.runs)
    sit(made, records)
    sit(made, whole)
    assert verdict_json(assess(made, records)) == verdict_json(assess(made, whole))


def test_a_failed_run_costs_its_block_and_is_tried_again_in_the_next_sitting(tmp_path: Path) -> None:
    made, records, whole = looked(), Records(tmp_path / "failed"), Records(tmp_path / "whole")
    lost = made.runs[1].id
    sit(made, records, broken=(lost,))
    now = stage(made, records.load())
    assert now.ended
    assert [len(look.verdict.fixes) for look in now.taken] == [2] * len(now.taken)
    found = assess(made, records)
    assert not found.complete
    assert "seeds left out because an arm is missing: 0" in found.warnings
    assert [run.id for run in due(made, records.load())] == [lost]
    sit(made, records)
    sit(made, whole)
    assert verdict_json(assess(made, records)) == verdict_json(assess(made, whole))


def test_a_lost_arm_decides_nothing_and_the_last_look_ends_it(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    lost = tuple(run.id for run in made.runs if run.cell.label == "all on")
    told = sit(made, records, broken=lost)
    assert told[-1].startswith("look 3 of 3 (8 seeds): No verdict: the design lost an arm")
    found = assess(made, records)
    assert found.stage.ended
    assert found.verdict.fixes == {}
    assert verdict_json(found)["stopping"]["decided"] == {"good": None, "bad": None}


def test_sweeps_are_trained_with_the_first_look(tmp_path: Path) -> None:
    made, records = looked(sweeps={"dose": {"param": "helps", "values": [0.5, 2], "seeds": 2}}), Records(tmp_path)
    sit(made, records, 12 + 4)
    assert len(assess(made, records).sweeps["dose"]) == 2
    assert stage(made, records.load()).plan.seeds == 5


def test_seeds_given_and_quick_have_no_looks(tmp_path: Path) -> None:
    fixed = make_plan(study(stopping=RULE), looked().target, seeds=4)
    assert (fixed.seeds, fixed.looks, plan(True, target=PLANTED, stopping=RULE).looks) == (4, None, None)
    assert sit(fixed, Records(tmp_path)) == []
    assert stage(fixed, {}).ended
    assert verdict_json(assess(fixed, Records(tmp_path)))["stopping"] is None


def test_the_plan_tells_what_each_look_takes(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    sit(made, records, 12)
    seen = forecast(made, records)
    assert [(look.seeds, look.runs, look.to_train) for look in seen.looks] == [(3, 12, 0), (5, 20, 8), (8, 32, 20)]
    assert seen.looks[-1].seconds == seen.seconds
    assert [look["seeds"] for look in json.loads(json.dumps(seen.as_json()))["looks"]] == [3, 5, 8]
    assert seen.place == "at look 2 of 3: 5 of up to 8 seeds"
    sit(made, records)
    ended = forecast(made, records)
    assert (ended.to_train, ended.looks[-1].to_train, ended.place[:22]) == (0, 0, "stopped after 5 of up ")
    assert forecast(looked(stopping=None), records).as_json()["looks"] is None


def test_the_report_tells_the_looks_and_how_they_were_judged(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    sit(made, records)
    found = assess(made, records)
    part = looks_part(found.stage)
    assert part is not None
    assert [row.said for row in part.rows] == ["good helps; open: bad", "bad harms", "not needed"]
    assert [row.runs for row in part.rows] == ["12", "20", "32"]
    assert "ended 1 look early, which saved 12 runs" in part.said
    assert any("they hold whatever look it stopped at" in said for said in appendix(found).judged)
    assert looks_part(stage(looked(stopping=None), {})) is None


def test_the_command_stops_early_and_shows_it(cli: Any) -> None:
    done = cli("run", "studies/planted_looks.yaml", "--engine", "inline", "--tracking-uri", "none", "--set", "noise=0.4")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"look \d of 4 \(\d seeds\): .*idle (\w+)", done.stderr) == ["open", "negligible"]
    assert "planted_looks, look 2 of 4 (6 seeds): 48 of 48 runs done" in done.stderr
    assert "48 trained now, 48 in the study" in done.stdout
    out = cli.folder / "reports/planted_looks"
    assert json.loads((out / "verdict.json").read_text())["stopping"]["stopped_at"] == 6
    assert (out / "figures/looks.svg").exists()


def test_plan_and_status_show_the_looks(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    sit(made, records, 15)
    console = Console(file=StringIO(), width=120)
    display.plan(console, forecast(made, records))
    display.status(console, made, progress(made, records))
    assert isinstance(console.file, StringIO)
    shown = " ".join(console.file.getvalue().split())
    assert "looks 3 seeds (12 runs), 5 seeds (20 runs), 8 seeds (32 runs); it ends where every fix is decided" in shown
    assert "at most 32 in 4 cells; at most 17 to train" in shown
    assert "planned 20 done 15" in shown
    assert "at look 2 of 3: 5 of up to 8 seeds" in shown


def test_the_study_of_looks_that_ships_is_the_planted_one_but_for_its_seeds() -> None:
    looks, fixed = (load_study(ROOT / "studies" / f"{name}.yaml") for name in ("planted_looks", "planted"))
    assert (looks.fixes, looks.outcome, looks.target) == (fixed.fixes, fixed.outcome, fixed.target)


def test_what_a_retried_run_shows_does_not_take_a_study_back(tmp_path: Path) -> None:
    made, records = looked(), Records(tmp_path)
    sit(made, records, broken=tuple(run.id for run in made.up_to(5).runs if run.cell.label == "all on"))
    before = stage(made, records.load())
    assert (before.plan.seeds, before.ended) == (8, True)
    sit(made, records)
    now = stage(made, records.load())
    assert [look.verdict.decided for look in now.taken] == [False, True, True]
    assert (now.plan.seeds, now.saved, now.place) == (8, 0, "ended after all 8 seeds, look 3 of 3")


def test_a_run_of_a_sweep_begins_no_block(tmp_path: Path) -> None:
    made = looked(sweeps={"dose": {"param": "helps", "values": [1, 2], "seeds": 7}})
    records = Records(tmp_path)
    sit(made, records)
    assert stage(made, records.load()).plan.seeds == 5


def test_undeclared_divergence_ends_it_at_once_until_the_study_declares_it(tmp_path: Path) -> None:
    made, records = looked(params={"noise": 1.0, "diverges": 0.3}), Records(tmp_path)
    told = sit(made, records)
    assert len(records.load()) == 4 * 3
    why = "4 of 12 runs diverged (all off, good, bad, all on); say what such a run is worth by outcome.on_divergence"
    assert told == [f"look 1 of 3 (3 seeds): No verdict: {why}", f"no verdict can be given: {why}; nothing more is trained"]
    found = assess(made, records)
    assert (found.verdict.fixes, found.complete) == ({}, False)
    assert verdict_json(found)["stopping"]["saved_runs"] == 0
    part = looks_part(found.stage)
    assert part is not None
    assert [row.said for row in part.rows[1:]] == ["not taken"] * 2
    assert due(made, records.load()) == []
    declared = looked(params={"noise": 1.0, "diverges": 0.3}, outcome={"metric": "score", "on_divergence": -5})
    assert sit(declared, records)[-1].startswith("look 3 of 3")


def test_a_placebo_that_moves_ends_it_at_once(tmp_path: Path) -> None:
    placebo = {"placebo": {"off": {"nothing": 0}, "on": {"nothing": 1}}}
    made, records = looked(FIXES | placebo), Records(tmp_path)
    told = sit(made, records)
    assert len(records.load()) == 5 * 3
    assert told[-1].startswith("no verdict can be given: placebo moved score in 3 of 3 seeds")


@few
@given(st.permutations(range(4 * 8)), st.sets(st.integers(0, 4 * 8 - 1)))
def test_more_records_never_take_a_study_back(stages_runs: dict[str, Record], order: list[int], failed: set[int]) -> None:
    made, records, before = looked(), dict[str, Record](), 0
    for index in order:
        run = made.runs[index]
        record = stages_runs[run.id]
        records[run.id] = replace(record, state="failed", metrics={}) if index in failed else record
        now = stage(made, records).plan.seeds
        assert now >= before
        before = now
    assert before == 8
    assert stage(made, stages_runs).plan.seeds == 8


@pytest.fixture(scope="module")
def stages_runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Record]:
    """A record of every run up to the last look."""
    return train(looked(), tmp_path_factory.mktemp("whole")).load()


def test_the_error_rate_asked_for_is_the_one_used_and_told(tmp_path: Path) -> None:
    made, records = looked(stopping={**RULE, "alpha": 0.01}), Records(tmp_path)
    seen, usual = forecast(made, records), forecast(looked(), records)
    assert seen.detectable == detectable_effect(made.layout, 8, alpha=0.01) > usual.detectable
    for strict, other in zip(seen.designs.options, usual.designs.options, strict=True):
        assert strict.detectable > other.detectable
        assert strict.seeds is not None and other.seeds is not None and strict.seeds > other.seeds
    sit(made, records)
    told = " ".join(appendix(assess(made, records)).judged)
    assert "helps and harms mean an adjusted p below 0.01" in told
    assert "one may leave out 0 where a fix is inconclusive" in told


def test_an_error_rate_that_disagrees_with_the_intervals_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stopping\.alpha\n.*less than or equal to 0\.05"):
        looked(stopping={**RULE, "alpha": 0.2})
