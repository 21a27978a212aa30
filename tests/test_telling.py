"""What the driver does for each run is little and does not grow: counted on the real stores, threads and engines."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from contextlib import suppress

import numpy as np
import optuna
import pytest
import sqlalchemy

from ablate.driver import Driver, default_storage
from ablate.engines.attempts import Attempts
from ablate.engines.base import Limits, Result, Retry
from ablate.engines.inline import InlineEngine
from ablate.errors import EngineError, StorageError
from ablate.mirror import NullMirror
from ablate.records import Record, Records
from ablate.series import Room, Series
from ablate.telling import Telling
from ablate.trials import Trials
from tests.builders import plan
from tests.stored import Silent

COMPLETE, RUNNING = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING


def study(seeds=20):
    return plan(design={"seeds": seeds})


def ended(run, value=1.0, state="completed"):
    return Record(run.id, state, 1e9, 1.0, {"score": value})


def told(url, name="trial"):
    return optuna.load_study(study_name=name, storage=url).trials


class Showing(NullMirror):
    """A mirror that keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def show(self, run, record):
        self.shown.append(record)


def carry_out(made, folder):
    """Train it in the real stores; returns the records, what a mirror was shown, and the statements of each kind to Optuna."""
    records, mirror, said = Records(folder / "out"), Showing(), Counter()
    with records.lock():
        trials = Trials(default_storage(records.out), made, records.identity())
        sqlalchemy.event.listen(trials._storage.engine, "begin", lambda _: said.update(["begin"]))
        driver = Driver(made, records, trials, mirror)
        driver.train(made.runs, InlineEngine(), Silent())
        seen = Records(records.out).load()
        driver.catch_up(records.load())
    return seen, mirror.shown, said


def test_many_runs_are_told_in_few_transactions_and_numbered_as_they_ended(tmp_path):
    made = study()
    seen, shown, said = carry_out(made, tmp_path)
    trials = told(default_storage(tmp_path / "out"))
    assert {t.user_attrs["run_id"]: (t.number, t.value) for t in trials} == {
        run: (record.trial, record.metrics["score"]) for run, record in seen.items()
    }
    assert [t.user_attrs["run_id"] for t in trials] == [run.id for run in made.runs]
    assert {t.state for t in trials} == {COMPLETE}
    assert said["begin"] < len(made.runs)
    assert [record.trial for record in shown] == list(range(len(made.runs)))
    assert not Records(tmp_path / "out").running()


def test_a_record_is_written_once_however_often_it_becomes_known(tmp_path):
    made = study(2)
    seen, _, _ = carry_out(made, tmp_path)
    lines = (tmp_path / "out" / "links.jsonl").read_text().splitlines()
    files = [(tmp_path / "out" / "runs" / f"{run}.json").read_text() for run in seen]
    assert {record.trial for record in seen.values()} == set(range(len(made.runs)))
    assert sum('"trial": null' in text for text in files) == len([line for line in lines if line])


def test_a_run_in_training_is_told_of_at_once_and_its_number_is_known(tmp_path):
    made, url = study(2), default_storage(tmp_path)
    noted, numbered = [], threading.Event()

    class Slow:
        def tell(self, events):
            found = trials.tell(events)
            numbered.set()
            return found

    trials = Trials(url, made)
    with Telling(Slow(), lambda *_: None, noted.append) as telling:
        telling.start(made.runs[0])
        assert numbered.wait(30)
        assert [t.state for t in told(url)] == [RUNNING]
        assert noted == [[made.runs[0].id]]
        numbered.clear()
        telling.finish(made.runs[0], ended(made.runs[0]))
    assert [t.state for t in told(url)] == [COMPLETE]
    assert noted[-1] == []


def test_a_run_that_starts_again_after_its_end_has_a_trial_an_attempt(tmp_path):
    made, url = study(2), default_storage(tmp_path)
    run, numbers = made.runs[0], []
    with Telling(Trials(url, made), lambda _, found: numbers.append(dict(found)), lambda _: None) as telling:
        for record in (ended(run, state="failed"), ended(run)):
            telling.start(run)
            telling.finish(run, record)
    assert [t.state.name for t in told(url)] == ["FAIL", "COMPLETE"]
    assert numbers[-1] == {run.id: 1}


def test_what_the_folder_does_not_take_ends_the_study_with_its_own_error(tmp_path):
    made = study(2)

    def full(ended, numbers):
        raise StorageError("disk full: out", "make space")

    with (
        pytest.raises(StorageError, match="disk full: out"),
        Telling(Trials(default_storage(tmp_path), made), full, lambda _: None) as telling,
    ):
        telling.finish(made.runs[0], ended(made.runs[0]))


def test_a_thread_that_failed_is_heard_of_at_an_end_and_not_at_a_start(tmp_path):
    made = study(2)

    def full(ended, numbers):
        raise StorageError("disk full: out", "make space")

    telling = Telling(Trials(default_storage(tmp_path), made), full, lambda _: None).__enter__()
    telling.finish(made.runs[0], ended(made.runs[0]))
    telling._thread.join(30)
    telling.start(made.runs[1])  # a result may wait behind, to be recorded
    with pytest.raises(StorageError, match="disk full: out"):
        telling.finish(made.runs[1], ended(made.runs[1]))
    with pytest.raises(StorageError, match="disk full: out"):
        telling.__exit__(None)


