"""Who holds a folder, told to those who find it taken. Real processes."""

import json
import os
import platform
import subprocess
import sys

import pytest

from ablate.errors import BadInput
from ablate.holder import NOTE, Holder, this_process
from ablate.records import Records
from tests.shell import environment, wait_for

HOLD = """
import sys, time
from pathlib import Path
from ablate.records import Records
with Records(Path(sys.argv[1])).lock():
    Records(Path(sys.argv[1])).mark_running(["a-0"])
    time.sleep(60)
"""


def test_the_second_is_told_who_holds_it_until_that_one_is_gone(tmp_path):
    out = tmp_path / "out"
    words = ["run", "study.yaml", "--storage", "postgresql://me:SECRETPW@host/db"]
    first = subprocess.Popen([sys.executable, "-c", HOLD, out, *words], env=environment())
    records = Records(out)
    try:
        wait_for(lambda: records.running())
        who = rf"process {first.pid} on {platform.node()} \(.* run study.yaml .*, since \d\d:\d\d\)"
        with pytest.raises(BadInput, match=f"is being written by {who}; wait for it") as told, records.lock():
            pass
        assert "SECRETPW" not in str(told.value) + (out / NOTE).read_text()
        assert records.holder().pid == first.pid
    finally:
        first.kill()
        first.wait()
    assert (out / NOTE).exists()  # nobody was there to take it away
    assert records.running() == set()
    assert records.holder() is None
    with records.lock():
        assert records.holder().pid == os.getpid()
    assert not (out / NOTE).exists()


def test_a_number_given_to_another_process_is_not_the_holder(tmp_path):
    now = this_process()
    assert now.alive and now.here
    assert not Holder(now.pid, now.host, now.born - 60).alive
    assert Holder(1, "elsewhere", 0.0).alive  # nobody here knows
    (tmp_path / NOTE).write_text(json.dumps({"pid": now.pid, "host": now.host, "born": now.born - 60}))
    (tmp_path / "running.json").write_text(json.dumps({"pid": now.pid, "host": now.host, "born": now.born - 60, "runs": ["a-0"]}))
    assert Records(tmp_path).holder() is None
    assert Records(tmp_path).running() == set()
    (tmp_path / NOTE).write_text("{")
    assert Records(tmp_path).holder() is None
