"""Optuna and MLflow hold the runs that the records hold, whatever came in between. Real SQLite stores."""

import shutil
from contextlib import ExitStack
from dataclasses import replace

import optuna
import pytest
from mlflow.tracking import MlflowClient

from ablate.assess import assess
from ablate.design import make_plan
from ablate.driver import Driver, default_storage, missing
from ablate.engines.inline import InlineEngine
from ablate.errors import BadInput
from ablate.mirror import Mirror, NullMirror
from ablate.records import Records
from ablate.study import Study
from ablate.target import load_target
from ablate.tracking import MLflowTracker
from ablate.tracking.store import key
from ablate.trials import Trials
from ablate.written import write_results
from tests.stored import Silent, new_store


class Stopping(Silent):
    """A watcher that interrupts after some runs, as Ctrl-C does."""

    def __init__(self, after):
        self.after = after

    def ended(self, run, record):
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


def make(params=None):
    study = {
        "name": "stored",
        "target": "ablate.targets.planted:train",
        "params": params or {},
        "fixes": {"a": {"off": {"helps": 0}, "on": {"helps": 1}}, "b": {"off": {"harms": 0}, "on": {"harms": 1}}},
        "design": {"seeds": 2},
        "sweeps": {"dose": {"param": "helps", "values": [0.5, 1], "seeds": 2}},
        "outcome": {"metric": "score"},
        "curves": ["progress"],
    }
    return make_plan(Study.model_validate(study), load_target(study["target"]))


def carry_out(plan, folder, watcher=None, tracking=True, fresh=False):
    records = Records(folder / "out")
    with records.lock(), ExitStack() as held:
        trials = Trials(default_storage(records.out), plan)
        mirror = held.enter_context(mirrored(plan, records, folder)) if tracking else NullMirror()
        mirror.opened()
        if fresh:
            records.forget()
            trials.forget()
        driver = Driver(plan, records, trials, mirror)
        driver.catch_up(records.load())
        todo = missing(plan, records.load())
        driver.train(todo, InlineEngine(), watcher or Silent())
        driver.catch_up(records.load())
    return len(todo)


