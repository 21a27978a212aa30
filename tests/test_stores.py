"""Optuna and MLflow hold the runs that the records hold, whatever came in between. Real SQLite stores."""

import optuna
import pytest
from mlflow.tracking import MlflowClient

from ablate.design import make_plan
from ablate.driver import Driver, default_storage, missing
from ablate.engines.inline import InlineEngine
from ablate.errors import BadInput
from ablate.records import Records
from ablate.study import Study
from ablate.target import load_target
from ablate.tracking import MLflowTracker, NullTracker
from ablate.trials import Trials


class Silent:
    """A watcher that watches nothing."""

    def preparing(self):
        pass

    def started(self, run):
        pass

    def ended(self, run, record):
        pass


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
    with records.lock():
        if fresh:
            records.forget()
        trials = Trials(default_storage(records.out), plan, fresh)
        tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", plan, fresh) if tracking else NullTracker()
        driver = Driver(plan, records, trials, tracker)
        todo = missing(plan, records.load())
        driver.train(todo, InlineEngine(), watcher or Silent())
        driver.catch_up(records.load())
    return len(todo)


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Both stores as others read them: run ids → what is known of them."""
    monkeypatch.chdir(tmp_path)

    def read():
        study = optuna.load_study(study_name="stored", storage=f"sqlite:///{tmp_path}/out/optuna.db")
        trials = {t.user_attrs["run_id"]: t for t in study.trials}
        assert len(trials) == len(study.trials)
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
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
    carry_out(plan, tmp_path)
    _, children, client = stores()
    assert children[plan.runs[0].id].info.run_id == key
    assert children[plan.runs[0].id].info.status == "FINISHED"
    assert len(client.get_metric_history(key, "progress")) == 20


def test_failures_are_shown_and_tried_again(tmp_path, stores):
    plan = make({"broken": True})
    assert carry_out(plan, tmp_path) == 10
    trials, children, _ = stores()
    assert {t.state for t in trials.values()} == {optuna.trial.TrialState.FAIL}
    assert {c.info.status for c in children.values()} == {"FAILED"}
    assert "planted failure" in next(iter(children.values())).data.tags["mlflow.note.content"]
    assert len(missing(plan, Records(tmp_path / "out").load())) == 10


def test_a_mirror_that_goes_down_loses_nothing_and_is_caught_up_with(tmp_path, stores):
    class Falling(MLflowTracker):
        """A tracker whose server goes away after three runs."""

        def mirror(self, run, record, curves, artifacts):
            if len(self.known) == 3:
                raise ConnectionError("refused")
            return super().mirror(run, record, curves, artifacts)

    plan, records = make(), Records(tmp_path / "out")
    records.out.mkdir()
    tracker = Falling(f"sqlite:///{tmp_path}/mlflow.db", plan)
    driver = Driver(plan, records, Trials(default_storage(records.out), plan), tracker)
    with pytest.warns(UserWarning, match=r"MLflow can't be reached \(refused\); the runs are kept"):
        driver.train(missing(plan, {}), InlineEngine(), Silent())
    assert len(records.load()) == 10
    assert len(stores()[1]) == 3
    assert carry_out(plan, tmp_path) == 0
    assert len(stores()[1]) == 10


def test_fresh_forgets_what_was_trained(tmp_path, stores):
    plan = make()
    carry_out(plan, tmp_path)
    old = {child.info.run_id for child in stores()[1].values()}
    assert carry_out(plan, tmp_path, fresh=True) == 10
    trials, children, _ = stores()
    assert len(trials) == 10
    assert old.isdisjoint({child.info.run_id for child in children.values()})


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
        MLflowTracker("nonsense://x", make())
