"""What was to be analysed is noted before the first run, and every change of it afterwards is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ablate.assess import assess
from ablate.design import Plan
from ablate.preregistration import differences, history, register, registered
from ablate.records import Records
from ablate.written import verdict_json
from tests.builders import plan, train

FIXES = {"good": {"off": {"helps": 0}, "on": {"helps": 1}}}


def made(**changes: Any) -> Plan:
    return plan(**{"fixes": FIXES, "sweeps": {}, "design": {"seeds": 2}} | changes)


def test_what_was_fixed_before_the_first_run_is_told_and_nothing_depends_on_the_clock(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        register(made(), Records(folder))
        train(made(), folder)
        register(made(), Records(folder))
    entries = [history(tmp_path / name) for name in "ab"]
    assert [len(each) for each in entries] == [1, 1]
    assert (entries[0][0].runs, entries[0][0].analysis["outcome"]["goal"]) == (0, "maximize")
    shown = [verdict_json(assess(made(), Records(tmp_path / name))) for name in "ab"]
    assert shown[0] == shown[1]
    assert shown[0]["preregistration"] == {"hash": entries[0][0].hash, "registered": "before the first run", "changes": []}
    assert entries[0][0].time[:16] not in json.dumps(shown[0])
    assert registered(made(), Records(tmp_path / "a")).said.startswith("fixed before the first run (")


def test_a_change_after_the_runs_is_told_with_its_key_and_their_number(tmp_path: Path) -> None:
    records = Records(tmp_path)
    register(made(), records)
    train(made(), tmp_path)
    changed = made(outcome={"metric": "score", "minimum_effect": 0.3})
    register(changed, records)
    found = assess(changed, records)
    assert found.registered.changes == ("outcome.minimum_effect: 0 → 0.3 (after 4 runs)",)
    assert "the analysis was changed: outcome.minimum_effect: 0 → 0.3 (after 4 runs)" in found.warnings
    assert found.verdict.fixes  # it withholds nothing
    register(made(), records)  # and back
    assert registered(made(), records).changes == ()
    assert [entry.runs for entry in history(tmp_path)] == [0, 4, 4]


def test_a_change_before_any_run_is_no_change(tmp_path: Path) -> None:
    register(made(), Records(tmp_path))
    changed = made(outcome={"metric": "score", "minimum_effect": 0.3})
    register(changed, Records(tmp_path))
    now = registered(changed, Records(tmp_path))
    assert (now.when, now.changes) == ("before the first run", ())


def test_fresh_keeps_what_was_noted_and_says_that_all_was_trained_again(tmp_path: Path) -> None:
    records = Records(tmp_path)
    register(made(), records)
    train(made(), tmp_path)
    changed = made(outcome={"metric": "score", "minimum_effect": 0.3})
    register(changed, records, fresh=True)
    records.forget()
    train(changed, tmp_path)
    now = registered(changed, records)
    assert (now.when, now.again) == ("after 4 runs", 1)
    assert now.said.endswith("; all runs were trained again once (--fresh)")


def test_claims_and_shared_params_are_part_of_the_analysis(tmp_path: Path) -> None:
    claim = {"name": "c", "metric": "score", "comparison": ">", "value": 0}
    base = registered(made(claims=[claim]), Records(tmp_path)).hash
    assert registered(made(claims=[claim | {"value": 0.0}]), Records(tmp_path)).hash == base
    assert registered(made(claims=[claim | {"value": 1}]), Records(tmp_path)).hash != base
    assert registered(made(claims=[claim], target="tests.checked:clocked"), Records(tmp_path)).hash != base


def test_params_changed_after_the_runs_are_told(tmp_path: Path) -> None:
    records = Records(tmp_path)
    register(made(params={"noise": 0.3}), records)
    train(made(params={"noise": 0.3}), tmp_path)
    changed = made(params={"noise": 0.1, "steps": 2})
    register(changed, records)
    said = registered(changed, records).changes
    assert said == ("params.noise: 0.3 → 0.1 (after 4 runs)", "params.steps: unset → 2 (after 4 runs)")


def test_differences_name_things_in_lists() -> None:
    old = {"claims": [{"name": "a", "value": 1}], "secondary": [], "design": {"seeds": 4}}
    new = {"claims": [{"name": "a", "value": 2}], "secondary": [{"metric": "m"}], "design": {"seeds": 4, "kind": "x"}}
    assert list(differences(old, new)) == ["claims.a.value: 1 → 2", "secondary.m: added", "design.kind: unset → x"]
