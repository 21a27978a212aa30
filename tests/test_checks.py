"""A study's own checks on planted runs: what fails withholds the verdict, names why, and costs no run to put right."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from ablate.analysis.checks import Check
from ablate.assess import Assessment, assess
from ablate.design import Plan
from ablate.driver import Driver, default_storage, missing, unchecked
from ablate.engines.inline import InlineEngine
from ablate.mirror import NullMirror
from ablate.records import Records
from ablate.report import write_report
from ablate.report.knobs import sweep_lines
from ablate.trials import Trials
from ablate.written import runs_csv, verdict_json
from tests.builders import plan, train
from tests.report.reading import pdf_text, squeezed
from tests.stored import Silent

GOOD = {"off": {"helps": 0}, "on": {"helps": 1}}
NOTE = {"off": {"note": ""}, "on": {"note": "read by nobody"}}


def checked(out: Path, **changes: Any) -> Assessment:
    made = plan(**{"sweeps": {}, "design": {"seeds": 3}} | changes)
    return assess(made, train(made, out))


def named(found: Assessment, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


def test_a_fix_that_changed_nothing_withholds_the_verdict_and_is_put_right_without_a_run(tmp_path: Path) -> None:
    found = checked(
        tmp_path, fixes={"good": GOOD, "unread": NOTE}, claims=[{"name": "c", "metric": "score", "comparison": ">", "value": 0}]
    )
    said = "unread changed nothing: all that a run logs and returns is the same with it on and off"
    assert found.verdict.headline == f"No verdict: {said}; mend it, take it out, or mark it placebo: true."
    assert verdict_json(found)["fixes"] == {}
    assert found.claims[0].verdict == "confirmed"
    records = Records(tmp_path)
    for fixes in ({"good": GOOD}, {"good": GOOD, "unread": NOTE | {"placebo": True}}):
        mended = plan(fixes=fixes, sweeps={}, design={"seeds": 3})
        assert missing(mended, records.load()) == []
        assert set(assess(mended, records).verdict.fixes) == {"good"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "progress", "steps": [0, 0]}, ""),
        ({"metric": "score"}, ""),
        ({"metric": "progress", "steps": [3, 5]}, "it first differs at step 0 (all off and good, seed 0) and not at step 3 to 5"),
    ],
)
def test_a_fix_must_change_its_probe_at_the_right_step(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = checked(tmp_path, fixes={"good": GOOD | {"changes": change}})
    assert bool(found.verdict.fixes) is not bool(said)
    assert said in found.verdict.headline
    assert named(found, f"good changes {change['metric']}").passed is not bool(said)


def test_a_probe_that_stays_in_one_pair_of_arms_names_the_pair(tmp_path: Path) -> None:
    fixes = {
        "a": {"off": {"helps": 0}, "on": {"helps": 1}, "changes": {"metric": "progress"}},
        "b": {"off": {"steps": 20}, "on": {"steps": 19}},
    }
    made = plan(fixes=fixes, sweeps={}, design={"seeds": 2})
    records = train(made, tmp_path)
    for seed in range(2):  # with b on, a's runs leave what those without it leave
        off, on = (f"{made.arms[frozenset(arm)]}-{seed}" for arm in ({"b"}, {"a", "b"}))
        record = records.load_one(off)
        assert record
        (tmp_path / "curves" / f"{on}.parquet").write_bytes((tmp_path / "curves" / f"{off}.parquet").read_bytes())
        records.save(replace(record, run_id=on, files={"curves": record.files["curves"]}))
    headline = assess(made, records).verdict.headline
    assert "a did not change progress in 1 of 2 pairs of arms, which is the same in b and all on" in headline
    assert "; mend the fix or fixes.a.changes, or take it out." in headline  # it changes something: it is no placebo


def test_a_placebo_is_a_fix_of_exactly_no_effect(tmp_path: Path) -> None:
    found = checked(tmp_path, fixes={"good": GOOD, "placebo": NOTE})
    shown = verdict_json(found)
    assert shown["fixes"]["placebo"] == {
        "effect": 0.0,
        "ci": [0.0, 0.0],
        "p": 1.0,
        "p_adjusted": 1.0,
        "verdict": "negligible",
        "alone": None,  # only the arm with the most fixes on was measured with and without it
        "removed": None,
        "share": None,
        "seeds_needed": None,
    }
    assert shown["ranking"] == shown["design"]["fixes"] == ["good"]
    assert named(found, "placebo changes nothing").detail == "exactly the same in 3 of 3 seeds"
    frame = pd.read_csv(StringIO(runs_csv(found)))
    assert frame["fix.placebo"].value_counts().to_dict() == {"off": 6, "on": 3}
    assert len(frame) == 9


def test_a_placebo_that_moves_the_outcome_withholds_the_verdict(tmp_path: Path) -> None:
    found = checked(tmp_path, fixes={"good": GOOD, "sly": {"off": {"harms": 0}, "on": {"harms": 0.001}, "placebo": True}})
    assert found.verdict.fixes == {}
    assert "sly (a placebo) moved score in 3 of 3 seeds, by up to" in found.verdict.headline
    assert "randomness that the seed does not fix, or sly is no placebo" in found.verdict.headline


def test_a_run_that_can_not_be_repeated_is_a_warning_and_no_end_of_the_verdict(tmp_path: Path) -> None:
    fixes = {"x": {"off": {"x": 0}, "on": {"x": 1}}}
    found = checked(tmp_path / "a", target="tests.checked:restless", fixes=fixes)
    assert any(text.startswith("x · seed 0, trained a second time, differs: loss at step 2 (") for text in found.warnings)
    assert set(found.verdict.fixes) == {"x"}
    assert named(found, "A/A pair").passed is False
    steady = checked(tmp_path / "b", target="tests.checked:clocked", fixes=fixes)
    assert named(steady, "A/A pair").passed is True
    assert named(steady, "x changes something").detail.endswith("probe for one")


def test_the_run_trained_twice_is_no_run_of_the_study(tmp_path: Path) -> None:
    made = plan(fixes={"good": GOOD}, sweeps={}, design={"seeds": 2})
    records = train(made, tmp_path)
    assert [run.id for run in made.checks] == [f"{made.arms[frozenset({'good'})]}-0-again"]
    assert set(records.load()) == {run.id for run in made.runs}
    assert unchecked(made, records) == []
    (tmp_path / "checks/runs" / f"{made.checks[0].id}.json").unlink()
    assert unchecked(made, records) == list(made.checks)
    found = assess(made, records)
    assert found.verdict.fixes
    assert any("was not trained twice" in text for text in found.warnings)


def driven(made: Plan, out: Path) -> Records:
    """The records of a plan as the driver leaves them: it is the driver that sees a run diverge."""
    records = Records(out)
    with records.lock():
        trials = Trials(default_storage(out), made)
        driver = Driver(made, records, trials, NullMirror())
        driver.train(missing(made, records.load()) + unchecked(made, records), InlineEngine(), Silent())
        driver.catch_up(records.load())
        stored = optuna.load_study(study_name=made.name, storage=default_storage(out)).trials
        assert made.checks[0].id not in {trial.user_attrs["run_id"] for trial in stored}
    return records


STABLE = {"off": {"diverges": 0.5}, "on": {"diverges": 0}}


def diverging(value: float | None, **changes: Any) -> Plan:
    return plan(
        fixes={"good": GOOD, "stable": STABLE},
        sweeps={},
        design={"seeds": 6},
        outcome={"metric": "score", "on_divergence": value},
        **{"secondary": ["seconds"]} | changes,
    )


def test_a_diverged_run_is_an_outcome_where_the_study_says_what_it_is_worth(tmp_path: Path) -> None:
    records = driven(diverging(None), tmp_path)
    without = assess(diverging(None), records)
    said = "8 of 24 runs diverged (all off, good); say what such a run is worth by outcome.on_divergence"
    assert without.verdict.headline == f"No verdict: {said}."
    assert not without.complete
    found = assess(diverging(-3.0), records)
    assert (found.verdict.fixes["stable"].word, found.complete) == ("helps", True)
    assert found.verdict.fixes["good"].effect.effect > 0
    written = verdict_json(found)["divergence"]
    assert (written["value"], written["runs"]) == (-3.0, 8)
    assert written["arms"] == {"all off": 4, "good": 4, "stable": 0, "all on": 0}
    assert written["fixes"]["stable"] == {"off": 8, "on": 0, "pairs": 12, "p": 2 / 2**4, "p_adjusted": 4 / 2**4}
    assert written["fixes"]["good"] == {"off": 4, "on": 4, "pairs": 12, "p": 1.0, "p_adjusted": 1.0}
    assert 1 <= found.secondary["seconds"]["good"][0].df <= 3  # of six seeds, the two in which no arm diverged
    assert left_out(found) == ["secondary outcomes leave out the seeds in which a run diverged"]
    assert left_out(assess(diverging(-3.0, secondary=[]), records)) == []  # planted logs no score unless it is asked to


def left_out(found: Assessment) -> list[str]:
    return [text for text in found.warnings if "the seeds in which a run diverged" in text]


def test_an_outcome_that_is_logged_leaves_out_seeds_with_a_diverged_run(tmp_path: Path) -> None:
    made = diverging(-3.0, secondary=[], params={"evals": 3})
    said = "the effect as training goes on leaves out the seeds in which a run diverged"
    assert left_out(assess(made, driven(made, tmp_path))) == [said]


def test_a_run_that_stands_out_is_named(tmp_path: Path) -> None:
    made = plan(design={"seeds": 5})
    records = train(made, tmp_path)
    run = made.runs[8 * 3 + 2]
    record = records.load_one(run.id)
    assert record
    assert not assess(made, records).warnings
    records.save(replace(record, metrics={"score": record.metrics["score"] + 9}))
    found = assess(made, records)
    assert [text.partition(" (")[0] for text in found.warnings] == [run.name]
    assert found.verdict.fixes


def test_a_withheld_verdict_withholds_all_that_rests_on_it(tmp_path: Path) -> None:
    fixes = {"good": GOOD, "unread": NOTE}
    sweeps = {"rate": {"param": "rate", "values": [1, 100], "fixes": ["good"], "toggle": ["good"], "seeds": 3}}
    claims = [{"name": "c", "metric": "score", "comparison": ">", "value": 0}]
    params = {"evals": 5, "noise": 0.1}
    made = plan(fixes=fixes, sweeps=sweeps, design={"seeds": 3}, params=params, claims=claims, secondary=["seconds"])
    records = train(made, tmp_path)
    found = assess(made, records)
    shown = verdict_json(found)
    assert shown["headline"].startswith("No verdict: unread changed nothing")
    assert (shown["secondary"], shown["settled"], shown["trajectory"]) == ({}, {}, {})
    knob = {"best": None, "not_told_from_best": [], "sentence": "no verdict, as for the study itself", "toggles": {}}
    assert shown["knobs"] == {"rate": knob}
    assert shown["sweeps"]["rate"][0]["mean"] > shown["sweeps"]["rate"][1]["mean"]  # what was measured stays
    assert [claim["verdict"] for claim in shown["claims"]] == ["confirmed"]
    assert list(sweep_lines(found)) == ["sweep rate: no verdict, as for the study itself"]
    text = pdf_text(write_report(found, records, tmp_path))
    for said in ("As training goes on", "Secondary outcomes", "Do fixes help at other values", "helps at"):
        assert squeezed(said) not in text


FRACTION = {
    "good": GOOD,
    "bad": {"off": {"harms": 0}, "on": {"harms": 1}},
    "idle": {"off": {"nothing": 0}, "on": {"nothing": 1}},
    "fourth": {"off": {"steps": 20}, "on": {"steps": 19}},
}


@pytest.mark.parametrize("seen", [True, False])
def test_a_fix_of_a_fraction_is_checked_by_a_run_that_differs_from_an_arm_in_it_alone(seen: bool, tmp_path: Path) -> None:
    fixes = FRACTION | ({} if seen else {"fourth": NOTE})
    made = plan(fixes=fixes, sweeps={}, design={"kind": "fractional", "seeds": 2})
    found = assess(made, train(made, tmp_path))
    twins = made.twins
    assert [run.id.rpartition("-")[2] for run in made.checks] == ["again", *["twin"] * 4]
    assert all(twin.run.cell.id not in made.cells and fix not in twin.run.cell.label for fix, twin in twins.items())
    assert (made.planned, len(Records(tmp_path).load()), len(pd.read_csv(StringIO(runs_csv(found))))) == (16, 16, 16)
    assert bool(found.verdict.fixes) is seen
    check = named(found, "fourth changes something")
    assert (check.passed, check.compared) == (seen, "on and off, in 1 pair of arms over 1 seed")
    if not seen:
        assert found.verdict.headline.startswith("No verdict: fourth changed nothing: all that a run logs and returns is")


def test_without_its_run_a_fix_of_a_fraction_is_not_tested_and_that_is_told(tmp_path: Path) -> None:
    made = plan(fixes=FRACTION, sweeps={}, design={"kind": "fractional", "seeds": 2})
    found = assess(made, train(made, tmp_path, skip=(made.twins["fourth"].run.id,)))
    assert named(found, "fourth changes something").passed is None
    assert "fourth: there are no two runs of one seed that differ in it alone" in found.warnings
    assert found.verdict.fixes
