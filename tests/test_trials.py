"""Optuna's trials against the records, whatever came in between. Real SQLite and PostgreSQL storages."""

import contextlib
import os
import sqlite3
import subprocess
from collections import Counter

import optuna
import psycopg
import pytest

from ablate.errors import BadInput, StorageError
from ablate.record import Record
from ablate.trials import Trials
from tests.builders import FIXES, raw, write_study
from tests.builders import plan as make
from tests.full import mount_again, small_disk
from tests.postgres import postgres
from tests.shell import command, environment, verdict, wait_for

TWO = {name: FIXES[name] for name in ("good", "bad")}
STUDY = {"fixes": TWO, "design": {"seeds": 2}}
PLAN = make(**STUDY)
RUNNING, COMPLETE, FAIL = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL


def record(run, number=0, state="completed", **changes):
    return Record(run.id, state, 1e9 + number, 1.0, {"score": float(number)} if state == "completed" else {}, **changes)


def records_of(runs=PLAN.runs, **changes):
    return {run.id: record(run, number, **changes) for number, run in enumerate(runs)}


def start(trials, run):
    """Tell that a run started; returns its trial's number, if there is one."""
    return trials.tell([(run, None)]).get(run.id)


def finish(trials, run, ended):
    """The same, that it ended."""
    return trials.tell([(run, ended)]).get(run.id)


def read(url):
    return optuna.load_study(study_name=PLAN.name, storage=url).trials


def values(url, folder=None):
    """run id → its outcome, of the trials that completed; each run once."""
    found = [t for t in read(url) if t.state == COMPLETE and folder in (None, t.user_attrs.get("folder"))]
    assert max(Counter(t.user_attrs["run_id"] for t in found).values(), default=1) == 1
    return {t.user_attrs["run_id"]: t.value for t in found}


def wanted(records):
    return {run: each.metrics["score"] for run, each in records.items() if each.state == "completed"}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


def test_what_the_storage_lacks_is_told_in_the_order_in_which_it_ended(url):
    records = records_of()
    numbers = Trials(url, PLAN).reconcile(PLAN.runs, records)
    assert numbers == {run.id: number for number, run in enumerate(PLAN.runs)}
    assert values(url) == wanted(records)
    first = read(url)[0]
    assert (first.datetime_complete - first.datetime_start).total_seconds() == 1
    again = Trials(url, PLAN)
    assert again.reconcile(PLAN.runs, records) == numbers
    assert len(read(url)) == len(PLAN.runs)


def test_what_a_killed_driver_left_open_is_taken_up_or_has_failed(url):
    killed = Trials(url, PLAN)
    for run in PLAN.runs[:3]:
        start(killed, run)
    start(killed, PLAN.runs[0])  # a retry is no other trial
    twice = Trials(url, PLAN)
    start(twice, PLAN.runs[0])  # nobody told it that there is one
    records = records_of(PLAN.runs[1:2])
    trials = Trials(url, PLAN)
    planned = [PLAN.runs[0], PLAN.runs[1]]
    assert trials.reconcile(planned, records) == {PLAN.runs[1].id: 1}
    assert [t.state for t in read(url)] == [RUNNING, COMPLETE, FAIL, FAIL]
    assert start(trials, PLAN.runs[0]) == 0
    assert finish(trials, PLAN.runs[0], record(PLAN.runs[0])) == 0


def test_trials_that_no_record_speaks_of_or_with_another_value_go(url):
    records = records_of()
    Trials(url, PLAN).reconcile(PLAN.runs, records)
    lost, other = PLAN.runs[2], PLAN.runs[3]
    kept = {key: each for key, each in records.items() if key != lost.id} | {other.id: record(other, 77)}
    trials = Trials(url, PLAN)
    numbers = trials.reconcile(PLAN.runs, kept)
    assert values(url) == wanted(kept)
    assert numbers == {t.user_attrs["run_id"]: t.number for t in read(url)}
    assert numbers[other.id] == len(kept) - 1  # told again behind those that were right
    start(trials, lost)
    finish(trials, lost, records[lost.id])
    assert values(url) == wanted(kept | {lost.id: records[lost.id]})


def test_a_failed_run_that_is_tried_again_has_a_trial_an_attempt(url):
    run = PLAN.runs[0]
    trials = Trials(url, PLAN)
    start(trials, run)
    finish(trials, run, record(run, state="failed"))
    later = Trials(url, PLAN)
    assert later.reconcile(PLAN.runs, {run.id: record(run, state="failed")}) == {run.id: 0}
    assert start(later, run) == 1
    killed = Trials(url, PLAN)
    killed.reconcile(PLAN.runs, {run.id: record(run, state="failed")})
    assert start(killed, run) == 1
    assert finish(killed, run, record(run)) == 1
    assert [t.state for t in read(url)] == [FAIL, COMPLETE]


