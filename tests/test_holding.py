"""Does the verdict hold: contexts, courses and price, from records to verdict.json, runs.csv, Optuna and the report."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from pydantic import ValidationError

from ablate.analysis.contexts import OWN
from ablate.assess import Assessment, assess
from ablate.board import Board
from ablate.design import Plan, make_plan
from ablate.driver import default_storage
from ablate.errors import BadInput
from ablate.forecast import forecast
from ablate.records import Record, Records
from ablate.report.holds import BEYOND, UNLOGGED, contexts_part, courses_said, price_part
from ablate.study import load_study
from ablate.target import Declaration, Target, load_target
from ablate.trials import Trials
from ablate.written import verdict_json, write_results
from tests.builders import FIXES, nothing, plan, study, train

STUDY = Path(__file__).parents[1] / "studies" / "planted_contexts.yaml"
TWO = {"small": {"shift": -1}, "wide": {"shift": 3}}
LOGGED = {"params": {"evals": 5}, "design": {"seeds": 3}}


@pytest.fixture(scope="module")
def made() -> Plan:
    loaded = load_study(STUDY)
    return make_plan(loaded, load_target(loaded.target))


@pytest.fixture(scope="module")
def records(made: Plan, tmp_path_factory: pytest.TempPathFactory) -> Records:
    return train(made, tmp_path_factory.mktemp("contexts"))


@pytest.fixture(scope="module")
def found(made: Plan, records: Records) -> Assessment:
    return assess(made, records)


def test_every_context_gets_its_own_verdict_and_the_headline_says_where_a_fix_turns(found: Assessment) -> None:
    written = verdict_json(found)
    words = {name: {fix: said["verdict"] for fix, said in fixes.items()} for name, fixes in written["contexts"].items()}
    assert (words["small"]["mixed"], words["wide"]["mixed"], written["fixes"]["mixed"]["verdict"]) == ("helps", "harms", "harms")
    assert words["small"]["good"] == words["wide"]["good"] == "helps"
    assert written["contexts"]["wide"]["mixed"]["effect"] == pytest.approx(-3, abs=0.4)
    assert all(set(fix) == {"effect", "ci", "verdict"} for fixes in written["contexts"].values() for fix in fixes.values())
    assert {fix for fix, said in written["agreement"].items() if said["differs"]} == {"mixed"}
    assert written["findings"][-1] == "mixed helps in small, and harms as it is and in wide."
    assert "small" not in written["headline"]
    assert found.warnings == ()


def test_a_settled_trajectory_raises_no_warning(found: Assessment) -> None:
    assert verdict_json(found)["settled"] == {"good": "settled", "mixed": "settled", "idle": "settled"}
    assert [step for step, _ in found.trajectory["good"]] == [4, 8, 12, 16, 20]
    assert found.trajectory["good"][-1][1].effect == pytest.approx(found.verdict.fixes["good"].effect.effect, abs=1e-12)
    assert BEYOND not in courses_said(found)
    assert courses_said(found)[0].startswith("good had settled: from step 12 to 20")


def test_runs_csv_names_each_runs_context(found: Assessment, tmp_path: Path) -> None:
    write_results(found, tmp_path)
    with (tmp_path / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["context"] for row in rows[:24]] == [""] * 8 + ["small"] * 8 + ["wide"] * 8
    assert rows[8]["arm"] == "small: all off"


def test_the_plan_counts_contexts_and_progress_names_their_arms(made: Plan, tmp_path: Path) -> None:
    seen = forecast(made, Records(tmp_path)).as_json()
    assert (seen["contexts"], seen["cells"], seen["runs"]) == (TWO, 24, 144)
    shown = {row.name: row.planned for row in Board(made).others}
    assert shown == {f"{name} (context)": 48 for name in TWO}


def test_a_context_that_changes_nothing_takes_no_runs_and_stands_for_the_studys_own_params(tmp_path: Path) -> None:
    made = plan(contexts={"same": {}, **TWO}, **LOGGED)
    assert len(made.cells) == 24
    found = assess(made, train(made, tmp_path))
    assert list(found.holding.compared) == ["same", "small", "wide"]
    assert {name: fix.word for name, fix in found.holding.contexts["same"].fixes.items()} == {
        name: fix.word for name, fix in found.verdict.fixes.items()
    }


def test_a_context_without_enough_runs_says_why_and_the_others_are_compared(made: Plan, tmp_path: Path) -> None:
    wide = set(made.contexts["wide"].values())
    lost = next(run.id for run in made.runs if run.seed == 2 and made.context_of(run.cell.id) == "small")
    part = assess(made, train(made, tmp_path, skip=(*(run.id for run in made.runs if run.cell.id in wide), lost)))
    assert verdict_json(part)["contexts"]["wide"] == {}
    assert list(part.holding.agreement) == ["good", "mixed", "idle"]
    assert "context wide: no verdict: only 0 of 6 seeds have every arm, and a verdict takes two" in part.warnings
    assert "context small: seeds left out because an arm is missing: 2" in part.warnings
    shown = contexts_part(part)
    assert shown is not None and [row.name for row in shown.rows] == [OWN, "small", "wide"]
    assert [row.seeds for row in shown.rows] == ["6 of 6 seeds", "5 of 6 seeds", "0 of 6 seeds"]
    assert [[there.context for there in fix.there] for fix in shown.fixes] == [[OWN, "small"]] * 3


def test_without_a_verdict_of_its_own_the_study_says_nothing_of_contexts(made: Plan, tmp_path: Path) -> None:
    own = set(made.arm_ids())
    part = assess(made, train(made, tmp_path, skip=tuple(run.id for run in made.runs if run.cell.id in own)))
    assert part.verdict.headline == "No verdict: only 0 of 6 seeds have every arm, and a verdict takes two."
    assert list(part.holding.agreement) == ["good", "mixed", "idle"]


def test_a_context_that_takes_a_fix_away_is_refused() -> None:
    flat = Declaration(resolve=lambda params: {**params, "helps": 0} if params.get("flat") else dict(params))
    with pytest.raises(BadInput, match=r"contexts\.flat: with its params good changes nothing"):
        make_plan(study(contexts={"flat": {"flat": 1}}), Target("flat:train", nothing, flat))


def test_a_fix_called_context_is_refused_beside_contexts() -> None:
    assert study(fixes={"context": FIXES["good"]}).contexts == {}
    with pytest.raises(ValidationError, match="called context; give it another name"):
        study(fixes={"context": FIXES["good"]}, contexts=TWO)


def test_an_effect_that_still_grows_is_a_warning(tmp_path: Path) -> None:
    fast = {"fast": {"off": {"rate": 0.5}, "on": {"rate": 1.5}}}
    made = plan(target="tests.builders:dosed", fixes=fast, outcome={"metric": "loss", "goal": "minimize"})
    found = assess(made, train(made, tmp_path))
    assert verdict_json(found)["settled"] == {"fast": "growing"}
    assert "fast was still growing: +2 at step 2, +4 at 4; a longer training may say more" in found.warnings
    assert courses_said(found) == ("fast was still growing: +2 at step 2, +4 at 4; a longer training may say more.",)


def test_an_outcome_that_was_not_logged_is_unknown(tmp_path: Path) -> None:
    made = plan(design={"seeds": 2})
    found = assess(made, train(made, tmp_path))
    assert set(verdict_json(found)["settled"].values()) == {"unknown"}
    assert courses_said(found) == (UNLOGGED,)
    assert courses_said(assess(made, Records(tmp_path / "none"))) == ()


def test_a_final_outcome_other_than_the_last_logged_is_said(tmp_path: Path) -> None:
    made = plan(**LOGGED)
    records = train(made, tmp_path)
    kept = records.load_one(made.runs[0].id)
    assert kept is not None
    records.save(replace(kept, metrics={"score": kept.metrics["score"] + 0.01}))
    assert courses_said(assess(made, records))[-1] == BEYOND


def test_seconds_are_told_as_what_a_fix_adds_to_a_run(tmp_path: Path) -> None:
    made = plan(design={"seeds": 3}, secondary=["seconds"], fixes={"slow": FIXES["good"], "quick": FIXES["bad"]})
    records = train(made, tmp_path)
    for run in made.runs:
        kept = records.load_one(run.id)
        assert kept is not None
        seconds = 2.0 + 0.5 * run.cell.fixes["slow"] - 0.2 * run.cell.fixes["quick"] + 0.01 * (run.seed * len(run.cell.label) % 3)
        records.save(replace(kept, seconds=seconds))
    found = assess(made, records)
    assert verdict_json(found)["secondary"]["seconds"]["slow"]["effect"] == pytest.approx(-0.5, abs=0.02)  # positive is better
    price = price_part(found)
    assert price is not None and price.off.startswith("all off: 2.0")
    said = {row.name: (row.word, row.added[0], row.percent) for row in price.rows}
    assert said == {"slow": ("costs time", "+", "+25 %"), "quick": ("saves time", "−", "−10 %")}


def timed(params: dict[str, Any], run: Any) -> dict[str, float]:
    """A target with a metric of its own that is called seconds."""
    return {"score": float(run.seed), "seconds": 1e6}


def test_seconds_are_always_the_runs_own_and_tell_nothing_of_what_a_target_read(tmp_path: Path) -> None:
    made = plan(target="tests.test_holding:timed", design={"seeds": 2}, secondary=["seconds"], fixes={"good": FIXES["good"]})
    found = assess(made, train(made, tmp_path))
    assert any(text.startswith("good changed nothing") for text in found.warnings)
    write_results(found, tmp_path)
    with (tmp_path / "runs.csv").open(newline="") as file:
        assert all(float(row["seconds"]) < 1000 for row in csv.DictReader(file))


def test_optuna_tells_contexts_apart_and_follows_a_study_that_gains_one(made: Plan, tmp_path: Path) -> None:
    less = plan(contexts={"small": TWO["small"]})
    for told in (less, made):
        trials = Trials(default_storage(tmp_path), replace(told, name="trial"))
        ended = [run for run in told.runs if run.seed == 0 and run.cell.label.endswith("all on")]
        trials.reconcile(told.runs, {run.id: Record(run.id, "completed", 0.0, 0.0, {"score": 1.0}) for run in ended})
    there = optuna.load_study(study_name="trial", storage=default_storage(tmp_path)).trials
    assert {trial.user_attrs["arm"]: trial.params["context"] for trial in there} == {
        "all on": OWN,
        "small: all on": "small",
        "wide: all on": "wide",
    }
    assert len(there) == 3
