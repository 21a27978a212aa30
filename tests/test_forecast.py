"""What a plan will cost and could show, and how far it has come."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.analysis.power import detectable_effect, noise
from ablate.forecast import forecast, progress, workers_here
from ablate.records import Record, Records
from ablate.tables import design_table
from tests.builders import open_plan, plan, train

SMALL = {"design": {"seeds": 2}, "sweeps": {"dose": {"param": "helps", "values": [0.5, 1], "seeds": 2}}}


def test_before_any_run_the_targets_estimate_is_used(tmp_path: Path) -> None:
    made = open_plan({"seconds": lambda params: 10 + params["helps"]}, **SMALL)
    seen = forecast(made, Records(tmp_path))
    assert (seen.to_train, seen.timed, seen.noise) == (18, False, None)
    assert seen.seconds == pytest.approx((8 * 10 + 8 * 11 + 2 * 10.5) / workers_here())
    assert seen.detectable == detectable_effect(made.layout, 2)
    assert list(tmp_path.iterdir()) == []


def test_without_an_estimate_the_time_is_not_known(tmp_path: Path) -> None:
    assert forecast(plan(), Records(tmp_path)).seconds is None


def test_timed_runs_take_the_place_of_the_estimate(tmp_path: Path) -> None:
    made = open_plan({"seconds": lambda params: 1000.0}, **SMALL)
    records = Records(tmp_path)
    for run, seconds in zip(made.runs, (2.0, 3.0, 40.0), strict=False):
        records.save(Record(run.id, "completed", 0.0, seconds))
    records.save(Record(made.runs[3].id, "failed", 0.0, 0.1))
    seen = forecast(made, records)
    assert seen.timed
    assert seen.to_train == 15
    assert seen.seconds == pytest.approx(15 * 3 / workers_here())


def test_runs_of_another_study_in_the_folder_are_not_its_times(tmp_path: Path) -> None:
    Records(tmp_path).save(Record("another-0", "completed", 0.0, 5.0))
    assert forecast(plan(), Records(tmp_path)).seconds is None


def test_the_noise_is_measured_once_two_blocks_are_whole(tmp_path: Path) -> None:
    made = plan(design={"seeds": 3})
    records = train(made, tmp_path, skip=tuple(run.id for run in made.runs if run.seed == 2))
    seen = forecast(made, records)
    measured = noise(design_table(made, records.load(), made.study.outcome).complete())
    assert seen.noise == measured > 0
    written = json.loads(json.dumps(seen.as_json()))
    assert written["smallest_detectable_effect"] == {
        "in_run_noise": seen.detectable,
        "in_outcome_units": seen.detectable * measured,
        "power": 0.8,
    }
    assert (written["cells"], written["runs"], written["to_train"]) == (8, 24, 8)
    assert written["design"] == {"kind": "full_factorial", "arms": 8, "seeds": 3}


def test_a_complete_study_has_no_time_left(tmp_path: Path) -> None:
    made = plan(**SMALL)
    now = progress(made, train(made, tmp_path))
    assert now["seconds_left"] == 0
    assert (now["planned"], now["done"], now["missing"], now["running"], now["failed"]) == (18, 18, 0, 0, 0)


def test_progress_counts_each_planned_run_once(tmp_path: Path) -> None:
    made = plan(**SMALL)
    records = train(made, tmp_path, skip=tuple(run.id for run in made.runs[10:]))
    for index, state in ((0, "failed"), (1, "failed"), (2, "diverged")):
        kept = records.load_one(made.runs[index].id)
        assert kept is not None
        records.save(replace(kept, state=state))
    records.mark_running([made.runs[10].id, made.runs[11].id])
    now = progress(made, records)
    assert (now["done"], now["failed"], now["diverged"], now["running"], now["missing"]) == (8, 2, 1, 2, 6)
    assert now["running_runs"] == [made.runs[10].name, made.runs[11].name]


def test_a_failed_run_in_training_again_is_running_and_nothing_else(tmp_path: Path) -> None:
    made = plan(**SMALL)
    records = train(made, tmp_path)
    kept = records.load_one(made.runs[0].id)
    assert kept is not None
    records.save(replace(kept, state="failed"))
    records.mark_running([made.runs[0].id, "of-another-study"])
    now = progress(made, records)
    assert (now["done"], now["failed"], now["running"], now["missing"]) == (17, 0, 1, 0)