def test_two_folders_of_one_study_leave_each_others_trials(url):
    one, two = Trials(url, PLAN, "one"), Trials(url, PLAN, "two")
    mine, others = records_of(), records_of()
    start(two, PLAN.runs[0])
    one.reconcile(PLAN.runs, mine)
    finish(two, PLAN.runs[0], others[PLAN.runs[0].id])
    before = two.reconcile(PLAN.runs, others)
    assert values(url, "one") == values(url, "two") == wanted(mine)
    assert sorted(t.number for t in read(url)) == list(range(2 * len(PLAN.runs)))
    one.forget()
    assert values(url, "one") == {}
    assert values(url, "two") == wanted(others)
    moved = Trials(url, PLAN, "two").reconcile(PLAN.runs, others)
    assert moved == {t.user_attrs["run_id"]: t.number for t in read(url)} != before


def test_a_driver_finds_its_trials_again_after_another_folder_made_the_study_anew(url):
    mine, two = Trials(url, PLAN, "one"), Trials(url, PLAN, "two")
    start(two, PLAN.runs[1])
    start(mine, PLAN.runs[0])
    two.forget()
    assert finish(mine, PLAN.runs[0], record(PLAN.runs[0], 5)) == 0
    assert start(mine, PLAN.runs[1]) == 1
    assert values(url) == {PLAN.runs[0].id: 5.0}


def test_trials_of_before_the_folder_was_noted_are_its_own(url):
    records = records_of()
    Trials(url, PLAN).reconcile(PLAN.runs, records)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key = 'folder'")
    assert len(Trials(url, PLAN, "mine").reconcile(PLAN.runs, records)) == len(read(url)) == len(records)


def test_tables_of_another_optuna_are_named_with_the_command(url):
    Trials(url, PLAN)
    for revision, said in (("v2.6.0.a", r"`optuna storage upgrade --storage sqlite:///.*`"), ("v9", "`pip install -U optuna`")):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        with pytest.raises(BadInput, match=rf"--storage: .*the tables of an? (older|newer) Optuna \({revision}\).*{said}"):
            Trials(url, PLAN)


def test_a_full_disk_stops_no_training_and_is_told_of_later(tmp_path):
    records = records_of()
    with small_disk(tmp_path / "small", "120k") as folder:
        with pytest.raises(StorageError, match=r"disk full: .*optuna.db \([0-9,]+ bytes free"):
            Trials(f"sqlite:///{folder}/optuna.db", PLAN)
        (folder / "optuna.db").unlink(missing_ok=True)
        mount_again(folder, "size=2m")
        trials = Trials(f"sqlite:///{folder}/optuna.db", PLAN)
        (folder / "filler").write_bytes(b"x" * (os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))
        with pytest.warns(
            UserWarning, match=r"Optuna's storage can't be written \(database or disk is full\); the runs are kept"
        ):
            told = trials.reconcile(PLAN.runs, records)
        assert told == {}
        assert start(trials, PLAN.runs[0]) is None  # left alone, without another word
        (folder / "filler").unlink()
        assert len(trials.reconcile(PLAN.runs, records)) == len(records)
        assert values(f"sqlite:///{folder}/optuna.db") == wanted(records)


@pytest.fixture(scope="module")
def server():
    with postgres("SECRETPW") as found:
        yield found


def test_a_server_that_goes_away_is_told_of_later(server):
    records, url = records_of(), server.url()
    trials = Trials(url, PLAN, "mine")
    start(trials, PLAN.runs[0])
    admin = psycopg.connect(url.replace("+psycopg", "").replace("/ablate", "/postgres"), autocommit=True)
    admin.execute("ALTER DATABASE ablate ALLOW_CONNECTIONS false")
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ablate'")
    with pytest.warns(UserWarning, match="Optuna's storage can't be written") as told:
        assert finish(trials, PLAN.runs[0], records[PLAN.runs[0].id]) is None
    assert start(trials, PLAN.runs[1]) is None
    with pytest.raises(BadInput, match=r"--storage: .* can't be opened .*; give an SQLAlchemy URL that can") as refused:
        Trials(url, PLAN, "mine")
    assert "SECRETPW" not in f"{told[0].message}{refused.value}"
    admin.execute("ALTER DATABASE ablate ALLOW_CONNECTIONS true")
    admin.close()
    assert len(trials.reconcile(PLAN.runs, records)) == len(records)
    assert values(url) == wanted(records)
    trials.forget()


def test_a_study_in_postgresql_is_killed_and_resumed(cli, server):
    path = write_study(cli.folder, raw(**STUDY))
    words = ["run", path, "--engine", "inline", "--tracking-uri", "none", "--set", "seconds=0.2", "--storage", server.url()]
    killed = subprocess.Popen(command(*words), cwd=cli.folder, env=environment(), stderr=subprocess.DEVNULL)
    runs = cli.folder / "reports" / "trial" / "runs"
    wait_for(lambda: len(list(runs.glob("*.json"))) > 2)
    killed.kill()
    killed.wait()
    kept = {path.name: path.read_bytes() for path in runs.glob("*.json")}
    ended = cli(*words)
    assert ended.returncode == 0, ended.stderr
    assert 0 < len(kept) < len(PLAN.runs)
    assert {name: (runs / name).read_bytes() for name in kept} == kept
    study = optuna.load_study(study_name="trial", storage=server.url())
    assert {t.state for t in study.trials} == {COMPLETE}
    assert {t.user_attrs["run_id"] for t in study.trials} == {path.stem for path in runs.glob("*.json")}
    assert len(study.trials) == verdict(cli.folder, "trial")["design"]["planned"] == len(PLAN.runs)