def test_a_note_for_status_that_cannot_be_written_ends_no_study_and_is_tried_again(tmp_path):
    made, records = study(4), Records(tmp_path / "out")
    blocked = tmp_path / "out" / "running.json"

    class Freeing(Silent):
        def ended(self, run, record):
            if blocked.is_dir() and len(told(default_storage(records.out))) > 1:  # the thread has met it
                blocked.rmdir()

    with records.lock():
        blocked.mkdir()
        driver = Driver(made, records, Trials(default_storage(records.out), made, records.identity()), NullMirror())
        with pytest.warns(UserWarning, match=r"`status` isn't told .*running.json.*the study goes on") as said:
            driver.train(made.runs, InlineEngine(), Freeing())
    assert len(said) == 1
    assert {record.state for record in Records(records.out).load().values()} == {"completed"}
    assert len(records.load()) == len(made.runs)
    assert blocked.is_file()


def test_nothing_is_written_to_a_folder_that_was_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("ablate.telling.CLOSING", 0.1)
    made, records, busy, asked = study(2), Records(tmp_path / "out"), threading.Event(), threading.Event()
    trials = Trials(default_storage(tmp_path), made)
    driver = Driver(made, records, trials, NullMirror())

    class Slow:
        """A database that answers late."""

        def tell(self, events):
            asked.set()
            assert busy.wait(30)
            return trials.tell(events)

    telling = Telling(Slow(), driver._told, records.mark_running)
    with records.lock(), suppress(EngineError), telling:
        for run in made.runs[:2]:
            telling.finish(run, records.add(Result(run.id, "completed", 1e9, 1.0, {"score": 1.0})))
        assert asked.wait(30)
        telling.start(made.runs[2])
        raise EngineError("ray is gone")
    with Records(tmp_path / "out").lock():
        before = {path: path.stat().st_mtime_ns for path in records.out.rglob("*")}
        busy.set()
        telling._thread.join(30)
        assert not telling._thread.is_alive()
        assert {path: path.stat().st_mtime_ns for path in records.out.rglob("*")} == before
    assert telling._error is None


def test_trials_written_at_once_are_those_that_optunas_own_api_writes(tmp_path):
    swept = plan(design={"seeds": 2}, contexts={"wide": {"shift": 2}}, sweeps={"dose": {"param": "helps", "values": [2, 3]}})
    ours, theirs = f"sqlite:///{tmp_path}/ours.db", f"sqlite:///{tmp_path}/theirs.db"
    trials = Trials(ours, swept, "folder")
    records = [ended(run, float(number)) for number, run in enumerate(swept.runs[:-2])]
    trials.tell([*zip(swept.runs, records, strict=False), (swept.runs[-2], None)])
    trials.tell([(swept.runs[-2], ended(swept.runs[-2], 7.0)), (swept.runs[-1], None)])
    storage = optuna.storages.RDBStorage(theirs)
    study = optuna.create_study(study_name=swept.name, storage=storage, direction="maximize")
    key = storage.get_study_id_from_name(study.study_name)
    for trial in told(ours):
        storage.create_new_trial(key, trial)
    assert told(theirs) == told(ours)
    assert [t.state for t in told(ours)[-2:]] == [COMPLETE, RUNNING]
    assert told(ours)[-2].value == 7.0
    assert {type(d).__name__ for t in told(ours) for d in t.distributions.values()} == {
        "CategoricalDistribution",
        "FloatDistribution",
    }


def test_what_a_run_logged_is_let_go_once_it_is_on_disk():
    attempts = Attempts(Limits(max_retries=1))
    first = attempts.after(Result("a-0", "failed", 0.0, 1.0, error="lost"))
    assert isinstance(first, Retry)
    assert attempts.given_up("a-0").error == "lost"
    result = attempts.after(Result("a-0", "completed", 0.0, 1.0, points=tuple(("m", i, 1.0) for i in range(9))))
    seen = weakref.ref(result)
    assert result.attempts == 2
    del result
    gc.collect()
    assert seen() is None


def test_curves_are_kept_as_far_as_there_is_room_and_read_again_beyond(tmp_path):
    records = Records(tmp_path)
    for seed in range(6):
        points = tuple(("m", step, float(seed)) for step in range(1000))
        records.add(Result(f"a-{seed}", "completed", 0.0, 1.0, {"score": 1.0}, points))
    room = Room(most=50_000)
    series = [Series(tmp_path / "curves" / f"a-{seed}.parquet", room) for seed in range(6)]
    for _ in range(2):
        for seed, each in enumerate(series):
            assert np.array_equal(each.steps, np.arange(1000))
            assert (each["m"] == seed).all()
            assert room.taken <= 50_000
    assert room.taken > 30_000
    assert all(column.nbytes == 8000 for each in series for column in (each["m"],))
