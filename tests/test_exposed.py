"""What a study shows of itself, over real stores: nothing of its passwords, and ports on loopback alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import FIXES, raw, write_study
from tests.postgres import postgres
from tests.shell import command, environment, free_port, wait_for
from tests.watching import Watched, is_loopback

#: What a command line holds of it, and what it stands for.
WRITTEN, PASSWORD = "SECRETPW%21", "SECRETPW!"
#: Seconds until a process has taken its password off its command line, on a busy machine.
SEEN = 3.0


@dataclass(frozen=True)
class Shown:
    """One study under watch, with all that it left: `files` by their place, `out` and `err` what it printed."""

    watched: Watched
    code: int
    out: str
    err: str
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real tracking server, which ignores users: its address without one, and its folder."""
    home, port = tmp_path_factory.mktemp("server"), free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{home}/server.db", "--artifacts-destination", str(home / "artifacts")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=home, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/health"), 120)
        yield f"127.0.0.1:{port}", home
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def shown(server, tmp_path_factory):
    """A study on ray with two workers, PostgreSQL and the server, both with a password; another password in the environment."""
    folder, scratch = tmp_path_factory.mktemp("exposed"), Path(tempfile.mkdtemp(prefix="x-", dir="/tmp"))
    write_study(folder, raw(name="exposed", fixes={"good": FIXES["good"]}, design={"seeds": 2}, curves=["progress"]))
    address, home = server
    with postgres(PASSWORD) as database:
        stores = ["--storage", database.url(), "--tracking-uri", f"http://anna:{WRITTEN}@{address}"]
        words = command("run", "study.yaml", "--workers", 2, "--out", "out", *stores)
        more = {"MLFLOW_TRACKING_TOKEN": "", "PGPASSWORD": PASSWORD, "ABLATE_STORAGE": database.url()}
        watched = Watched(words, folder, environment() | more, scratch)
        code, out, err = watched.end()
        files = {str(path): _plain(path) for at in (folder, home) for path in at.rglob("*") if path.is_file()}
        files |= {"database": database.dump().encode(), "its log": database.log.read_bytes()} | watched.written
    shutil.rmtree(scratch)
    return Shown(watched, code, out, err, files)


def _plain(path):
    """A file's bytes; of a PDF, its text and its streams unpacked as well."""
    content = path.read_bytes()
    if path.suffix != ".pdf":
        return content
    text = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True).stdout
    streams = [
        zlib.decompressobj().decompress(each) for each in re.findall(rb"FlateDecode.*?stream\r?\n(.*?)endstream", content, re.S)
    ]
    assert text and streams
    return b"\n".join([content, text, *streams])


def test_the_study_ended_well_in_both_stores(shown):
    assert shown.code == 0, shown.err
    assert b"completed" in shown.files["database"] or b"COMPLETE" in shown.files["database"]
    assert any(path.endswith("record/record.json") and "server" in path for path in shown.files)


def test_no_store_no_file_and_no_output_holds_a_password(shown):
    assert "SECRETPW" not in shown.out + shown.err
    assert [path for path, content in shown.files.items() if b"SECRETPW" in content] == []
    assert any("/ablate-ray-" in path and path.endswith((".out", ".log")) for path in shown.files)  # ray's logs were read
    assert any(b"postgresql+psycopg://anna:" in content for content in shown.files.values())  # the command was noted


def test_no_process_shows_a_password_but_the_one_that_was_given_it_at_its_start(shown):
    titles = {title: seen for title, seen in shown.watched.titles.items() if "SECRETPW" in title}
    assert all(seen < SEEN for seen in titles.values()), titles
    assert any("anna:…@" in title for title in shown.watched.titles)  # it was there, and it was looked at


def test_workers_inherit_no_password(shown):
    workers = {key: text for key, text in shown.watched.environments.items() if key[1].startswith("ray::_Worker")}
    assert workers
    assert [key for key, text in workers.items() if "SECRETPW" in text] == []
    tokens = set(re.findall(r"RAY_AUTH_TOKEN=(\w+)", "".join(workers.values())))
    assert len(tokens) == 1 and not any(token in title for token in tokens for title in shown.watched.titles)


def test_whatever_listens_listens_on_loopback_alone(shown):
    assert {"ray::_Worker.execute", "ray::_Worker"} & {title for title, _ in shown.watched.listening}
    assert [each for each in shown.watched.listening if not is_loopback(each[1])] == []
