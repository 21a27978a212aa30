"""From records to verdict.json and runs.csv, on planted effects that were really trained."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.assess import Assessment, assess
from ablate.design import Plan
from ablate.records import Records
from ablate.tables import design_table
from ablate.written import verdict_json, write_results
from tests.builders import PLANTED, plan, train

CLAIMS = [
    {"name": "good helps", "arm": "good", "metric": "score", "comparison": ">=", "value": 1},
    {"name": "all reach 9", "metric": "score", "comparison": ">", "value": 9},
    {"name": "it grows", "metric": "progress", "reduction": "last", "steps": [0, 9], "comparison": ">", "value": -9},
    {"name": "too late", "metric": "progress", "reduction": "max", "steps": [900, 999], "comparison": ">", "value": 0},
    {"name": "fast", "metric": "seconds", "comparison": "<", "value": 60},
]
CHANGES: dict[str, Any] = {
    "outcome": {"metric": "score", "minimum_effect": 0.5},
    "sweeps": {"dose": {"param": "helps", "values": [0.5, 1, 2], "seeds": 3}},
    "secondary": ["seconds"],
    "claims": CLAIMS,
}


@pytest.fixture(scope="module")
def made() -> Plan:
    return plan(**CHANGES)


@pytest.fixture(scope="module")
def records(made: Plan, tmp_path_factory: pytest.TempPathFactory) -> Records:
    return train(made, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def found(made: Plan, records: Records) -> Assessment:
    return assess(made, records)


def test_the_planted_effects_are_found(found: Assessment) -> None:
    assert {name: fix.word for name, fix in found.verdict.fixes.items()} == {
        "good": "helps",
        "bad": "harms",
        "idle": "negligible",
    }
    assert found.verdict.fixes["good"].effect.effect == pytest.approx(2, abs=0.5)
    assert found.verdict.fixes["bad"].effect.effect == pytest.approx(-1, abs=0.5)
    assert found.verdict.ranking == ["good", "idle", "bad"]
    assert found.complete
    assert found.warnings == ()
    assert found.headline_metrics() == {f"effect/{name}": fix.effect.effect for name, fix in found.verdict.fixes.items()}


def test_verdict_json_has_the_contracts_keys_and_no_others(found: Assessment) -> None:
    written = verdict_json(found)
    assert set(written) == {
        *("schema_version", "study", "quick", "outcome", "design", "fixes", "interactions", "ranking", "headline", "warnings"),
        "findings",
        *("claims", "sweeps", "trajectory", "secondary", "contexts", "symptoms"),
        *("checks", "divergence", "preregistration"),
        "stopping",
        "knobs",
        *("settled", "agreement"),
    }
    assert written["schema_version"] == 1
    assert written["study"] == "trial"
    assert written["quick"] is False
    assert written["outcome"] == {"metric": "score", "goal": "maximize", "minimum_effect": 0.5}
    counts = {"cells": 10, "seeds": 6, "planned": 54, "completed": 54, "failed": 0, "diverged": 0}
    assert written["design"] == {"kind": "full_factorial", "fixes": ["good", "bad", "idle"]} | counts
    for fix in written["fixes"].values():
        assert set(fix) == {"effect", "ci", "p", "p_adjusted", "verdict", "alone", "removed", "share", "seeds_needed"}
        assert all(set(fix[part]) == {"effect", "ci"} for part in ("alone", "removed", "share"))
        assert fix["ci"][0] < fix["effect"] < fix["ci"][1]
        assert fix["seeds_needed"] is None or isinstance(fix["seeds_needed"], int)
    assert list(written["interactions"]) == ["good*bad", "good*idle", "bad*idle"]
    assert all(set(pair) == {"effect", "ci", "p_adjusted"} for pair in written["interactions"].values())
    assert all(set(point) == {"value", "mean", "ci", "seeds"} for point in written["sweeps"]["dose"])
    assert all(set(fix) == {"effect", "ci", "p_adjusted"} for fix in written["secondary"]["seconds"].values())
    assert written["contexts"] == {}


def test_a_claim_in_verdict_json_has_the_contracts_keys(found: Assessment) -> None:
    assert all(set(claim) == {"name", "expected", "observed", "verdict"} for claim in verdict_json(found)["claims"])


def test_shares_sum_to_all_on_less_all_off(made: Plan, records: Records, found: Assessment) -> None:
    y = design_table(made, records.load(), made.study.outcome).complete()
    shares = sum(fix["share"]["effect"] for fix in verdict_json(found)["fixes"].values())
    assert shares == pytest.approx((y[:, -1] - y[:, 0]).mean(), abs=1e-12)


def test_results_are_written_and_depend_on_the_records_alone(
    found: Assessment, made: Plan, records: Records, tmp_path: Path
) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write_results(assess(made, records), folder)
    assert (tmp_path / "a/verdict.json").read_bytes() == (tmp_path / "b/verdict.json").read_bytes()
    assert json.loads((tmp_path / "a/verdict.json").read_text()) == verdict_json(found)


def test_runs_csv_has_every_planned_run_once(found: Assessment, made: Plan, tmp_path: Path) -> None:
    write_results(found, tmp_path)
    with (tmp_path / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run_id"] for row in rows] == [run.id for run in made.runs]
    assert [row["arm"] for row in rows[:8]] == ["all off", "good", "bad", "good+bad", "idle", "good+idle", "bad+idle", "all on"]
    assert (rows[1]["fix.good"], rows[1]["fix.bad"], rows[1]["state"], rows[1]["seed"]) == ("on", "off", "completed", "0")
    assert [row["sweep.dose"] for row in rows if row["arm"] == "all on"] == ["1.0"] * 3 + [""] * 3
    assert all(float(row["score"]) == found.records[row["run_id"]].metrics["score"] for row in rows)


def test_claims_are_held_against_their_runs(found: Assessment) -> None:
    assert {claim.name: claim.verdict for claim in found.claims} == {
        "good helps": "confirmed",
        "all reach 9": "refuted",
        "it grows": "confirmed",
        "too late": "untestable",
        "fast": "confirmed",
    }


def test_a_sweeps_points_have_their_runs_mean(found: Assessment, records: Records) -> None:
    for response, point in zip(found.sweeps["dose"], found.plan.sweeps["dose"], strict=True):
        scores = [records.load()[f"{point.cell}-{seed}"].metrics["score"] for seed in range(3)]
        assert (response.value, response.seeds) == (point.value, 3)
        assert response.mean == pytest.approx(sum(scores) / 3)


def test_runs_that_are_not_planned_are_not_counted(made: Plan, found: Assessment, records: Records) -> None:
    fewer = assess(plan(**CHANGES | {"design": {"seeds": 4}}), records)
    assert len(fewer.records) == len(fewer.plan.runs) < len(found.records) == len(made.runs)
    assert fewer.complete


def test_a_block_without_one_arm_is_left_out_and_said_so(made: Plan, found: Assessment, tmp_path: Path) -> None:
    lost = made.runs[8 * 4 + 3]
    part = assess(made, train(made, tmp_path, skip=(lost.id,)))
    assert part.verdict.fixes["good"].share.df == 4
    assert found.verdict.fixes["good"].share.df == 5
    assert "seeds left out because an arm is missing: 4" in part.warnings
    assert not part.complete
    rows = verdict_json(part)["design"]
    assert (rows["planned"], rows["completed"]) == (54, 53)


def test_failed_and_diverged_runs_are_named(made: Plan, tmp_path: Path) -> None:
    records = train(made, tmp_path)
    for run, state, metrics in ((made.runs[0], "failed", {}), (made.runs[9], "diverged", {"score": float("nan")})):
        kept = records.load_one(run.id)
        assert kept is not None
        records.save(replace(kept, state=state, metrics=metrics, error="Traceback\n  File\nValueError: why"))
    found = assess(made, records)
    assert (found.count("failed"), found.count("diverged"), found.complete) == (1, 1, False)
    said = "1 of 54 runs failed; the first: all off · seed 0: ValueError: why (runs.csv has all)"
    assert said in found.warnings
    assert any(text.startswith("1 of 54 runs diverged; the first: good · seed 1") for text in found.warnings)
    write_results(found, tmp_path)
    assert "ValueError: why" in (tmp_path / "runs.csv").read_text()


def test_the_warning_of_seeds_left_out_names_those_left_out(made: Plan, tmp_path: Path) -> None:
    records = train(made, tmp_path)
    kept = records.load_one(made.runs[8].id)
    assert kept is not None
    records.save(replace(kept, metrics={**kept.metrics, "other": float("inf")}))
    found = assess(made, records)
    assert found.verdict.fixes["good"].share.df == 5
    assert not [text for text in found.warnings if "left out" in text]
    records.save(replace(kept, state="failed", metrics={}))
    found = assess(made, records)
    assert found.verdict.fixes["good"].share.df == 4
    assert "seeds left out because an arm is missing: 1" in found.warnings


def test_with_no_runs_there_is_no_verdict_and_a_reason(made: Plan, tmp_path: Path) -> None:
    found = assess(made, Records(tmp_path))
    assert found.verdict.fixes == {}
    assert verdict_json(found)["fixes"] == {}
    assert found.verdict.headline == "No verdict: only 0 of 6 seeds have every arm, and a verdict takes two."
    assert {claim.verdict for claim in found.claims} == {"untestable"}
    assert [response.mean for response in found.sweeps["dose"]] == [None] * 3


def test_a_folder_with_runs_of_other_params_only_is_said_to_hold_none(made: Plan, records: Records, found: Assessment) -> None:
    other = assess(plan(**CHANGES, params={"noise": 0.25}), records)
    held = len(records.load())
    assert other.verdict.headline == (
        f"No verdict: none of the {held} runs in the folder is of this study with these settings; give the params (--set, or the "
        "study file's) that they were trained with."
    )
    assert verdict_json(other)["fixes"] == {} and held > 50


def test_a_quick_study_says_so(tmp_path: Path) -> None:
    made = plan(quick=True, target=PLANTED)
    found = assess(made, train(made, tmp_path))
    assert verdict_json(found)["quick"] is True
    assert verdict_json(found)["study"] == "trial"
    assert any(text.startswith("quick: a small budget") for text in found.warnings)


FIXES = {"fast": {"off": {"rate": 0.5}, "on": {"rate": 1.5}}}


@pytest.fixture(scope="module")
def falling(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Records]:
    """A study whose outcome is also logged as training goes on, and is better the lower it is."""
    changes = {"fixes": FIXES, "outcome": {"metric": "loss", "goal": "minimize"}, "secondary": ["other"]}
    made = plan(target="tests.builders:dosed", **changes)
    return made, train(made, tmp_path_factory.mktemp("falling"))


def test_the_effect_is_followed_as_training_goes_on(falling: tuple[Plan, Records]) -> None:
    found = assess(*falling)
    assert [step for step, _ in found.trajectory["fast"]] == [0, 1, 2, 3, 4]
    assert [effect.effect for _, effect in found.trajectory["fast"]] == pytest.approx([0, 1, 2, 3, 4], abs=0.05)
    assert found.trajectory["fast"][-1][1] == found.verdict.fixes["fast"].effect
    assert verdict_json(found)["trajectory"]["fast"][4].keys() == {"step", "effect", "ci"}
    assert found.verdict.fixes["fast"].word == "helps"
    assert found.verdict.interactions == {}


def test_an_undeclared_target_is_assumed_comparable_and_said_so(falling: tuple[Plan, Records]) -> None:
    assert any("declares no metrics" in text and "assumed" in text for text in assess(*falling).warnings)


def test_a_claim_does_not_rest_on_runs_that_failed(made: Plan, tmp_path: Path) -> None:
    records = train(made, tmp_path)
    for run in made.runs:
        kept = records.load_one(run.id)
        assert kept is not None
        records.save(replace(kept, state="failed", metrics={}))
    grows = assess(made, records).claims[2]
    assert (grows.verdict, grows.detail) == ("untestable", "no run of the arm completed")


def test_a_fix_that_changes_anything_at_all_is_not_called_unread(tmp_path):
    made = plan(
        target="tests.builders:dosed",
        fixes={"rate": {"off": {"rate": 1.0}, "on": {"rate": 2.0}}},
        outcome={"metric": "other"},  # the seed, whatever the arm
    )
    found = assess(made, train(made, tmp_path))
    assert not [text for text in found.warnings if "changed nothing" in text]
    assert found.verdict.fixes
