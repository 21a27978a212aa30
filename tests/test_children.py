"""What a store may hold of a study after deaths at the wrong moment, and what the next command makes of it. A real store."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from mlflow.tracking import MlflowClient

from ablate.intact import damages, leave_out, mend
from ablate.mirror import Mirror
from ablate.records import Records
from ablate.tracking import MLflowTracker
from ablate.tracking.restore import restore
from tests.builders import FIXES, raw
from tests.stored import carry_out, plan_of

STUDY = raw(fixes={"good": FIXES["good"]}, design={"seeds": 3}, curves=["progress"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        carry_out(STUDY, folder / "out", f"sqlite:///{folder}/mlflow.db")
    return folder


class Kept:
    """A copy of the store and the records."""

    def __init__(self, whole, folder):
        for path in whole.rglob("*"):
            if path.is_file() and "mlruns" not in path.parts and path.name != ".home":  # it stands for the folder itself
                (folder / path.relative_to(whole)).parent.mkdir(parents=True, exist_ok=True)
                (folder / path.relative_to(whole)).write_bytes(path.read_bytes())
        self.folder, self.uri, self.records = folder, f"sqlite:///{folder}/mlflow.db", Records(folder / "out")
        self.client = MlflowClient(self.uri)
        self.client.delete_tag(self.runs("study")[0].info.run_id, "ablate.home")

    def runs(self, kind):
        experiment = self.client.get_experiment_by_name("trial").experiment_id
        return self.client.search_runs([experiment], f"tags.kind = '{kind}'")

    def trainings(self):
        return {run.data.tags["run_id"]: run for run in self.runs("run")}

    def sync(self):
        """Tell the store of all records; returns how many runs it was told of."""
        plan = plan_of(STUDY)
        with Mirror(MLflowTracker(self.uri, plan, self.records.identity()), self.records) as mirror:
            mirror.catch_up(plan.runs, self.records.load())
            assert mirror.deliver()
        return mirror.delivered[0]

    def again(self):
        """The next command; returns how many runs it delivered."""
        sent = self.sync()
        assert {run: child.info.run_id for run, child in self.trainings().items()} == {
            run: record.mlflow for run, record in self.records.load().items()
        }
        assert len(self.trainings()) == len(self.runs("run"))
        return sent

    def copy_of(self, run, **changed):
        tags = {name: text for name, text in {**run.data.tags, **changed}.items() if text and name != "mlflow.runName"}
        experiment = run.info.experiment_id
        return self.client.create_run(experiment, run.info.start_time, tags, run.info.run_name).info.run_id


@pytest.fixture
def kept(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Kept(whole, tmp_path)


def test_what_is_whole_stays_as_it_is(kept):
    before = {run: child.info.run_id for run, child in kept.trainings().items()}
    assert kept.again() == 0
    assert {run: child.info.run_id for run, child in kept.trainings().items()} == before


def test_of_a_run_that_is_there_twice_the_whole_one_stays_and_what_was_broken_off_is_completed(kept):
    first, second, *_ = kept.trainings().values()
    kept.copy_of(first, state="")  # its answer was lost, and it was made again
    kept.copy_of(first)
    kept.client.update_run(second.info.run_id, status="RUNNING")
    assert kept.again() == 1
    now = kept.trainings()
    assert now[first.data.tags["run_id"]].info.run_id == first.info.run_id
    assert now[second.data.tags["run_id"]].info.run_id == second.info.run_id
    assert len(kept.client.get_metric_history(second.info.run_id, "progress")) == 20


def test_runs_without_a_record_and_of_an_earlier_attempt_are_taken_away(kept):
    gone, again, *_ = kept.trainings()
    old = kept.trainings()[again].info.run_id
    (kept.records.out / f"runs/{gone}.json").unlink()
    record = kept.records.read(again)
    kept.records.save(replace(record, started=record.started + 60))
    assert kept.again() == 1
    assert gone not in kept.trainings()
    assert kept.trainings()[again].info.run_id != old
    assert kept.client.get_run(old).info.lifecycle_stage == "deleted"  # which can be undone


def test_what_is_there_of_a_damaged_run_stays_until_it_is_trained_again_and_can_be_fetched(kept):
    cut, flipped, gone, *_ = kept.trainings()
    before = {run: child.info.run_id for run, child in kept.trainings().items()}
    curves = {run: (kept.records.out / f"curves/{run}.parquet") for run in (cut, flipped, gone)}
    intact = {run: path.read_bytes() for run, path in curves.items()}
    curves[cut].write_bytes(intact[cut][:100])
    curves[flipped].write_bytes(intact[flipped][:-9] + b"x" + intact[flipped][-8:])
    (kept.records.out / f"runs/{gone}.json").write_text("{")
    with pytest.warns(UserWarning, match="3 runs damaged"):
        leave_out(kept.records)
    kept.sync()  # as `sync` does
    assert {run: child.info.run_id for run, child in kept.trainings().items()} == before
    assert restore(kept.uri, plan_of(STUDY), Records(kept.records.out)) == 3
    assert damages(Records(kept.records.out)) == {}
    assert {run: path.read_bytes() for run, path in curves.items()} == intact
    curves[cut].unlink()
    with pytest.warns(UserWarning, match="1 run damaged"):
        mend(now := Records(kept.records.out))
    assert now.damaged() == {cut}
    kept.records = now
    kept.sync()  # as `run` does before it trains
    assert {run: child.info.run_id for run, child in kept.trainings().items()} == before
    assert kept.client.get_run(before[cut]).info.lifecycle_stage == "active"
    carry_out(STUDY, now.out, kept.uri)
    assert now.damaged() == set() and len(kept.trainings()) == len(kept.runs("run")) == len(before)
    assert kept.client.get_run(before[cut]).info.lifecycle_stage == "deleted"
    assert kept.again() == 0


def test_a_study_that_was_made_twice_is_one_again_and_one_whose_driver_was_killed_is_not_running(kept):
    (parent,) = kept.runs("study")
    other = kept.copy_of(parent)
    kept.copy_of(next(iter(kept.trainings().values())), **{"mlflow.parentRunId": other})
    kept.client.update_run(parent.info.run_id, status="RUNNING")
    assert kept.again() == 0
    (now,) = kept.runs("study")
    assert (now.info.run_id, now.info.status) == (parent.info.run_id, "KILLED")


def test_with_all_records_forgotten_nothing_is_left_in_the_store(kept):
    kept.records.forget()  # which a server that is down hears of only now
    with Mirror(MLflowTracker(kept.uri, plan_of(STUDY), kept.records.identity()), kept.records) as mirror:
        mirror.begin()
    assert kept.runs("run") == kept.runs("arm") == []


def test_points_that_are_sent_twice_count_once(kept):
    """What the rest relies on: a store takes a point that it has for the same."""
    run, *_ = kept.trainings().values()
    history = kept.client.get_metric_history(run.info.run_id, "progress")
    kept.client.log_batch(run.info.run_id, metrics=history)
    with closing(sqlite3.connect(kept.folder / "mlflow.db")) as store:
        (count,) = store.execute(
            "SELECT count(*) FROM metrics WHERE run_uuid = ? AND key = 'progress'", (run.info.run_id,)
        ).fetchone()
    assert count == len(history) == 20
