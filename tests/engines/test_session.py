"""Ray's own folder: it goes with its session, and that of a session that was killed goes with the next one's start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from ablate.engines import session


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="a", dir="/tmp") as folder:  # short enough for sockets
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setattr(session, "FRESH", 0.0)
        yield


def test_a_killed_session_is_cleared_and_a_living_one_is_left():
    code = "import os, signal\nfrom ablate.engines.session import own_folder\nwith own_folder() as f:\n    print(f, flush=True)\n"
    code += "    os.kill(os.getpid(), signal.SIGKILL)"
    elsewhere = os.environ | {"TMPDIR": tempfile.gettempdir()}
    ran = subprocess.run([sys.executable, "-c", code], env=elsewhere, capture_output=True, text=True, check=False)
    dead = ran.stdout.strip()
    assert os.path.isdir(dead)
    with session.own_folder() as first:
        assert not os.path.exists(dead)
        with session.own_folder() as second:
            assert first.exists() and second.exists() and first != second
        assert first.exists() and not second.exists()
    assert not first.exists()


def test_a_link_that_is_called_like_a_session_is_left_with_what_it_leads_to(tmp_path):
    link = os.path.join(tempfile.gettempdir(), f"{session.PREFIX}link")
    os.symlink(tmp_path, link)
    with session.own_folder():
        assert os.path.islink(link)
        assert list(tmp_path.iterdir()) == []
