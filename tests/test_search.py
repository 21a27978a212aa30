"""Searches: what a sampler asks depends on what is recorded alone, whatever was interrupted. Planted effects, really trained."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from ablate.assess import assess
from ablate.design import Plan, PlannedRun
from ablate.driver import Driver, default_storage, missing
from ablate.engines.inline import InlineEngine
from ablate.errors import BadInput
from ablate.forecast import forecast, progress
from ablate.mirror import NullMirror
from ablate.records import Record, Records
from ablate.samplers import ask
from ablate.search import search, with_asked
from ablate.sections import Sweep
from ablate.study import load_study
from ablate.trials import Trials
from ablate.written import runs_csv, verdict_json
from tests.builders import plan, raw, write_study
from tests.stored import Silent

RATE = {"param": "rate", "low": 0.01, "high": 100, "log": True, "trials": 6, "fixes": ["good"], "seeds": 2}
FIXES = {"good": {"off": {"helps": 0}, "on": {"helps": 1}}}
SMALL: dict[str, Any] = {"fixes": FIXES, "design": {"seeds": 2}, "params": {"steps": 1, "noise": 0.1}}


class Watching(Silent):
    """A watcher that interrupts after some runs, as Ctrl-C does, and notes how many runs it was told of."""

    def __init__(self, after: int = -1) -> None:
        self.after, self.planned = after, 0

    def ended(self, run: PlannedRun, record: Record) -> None:
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt

    def replan(self, plan: Plan) -> None:
        self.planned = plan.planned


def searched(made: Plan, out: Path, watcher: Watching | None = None, storage: str = "sqlite:///:memory:") -> tuple[Plan, Records]:
    """What `run` does, without a command line."""
    records, watcher = Records(out), watcher or Watching()
    with records.lock():
        made = with_asked(made, records)
        driver = Driver(made, records, Trials(storage, made), NullMirror())
        driver.train(missing(made, records.load()), InlineEngine(), watcher)
        return search(made, records, driver, InlineEngine(), watcher), records


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "qmc"])
def test_a_sampler_asks_the_same_of_the_same_history_and_within_the_range(sampler: str) -> None:
    sweep = Sweep.model_validate({**RATE, "sampler": sampler})
    history: list[tuple[float, float | None]] = [(0.1, 1.0), (1, 3.0), (30, None), (5, 2.0), (0.5, 2.9), (2, 2.8)]
    asked = [ask(sweep, history, "maximize", (1, seed)) for seed in (2, 2, 3)]
    assert asked[0] == asked[1] and all(0.01 <= value <= 100 for value in asked)
    assert asked[0] != asked[2] or sampler in ("qmc", "gp")  # the best by a model is the same for any seed
    other = ask(sweep, [(value, outcome and -outcome) for value, outcome in history], "maximize", (1, 2))
    assert other != asked[0] or sampler in ("qmc", "random")
    if sampler == "qmc":  # its values follow from their number alone
        first = [ask(sweep, history[:n], "maximize", (1, 0)) for n in range(6)]
        assert first[1:] != sorted(first[1:]) and len(set(first)) == 6


def test_an_interrupted_search_ends_with_the_same_values_and_verdict(tmp_path: Path) -> None:
    made = plan(**SMALL, sweeps={"rate": {**RATE, "toggle": ["good"]}, "other": {**RATE, "trials": 3, "sampler": "random"}})
    assert (made.planned, made.to_ask) == (4 + 24 + 6, {"rate": 24, "other": 6})
    whole, records = searched(made, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        searched(made, tmp_path / "broken", Watching(after=4 + 9))  # in the middle of the second value
    half = Records(tmp_path / "broken")
    known = with_asked(made, half)
    assert [len(known.sweeps[name]) for name in ("rate", "other")] == [2, 2]
    found = assess(known, half)
    assert not found.complete and verdict_json(found)["design"]["planned"] == 34
    now = progress(known, half)
    assert (now["planned"], now["done"], now["missing"]) == (34, 13, 21) and forecast(known, half).to_train == 21
    watcher = Watching()
    resumed, _ = searched(made, tmp_path / "broken", watcher)
    assert [p.value for p in resumed.sweeps["rate"]] == [p.value for p in whole.sweeps["rate"]]
    assert verdict_json(assess(resumed, half)) == verdict_json(assess(whole, records))
    assert assess(resumed, half).complete and watcher.planned == 34
    again, _ = searched(made, tmp_path / "broken", watcher := Watching())
    assert again.runs == resumed.runs and watcher.after == -1  # nothing was trained


def test_optunas_own_study_shows_a_searched_value_within_its_range(tmp_path: Path) -> None:
    made, records = searched(
        plan(**SMALL, sweeps={"rate": {**RATE, "trials": 2, "toggle": ["good"]}}), tmp_path, None, default_storage(tmp_path)
    )
    trials = optuna.load_study(study_name="trial", storage=default_storage(tmp_path)).trials
    swept = [trial for trial in trials if "rate" in trial.params]
    assert len(swept) == 8 and {trial.params["rate"] for trial in swept} == {p.value for p in made.sweeps["rate"]}
    assert {str(trial.distributions["rate"]) for trial in swept} == {
        str(optuna.distributions.FloatDistribution(0.01, 100, log=True))
    }
    rows = pd.read_csv(StringIO(runs_csv(assess(made, records))))
    assert rows["sweep.rate"].notna().sum() == 8  # the cells with the fix turned the other way, too
    assert json.loads(records.asked.read_text())
    records.forget()
    assert with_asked(made, records).sweeps["rate"] == ()


def test_the_search_finds_the_planted_best(tmp_path: Path) -> None:
    made, records = searched(plan(**SMALL, sweeps={"rate": {**RATE, "trials": 12, "seeds": 2}}), tmp_path)
    found = assess(made, records).knobs["rate"].best
    assert found is not None and 0.2 < found.value < 2
    assert all(float(f"{point.value:.6g}") == point.value for point in made.sweeps["rate"])


def test_whole_numbers_are_given_as_such_and_each_is_tried_once(tmp_path: Path) -> None:
    sweep = {"param": "steps", "low": 1, "high": 5, "integer": True, "trials": 5, "seeds": 2}
    made, _ = searched(plan(**{**SMALL, "params": {}}, sweeps={"steps": sweep}), tmp_path)
    points = made.sweeps["steps"]
    assert [point.value for point in points] == [1, 2, 3, 4, 5]
    assert all(type(made.cells[point.cell].params["steps"]) is int for point in points)


def test_a_value_at_which_nothing_completes_is_told_as_failed_and_the_search_goes_on(tmp_path: Path) -> None:
    sweep = {**RATE, "low": -100, "high": 1, "log": False, "trials": 4}  # a rate below 0 has no logarithm
    made, records = searched(plan(**SMALL, sweeps={"rate": sweep}), tmp_path)
    found = assess(made, records)
    assert len(found.sweeps["rate"]) == 4 and found.count("failed") >= 2
    assert not found.complete and found.knobs["rate"].best is None


def test_another_range_is_another_search_and_more_trials_go_on_with_it(tmp_path: Path) -> None:
    def values(**changes: Any) -> list[float]:
        return [
            p.value for p in searched(plan(**SMALL, sweeps={"rate": {**RATE, "trials": 2} | changes}), tmp_path)[0].sweeps["rate"]
        ]

    first = values()
    assert set(first) < set(values(trials=3)) and set(first).isdisjoint(values(low=0.02))
    assert values() == first


def test_quick_tries_few_values() -> None:
    assert plan(quick=True, **SMALL, sweeps={"rate": RATE}).to_ask == {"rate": 6}


def test_a_knob_that_changes_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match=r"sweeps\.s\.toggle: good changes nothing while helps is swept; leave it out"):
        plan(**SMALL, sweeps={"s": {"param": "helps", "values": [0.5, 2], "toggle": ["good"]}})


def test_reading_what_was_asked_takes_no_optuna() -> None:
    code = "import sys, ablate.search, ablate.assess, ablate.display; print([n for n in ('optuna', 'torch') if n in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "cma"}, r"sweeps\.s\.sampler: 'cma' can't be used; it should be 'tpe', 'gp', 'random' or 'qmc'"),
        ({"low": 5, "high": 5}, r"sweeps\.s must have 0 < low < high, as log is true, but low is 5 and high is 5"),
        ({"low": 5, "high": 2, "log": False}, r"sweeps\.s must have low < high, but low is 5 and high is 2"),
        ({"low": 0}, r"sweeps\.s must have 0 < low < high, as log is true, but low is 0 and high is 100"),
        ({"high": None}, r"sweeps\.s must give either values, or low, high and trials, but high is missing"),
        ({"values": [1, 2]}, r"sweeps\.s must give either values, or low, high and trials, but gives values and low"),
        ({"integer": True}, r"sweeps\.s must have whole low and high, as integer is true, but low is 0\.01 and high is 100"),
        ({"low": 1, "high": 4, "integer": True}, r"sweeps\.s must not try more than the 4 whole numbers.*but trials is 6"),
        ({"trials": 1}, r"sweeps\.s\.trials: 1 can't be used"),
        ({"toggle": ["goood"]}, r"sweeps\.s\.toggle: 'goood' is not a fix of this study; use 'good'"),
        ({"toggle": ["good", "good"]}, r"sweeps\.s\.toggle must not repeat a fix"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    sweep = {key: value for key, value in {**RATE, **changes}.items() if value is not None}
    with pytest.raises(BadInput, match=message) as caught:
        load_study(write_study(tmp_path, raw(**SMALL, sweeps={"s": sweep})))
    assert "\n" not in str(caught.value)


def test_the_command_line_searches_and_says_what_it_found(cli: Any) -> None:
    done = cli("run", "studies/planted_knobs.yaml", "--engine", "inline", "--tracking-uri", "none", timeout=120)
    assert done.returncode == 0, done.stderr
    assert "72 trained now, 72 in the study" in done.stdout
    out = cli.folder / "reports" / "planted_knobs"
    knobs = json.loads((out / "verdict.json").read_text())["knobs"]
    assert f"sweep best_rate (rate): {knobs['best_rate']['sentence']}" in done.stdout
    assert 0.2 < knobs["best_rate"]["best"] < 2 and knobs["rate"]["best"] in (0.3, 1)
    assert "good helps at 0.1, 0.3, 1" in done.stdout and knobs["rate"]["toggles"]["good"]["p_same"] < 0.001
