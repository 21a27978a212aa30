"""Runs that do the same for a while are put one behind another, and blocks of seeds keep their order."""

import io

import pytest
from rich.console import Console

from ablate import display
from ablate.assess import assess
from ablate.design import PlannedRun, make_plan
from ablate.errors import EngineError
from ablate.families import least_steps, prefixes, tasks_of
from ablate.forecast import forecast
from ablate.records import Records
from ablate.study import load_study
from ablate.target import Prefix, load_target
from ablate.written import verdict_json
from tests.builders import open_plan, write_study

FIXES = {"late": {"off": {"start": 100}, "on": {"start": 30}}, "fast": {"off": {"rate": 1}, "on": {"rate": 2}}}
SWEEP = {"starts": {"param": "start", "values": [10, 30, 60, 100], "fixes": "all_on", "seeds": 2}}


def shares(params):
    return Prefix(f"rate {params['rate']}", params["start"], 100)


def made(**changes):
    return open_plan({"shares": shares}, fixes=FIXES, design={"seeds": 3}, sweeps=SWEEP, **changes)


def begun(plan, todo=None, share=True):
    tasks = tasks_of(plan.runs if todo is None else todo, plan.target, "cpu", share)
    return [(task.seed, task.params["rate"], task.params["start"]) for task in tasks]


def test_a_family_follows_each_other_by_growing_point_and_the_largest_of_a_block_comes_first():
    plan = made()
    swept = [(seed, 2, start) for seed in (0, 1) for start in (10, 30, 60, 100)]
    off = [(seed, 1, start) for seed in (0, 1, 2) for start in (30, 100)]
    assert begun(plan) == [*swept[:4], *off[:2], *swept[4:], *off[2:4], *off[4:], (2, 2, 30), (2, 2, 100)]


def test_without_sharing_the_order_is_the_plans_and_no_task_has_a_family():
    plan = made()
    assert begun(plan, share=False) == [(run.seed, run.cell.params["rate"], run.cell.params["start"]) for run in plan.runs]
    assert {task.prefix for task in tasks_of(plan.runs, plan.target, "cpu", False)} == {Prefix()}


def test_runs_of_another_seed_and_runs_that_stand_alone_share_nothing():
    plan = made()
    found = prefixes(plan.runs, plan.target)
    assert {prefix.family for prefix in found.values()} == {f"rate {rate}-{seed}" for rate in (1, 2) for seed in range(3)}
    alone = [run for run in plan.runs if run.seed == 0 and run.cell.params["rate"] == 1][:1]
    assert prefixes(alone, plan.target) == {}
    assert prefixes(plan.runs, open_plan(fixes=FIXES).target) == {}


def test_a_run_that_checks_another_is_trained_from_its_start():
    plan = made()
    todo = [*plan.runs, *plan.checks]
    tasks = {task.run_id: task for task in tasks_of(todo, plan.target, "cpu")}
    checks = [run for run in todo if run.aside]
    assert checks
    assert all(tasks[run.id].prefix == Prefix() for run in checks)
    assert tasks[checks[0].id.removesuffix("-again")].prefix.family == "rate 2-0"
    twin = PlannedRun(plan.runs[0].cell, 0, twin=True)
    assert prefixes([twin, *plan.runs], plan.target).keys() == prefixes(plan.runs, plan.target).keys()


def test_what_each_must_do_itself_follows_from_the_run_before():
    plan = made()
    least = {(run.seed, run.cell.params["rate"], run.cell.params["start"]): least_steps(plan.runs, plan.target)[run.id]
             for run in plan.runs}  # fmt: skip
    assert [least[(0, 2, start)] for start in (10, 30, 60, 100)] == [1, 0.9, 0.7, 0.4]
    assert [least[(1, 1, start)] for start in (30, 100)] == [1, 0.7]


def broken(params):
    return Prefix(f"rate {params['rate']}", {30: 1}[params["start"]], 100)


