"""Swept knobs from records to verdict.json, the report and the terminal, on planted effects that were really trained."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.assess import Assessment, assess
from ablate.design import Plan, run_id
from ablate.records import Records
from ablate.report import write_report
from ablate.report.knobs import sweep_lines
from ablate.written import runs_csv, verdict_json
from tests.builders import plan, train
from tests.report.reading import pdf_text, squeezed

SWEEPS = {
    "dose": {"param": "helps", "values": [0, 0.5, 1], "seeds": 3},
    "rate": {"param": "rate", "values": [0.1, 1, 100], "fixes": ["good"], "toggle": ["good"], "seeds": 4},
}
CHANGES: dict[str, Any] = {
    "sweeps": SWEEPS,
    "params": {"noise": 0.2, "steps": 1},
    "design": {"seeds": 4},
    "outcome": {"metric": "score", "minimum_effect": 0.6},
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


def score(found: Assessment, cell: str) -> np.ndarray:
    return np.array([found.records[run_id(cell, seed)].metrics["score"] for seed in range(4)])


def test_a_toggled_fix_is_judged_at_each_value_by_on_less_off(found: Assessment) -> None:
    toggle = found.knobs["rate"].toggles["good"]
    assert [point.word for point in toggle.points] == ["helps", "helps", "negligible"]
    for point, planned in zip(toggle.points, found.plan.sweeps["rate"], strict=True):
        difference = score(found, planned.cell) - score(found, planned.toggled["good"])
        assert point.effect.effect == pytest.approx(difference.mean())
    assert toggle.p_same is not None and toggle.p_same < 0.01
    assert toggle.sentence.startswith("good helps at 0.1 and 1 and is too small to matter at 100; its effect depends on rate")
    assert (found.knobs["rate"].best.value, found.knobs["rate"].best.rivals) == (1, ())  # type: ignore[union-attr]


def test_the_fix_may_be_turned_on_or_off_by_a_toggle(found: Assessment, tmp_path: Path) -> None:
    turned = plan(**{**CHANGES, "sweeps": {"rate": {**SWEEPS["rate"], "fixes": "all_off"}}})
    other = assess(turned, train(turned, tmp_path))
    first, second = (each.knobs["rate"].toggles["good"] for each in (found, other))
    assert [point.effect for point in first.points] == [point.effect for point in second.points]


def test_where_arms_of_the_design_are_the_pair_a_fix_is_judged_without_a_run_more(found: Assessment) -> None:
    assert len(found.plan.runs) == 8 * 4 + 3 + 2 * 2 * 4  # a dose of 0.5, and two rates off and on; the rest are arms
    knob = found.knobs["dose"]
    assert set(knob.toggles) == {"bad", "idle"}  # good sets the swept param itself
    assert [point.value for point in knob.toggles["bad"].points] == [0, 1]
    assert knob.toggles["bad"].sentence.startswith("bad harms at 0 and 1")
    arms = found.plan.arms
    loss = score(found, arms[frozenset({"bad", "idle"})]) - score(found, arms[frozenset({"idle"})])  # all on, with a dose of 0
    assert knob.toggles["bad"].points[0].effect.effect == pytest.approx(loss.mean())


def test_verdict_json_and_the_terminal_say_what_is_known_of_the_knobs(found: Assessment) -> None:
    knobs = json.loads(json.dumps(verdict_json(found)["knobs"], allow_nan=False))
    assert set(knobs["rate"]) == {"best", "not_told_from_best", "sentence", "toggles"}
    assert (knobs["rate"]["best"], knobs["rate"]["not_told_from_best"]) == (1.0, [])
    good = knobs["rate"]["toggles"]["good"]
    assert set(good) == {"points", "p_same", "sentence"}
    assert all(set(point) == {"value", "effect", "ci", "verdict"} for point in good["points"])
    lines = list(sweep_lines(found))
    assert lines[1] == "sweep rate: best at 1, told from every other value" and lines[2].strip() == good["sentence"]
    rows = pd.read_csv(StringIO(runs_csv(found)))
    assert rows.loc[rows["arm"] == "rate=0.1, without good", "sweep.rate"].tolist() == [0.1] * 4


def test_a_lost_run_costs_its_seed_and_a_sweep_without_runs_says_so(made: Plan, tmp_path: Path) -> None:
    point = made.sweeps["rate"][0]
    found = assess(made, train(made, tmp_path, skip=(run_id(point.cell, 2),)))
    assert [response.seeds for response in found.sweeps["rate"]] == [3, 3, 3]
    assert len(found.knobs["rate"].toggles["good"].points) == 3
    empty = assess(made, Records(tmp_path / "none"))
    assert empty.knobs["rate"].sentence == "no best value can be told: fewer than two complete seeds"
    assert verdict_json(empty)["knobs"]["rate"]["best"] is None


def test_the_report_draws_the_toggled_fix_against_its_knob(found: Assessment, records: Records, tmp_path: Path) -> None:
    text = pdf_text(write_report(found, records, tmp_path))
    sentence = found.knobs["rate"].toggles["good"].sentence
    for said in (sentence, "Best at 1, told from every other value", "Intervals are 95 % at each value by itself"):
        assert squeezed(said) in text
    assert {"sweeps", "toggles"} <= {path.stem for path in (tmp_path / "figures").glob("*.svg")}