def mirrored(plan, records, folder):
    uri = f"sqlite:///{folder}/mlflow.db"
    new_store(uri)
    return Mirror(MLflowTracker(uri, plan, records.identity()), records)


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Both stores as others read them: run ids → what is known of them."""
    monkeypatch.chdir(tmp_path)

    def read(folder=tmp_path):
        study = optuna.load_study(study_name="stored", storage=f"sqlite:///{folder}/out/optuna.db")
        trials = {t.user_attrs["run_id"]: t for t in study.trials}
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        found = client.search_runs([client.get_experiment_by_name("stored").experiment_id])
        children = {r.data.tags["run_id"]: r for r in found if "run_id" in r.data.tags}
        assert len(children) == len(found) - 1
        return trials, children, client

    return read


def test_every_planned_run_is_once_in_records_optuna_and_mlflow(tmp_path, stores):
    plan = make()
    assert carry_out(plan, tmp_path) == len(plan.runs) == 10
    trials, children, client = stores()
    records = Records(tmp_path / "out").load()
    assert set(trials) == set(children) == set(records) == {run.id for run in plan.runs}
    for run in plan.runs:
        record, trial, child = records[run.id], trials[run.id], children[run.id]
        assert (record.trial, record.mlflow) == (trial.number, child.info.run_id)
        assert trial.value == record.metrics["score"] == child.data.metrics["score"]
        assert child.info.run_name == run.name
        assert child.data.params == {key: str(value) for key, value in run.cell.params.items()}
        assert {child.data.tags[f"fix.{name}"] for name in "ab"} <= {"on", "off"}
        assert [m.step for m in client.get_metric_history(child.info.run_id, "progress")] == list(range(20))


def test_a_finished_study_trains_nothing_and_adds_nothing(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    before = {key: child.info.run_id for key, child in stores()[1].items()}
    assert carry_out(plan, tmp_path) == 0
    trials, children, _ = stores()
    assert {key: child.info.run_id for key, child in children.items()} == before
    assert len(trials) == 10


@pytest.mark.parametrize("after", [1, 4, 9])
def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, stores, after):
    plan = make()
    with pytest.raises(KeyboardInterrupt):
        carry_out(plan, tmp_path, Stopping(after))
    assert carry_out(plan, tmp_path) == 10 - after
    trials, children, _ = stores()
    assert set(trials) == set(children)
    assert {t.state for t in trials.values()} == {optuna.trial.TrialState.COMPLETE}
    assert {c.info.status for c in children.values()} == {"FINISHED"}


def test_runs_trained_without_a_tracker_are_shown_once_there_is_one(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path, tracking=False)
    assert carry_out(plan, tmp_path) == 0
    assert len(stores()[1]) == 10


def test_a_mirror_that_broke_off_is_completed_not_doubled(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    _, children, client = stores()
    key = children[plan.runs[0].id].info.run_id
    client.update_run(key, status="RUNNING")
    client.delete_tag(key, "state")
    carry_out(plan, tmp_path)
    _, children, client = stores()
    assert children[plan.runs[0].id].info.run_id == key
    assert children[plan.runs[0].id].info.status == "FINISHED"
    assert len(client.get_metric_history(key, "progress")) == 20


def broken(folder):
    """A plan whose target fails as long as there is no file `mended`."""
    (folder / "fragile.py").write_text(
        "import os\ndef train(params, run):\n"
        "    if params['x'] and not os.path.exists('mended'): raise RuntimeError('planted failure')\n"
        "    return {'score': params['x'] + run.seed}\n"
    )
    fixes = {"a": {"off": {"x": 0}, "on": {"x": 1}}}
    study = {"name": "stored", "target": "fragile:train", "fixes": fixes, "design": {"seeds": 2}, "outcome": {"metric": "score"}}
    return make_plan(Study.model_validate(study), load_target(study["target"]))


@pytest.mark.parametrize("tracked", [True, False])
def test_failures_are_shown_and_once_tried_again_each_run_stands_once_as_it_ended(tmp_path, stores, tracked):
    plan = broken(tmp_path)
    assert carry_out(plan, tmp_path) == 4
    trials, children, _ = stores()
    assert sorted(t.state.name for t in trials.values()) == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]
    assert sorted(c.info.status for c in children.values()) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    assert any("planted failure" in c.data.tags.get("mlflow.note.content", "") for c in children.values())

    assert carry_out(plan, tmp_path) == 2  # fails again: shown once, as it ended last
    again = stores()[1]
    assert {c.info.run_id for c in again.values() if c.info.status == "FAILED"}.isdisjoint(
        {c.info.run_id for c in children.values()}
    )
    (tmp_path / "mended").touch()
    assert carry_out(plan, tmp_path, tracking=tracked) == 2
    assert carry_out(plan, tmp_path) == 0
    trials, children, _ = stores()
    records = Records(tmp_path / "out").load()
    assert {t.state.name for t in trials.values()} == {"COMPLETE"}
    assert {c.info.status for c in children.values()} == {"FINISHED"}
    assert {key: (r.trial, r.mlflow) for key, r in records.items()} == {
        key: (trials[key].number, children[key].info.run_id) for key in records
    }


def test_what_was_not_linked_before_a_kill_is_linked_on_the_next_run(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    records = Records(tmp_path / "out")
    before = records.load()[plan.runs[0].id]
    records.link([replace(before, trial=None, mlflow=None)])
    carry_out(plan, tmp_path)
    assert records.load()[plan.runs[0].id] == before


def test_another_goal_makes_another_optuna_study_of_the_same_records(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    study = plan.study.model_copy(update={"outcome": plan.study.outcome.model_copy(update={"goal": "minimize"})})
    assert carry_out(make_plan(study, plan.target), tmp_path) == 0
    assert len(stores()[0]) == 10
    found = optuna.load_study(study_name="stored", storage=f"sqlite:///{tmp_path}/out/optuna.db")
    assert found.direction.name == "MINIMIZE"


def test_two_folders_of_one_study_have_a_parent_run_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make()
    carry_out(plan, tmp_path)
    other = Records(tmp_path / "two")
    (tmp_path / "two").mkdir()
    with mirrored(plan, other, tmp_path) as mirror:
        mirror.opened()
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("stored").experiment_id])
    assert len([run for run in runs if run.data.tags.get("kind") == "study"]) == 2
    assert len([run for run in runs if run.data.tags.get("kind") == "run"]) == 10


def test_a_run_without_a_finite_outcome_has_diverged_and_counts_nowhere(tmp_path, stores):
    (tmp_path / "wild.py").write_text(
        "def train(params, run):\n"
        "    return {'score': float('inf') if params['x'] and run.seed else 1.0, 'other': float('nan')}\n"
    )
    fixes = {"a": {"off": {"x": 0}, "on": {"x": 1}}}
    study = {"name": "stored", "target": "wild:train", "fixes": fixes, "design": {"seeds": 2}, "outcome": {"metric": "score"}}
    plan = make_plan(Study.model_validate(study), load_target("wild:train"))
    carry_out(plan, tmp_path)
    states = [record.state for record in Records(tmp_path / "out").load().values()]
    assert sorted(states) == ["completed", "completed", "completed", "diverged"]
    assert sorted(t.state.name for t in stores()[0].values()) == ["COMPLETE"] * 3 + ["FAIL"]


def test_an_outcome_that_only_some_arms_return_fails_those_runs(tmp_path, stores):
    (tmp_path / "partial.py").write_text("def train(params, run):\n    return {} if params['x'] else {'score': 1.0}\n")
    fixes = {"a": {"off": {"x": 0}, "on": {"x": 1}}}
    study = {"name": "stored", "target": "partial:train", "fixes": fixes, "design": {"seeds": 2}, "outcome": {"metric": "score"}}
    carry_out(make_plan(Study.model_validate(study), load_target("partial:train")), tmp_path)
    failed = [record for record in Records(tmp_path / "out").load().values() if record.state == "failed"]
    assert len(failed) == 2
    assert "'score' was not among the final metrics that partial:train returned (none)" in failed[0].error


def test_a_curve_that_is_also_a_final_metric_is_shown_in_full(tmp_path, stores):
    (tmp_path / "both.py").write_text(
        "def train(params, run):\n"
        "    for step in range(5): run.log_metrics({'score@1': step + params['x']}, step)\n"
        "    return {'score@1': 4.0 + params['x']}\n"
    )
    fixes = {"a": {"off": {"x": 0}, "on": {"x": 1}}}
    study = {"name": "stored", "target": "both:train", "fixes": fixes, "design": {"seeds": 2}}
    study |= {"outcome": {"metric": "score@1"}, "curves": ["score@1"]}
    plan = make_plan(Study.model_validate(study), load_target("both:train"))
    carry_out(plan, tmp_path)
    _, children, client = stores()
    history = client.get_metric_history(children[plan.runs[0].id].info.run_id, key("score@1"))
    assert [(point.step, point.value) for point in history] == [(step, float(step)) for step in range(5)]


def test_fresh_forgets_what_was_trained(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    old = {child.info.run_id for child in stores()[1].values()}
    assert carry_out(plan, tmp_path, fresh=True) == 10
    trials, children, _ = stores()
    assert len(trials) == 10
    assert old.isdisjoint({child.info.run_id for child in children.values()})


def test_whatever_is_made_of_the_records_is_there_again_where_it_was_deleted(tmp_path, stores):
    plan, one, two = make(), tmp_path / "one", tmp_path / "two"

    def told(folder):
        trials, children, client = stores(folder)
        write_results(assess(plan, Records(folder / "out")), folder / "out")
        csv = (folder / "out" / "runs.csv").read_text()
        for child in children.values():  # new runs have new ids
            csv = csv.replace(child.info.run_id, "")
        optuna = {run: (t.number, t.value, t.state, t.params, t.user_attrs) for run, t in trials.items()}
        mlflow = {
            run: (child.data.params, child.data.metrics, child.info.status, child.data.tags["trial"], points(client, child))
            for run, child in children.items()
        }
        return csv, optuna, mlflow

    def points(client, child):
        return [(each.step, each.value) for each in client.get_metric_history(child.info.run_id, "progress")]

    carry_out(plan, one)
    before = told(one)
    shutil.copytree(one / "out", two / "out", ignore=shutil.ignore_patterns("runs.csv", "optuna.db"))
    assert carry_out(plan, two) == 0
    assert told(two) == before


def test_optuna_knows_fixes_as_categories_and_the_swept_value(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    trials = stores()[0]
    arm = trials[next(run.id for run in plan.runs if run.cell.label == "a")]
    assert arm.params == {"a": "on", "b": "off"}
    point = trials[next(run.id for run in plan.runs if run.cell.label == "dose=0.5")]
    assert point.params == {"a": "on", "b": "on", "dose": 0.5}


def test_stores_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(BadInput, match="--storage: 'nonsense' can't be opened"):
        Trials("nonsense", make())
    with pytest.raises(BadInput, match="--tracking-uri: 'nonsense://x' can't be opened"):
        MLflowTracker("nonsense://x", make(), "id")