@pytest.mark.parametrize(("wrong", "why"), [(broken, "100"), (lambda _: None, "'NoneType' object has no attribute 'family'")])
def test_a_target_that_fails_at_it_is_one_line(tmp_path, wrong, why):
    plan = open_plan({"shares": wrong}, fixes=FIXES, design={"seeds": 3}, sweeps=SWEEP)
    said = rf"^tests.builders:nothing failed while saying what its runs have in common \(.*{why}\); mend it and run again$"
    with pytest.raises(EngineError, match=said):
        tasks_of(plan.runs, plan.target, "cpu")
    with pytest.raises(EngineError, match=said):
        least_steps(plan.runs, plan.target)
    timed = open_plan({"shares": wrong, "seconds": lambda _: 1.0}, fixes=FIXES, design={"seeds": 3}, sweeps=SWEEP)
    with pytest.raises(EngineError, match=said):
        forecast(timed, Records(tmp_path))


STUDY = {
    "name": "trial",
    "target": "ablate.targets.region_clip:train",
    "params": {"forwards": 400},
    "fixes": {"memory_bank": {"off": {"bank_warmup": 400}, "on": {"bank_warmup": 50}}},
    "design": {"seeds": 2},
    "sweeps": {"warmup": {"param": "bank_warmup", "values": [0, 25, 50, 100, 200, 400, 900], "fixes": "all_on", "seeds": 2}},
    "outcome": {"metric": "eval/region_top1"},
}


def region(tmp_path, **options):
    study = load_study(write_study(tmp_path, STUDY))
    return make_plan(study, load_target(study.target), **options)


def test_swept_warm_ups_that_outlast_the_training_are_one_point(tmp_path):
    assert [point.value for point in region(tmp_path).sweeps["warmup"]] == [0, 25, 50, 100, 200, 400]
    quick = region(tmp_path, quick=True)
    assert [point.value for point in quick.sweeps["warmup"]] == [0, 100]
    assert [quick.cells[point.cell].params["bank_warmup"] for point in quick.sweeps["warmup"]] == [0, 96]


def test_swept_values_that_are_one_training_are_named_wherever_they_are_asked_for(tmp_path):
    fixes = {"scale": {"off": {"logit_scale_init": 2.6592}, "on": {"logit_scale_init": 4.6052}}}
    more = {**STUDY, "fixes": fixes, "sweeps": {"warmup": {**STUDY["sweeps"]["warmup"], "values": [8, 16, 40, 80, 200]}}}
    study = load_study(write_study(tmp_path, more))
    plan, records = make_plan(study, load_target(study.target), params={"forwards": 40}), Records(tmp_path / "out")
    said = "sweeps.warmup: 80 and 200 are the same training as 40"
    assert [(point.value, point.alike) for point in plan.sweeps["warmup"]] == [(8, ()), (16, ()), (40, (80, 200))]
    seen = forecast(plan, records)
    assert seen.as_json()["warnings"] == [said]
    console = Console(file=io.StringIO(), width=200)
    display.plan(console, seen)
    assert f"warning           {said}\n" in console.file.getvalue()
    assert said in verdict_json(assess(plan, records))["warnings"]
    assert region(tmp_path).alike == ("sweeps.warmup: 900 is the same training as 400",)
    whole = make_plan(study, load_target(study.target))
    assert (whole.alike, forecast(whole, records).as_json()["warnings"]) == ((), [])


def test_the_last_of_a_family_knows_that_none_follows():
    plan = made()
    tasks = tasks_of([*plan.runs, *plan.checks], plan.target, "cpu")
    ends = {task.prefix.family: task.run_id for task in tasks if task.prefix.family}
    assert [task.run_id for task in tasks if task.prefix.family and not task.followed] == list(ends.values())


def test_the_first_study_shares_its_warm_ups(tmp_path):
    plan = region(tmp_path)
    tasks = tasks_of(plan.runs, plan.target, "cpu")
    assert [task.prefix.point for task in tasks] == 2 * [0, 24, 48, 96, 200, 400]
    trained = sum(400 * least for least in least_steps(plan.runs, plan.target).values())
    assert round(trained) == 2 * (6 * 400 - (24 + 48 + 96 + 200))
