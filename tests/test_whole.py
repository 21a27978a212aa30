"""A store that a killed process left half made or half written is no obstacle to the next."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ablate.tracking.address import check
from ablate.tracking.whole import make
from tests.shell import environment, wait_for

MAKES = "import sys; from ablate.tracking.whole import make; make('sqlite:///mlflow.db')"


def tables(path):
    with closing(sqlite3.connect(path)) as store:
        return {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_store_whose_making_was_killed_is_made_anew_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    killed = subprocess.Popen([sys.executable, "-c", MAKES], env=environment(), cwd=tmp_path)
    wait_for(lambda: any(path.stat().st_size > 200_000 for path in tmp_path.glob("mlflow.db.*.part")))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert [path.name.split(".")[-1] for path in tmp_path.iterdir() if "journal" not in path.name] == ["part"]
    make("sqlite:///mlflow.db")
    assert os.listdir(tmp_path) == ["mlflow.db"]
    assert {"experiments", "runs", "alembic_version"} <= tables("mlflow.db")
    with closing(sqlite3.connect("mlflow.db")) as store:
        assert "part" not in str(store.execute("SELECT artifact_location FROM experiments").fetchall())


def test_a_store_in_the_middle_of_a_write_is_still_one(tmp_path):
    path = tmp_path / "mlflow.db"
    writes = (
        "import os, sqlite3, signal; store = sqlite3.connect('mlflow.db', isolation_level=None)\n"
        "store.execute('CREATE TABLE experiments (x)'); store.execute('PRAGMA cache_size = 1'); store.execute('BEGIN')\n"
        "store.executemany('INSERT INTO experiments VALUES (?)', [('x' * 999,)] * 999)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", writes], cwd=tmp_path)
    assert Path(f"{path}-journal").stat().st_size
    check(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("SELECT count(*) FROM experiments").fetchone() == (0,)


@pytest.mark.parametrize("uri", ["mlruns", "http://127.0.0.1:1", "sqlite://", "sqlite:///there.db"])
def test_what_is_no_file_or_is_there_is_left_alone(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.db").touch()
    make(uri)
    assert os.listdir(tmp_path) == ["there.db"] and not (tmp_path / "there.db").stat().st_size
