"""Damaged runs are told from sound ones, put aside and trained again; an interrupted --fresh is carried through."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from ablate.errors import BadInput
from ablate.intact import damages, leave_out, mend
from ablate.records import Records
from tests.shell import environment
from tests.test_files import result


@pytest.fixture
def records(tmp_path):
    """Four runs and a check, each with curves and an artifact."""
    found = Records(tmp_path)
    for run in ("cell-0", "cell-1", "cell-2", "cell-3", "cell-0-again"):
        found.add(result(run, metrics={"m": float(len(run))}, artifacts={"a.part": run.encode()}))
    return found


def cut(records):
    path = records.out / "curves" / "cell-1.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def foreign(records):  # of the same size
    whole = (records.out / "artifacts" / "cell-2" / "a.part").read_bytes()
    (records.out / "artifacts" / "cell-1" / "a.part").write_bytes(whole)


def lost(records):
    shutil.rmtree(records.out / "artifacts" / "cell-1")


def unread(records):
    (records.out / "runs" / "cell-1.json").write_text('{"run_id": "cell-1"')


def another(records):
    shutil.copy(records.out / "runs" / "cell-2.json", records.out / "runs" / "cell-1.json")


def emptied(records):  # by a machine that went down
    (records.out / "runs" / "cell-1.json").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "curves of [0-9,]+ bytes in place of [0-9,]+"),
        (foreign, "artifacts/a.part of other contents"),
        (lost, "artifacts/a.part missing"),
        (unread, "its record can't be read"),
        (another, "it is the record of cell-2"),
        (emptied, "its record can't be read"),
    ],
)
def test_a_damaged_run_is_put_aside_and_missing(records, damage, said):
    mend(records)  # sound: no warning
    damage(records)
    reader = Records(records.out)
    with pytest.warns(UserWarning, match=rf"1 run damaged \(cell-1: {said}\); left out, and `run` trains again"):
        leave_out(reader)
    assert set(reader.load()) == {"cell-0", "cell-2", "cell-3"}
    with pytest.warns(UserWarning, match=rf"1 run damaged \(cell-1: {said}.*; trained again, and what is left is in .*damaged"):
        mend(records)
    assert set(Records(records.out).load()) == {"cell-0", "cell-2", "cell-3"}
    assert (records.out / "damaged" / "cell-1.1" / "record.json").exists()
    records.add(result("cell-1"))
    assert damages(records) == {}


def test_what_was_half_written_goes_and_what_others_call_parts_stays(records):
    left = [
        "runs/cell-9.json.ablate-part",
        "curves/cell-9.parquet.ablate-part",
        "artifacts/cell-9/x.ablate-part",
        "checks/artifacts/cell-0-again/b.ablate-part",
        "id.ablate-part",
    ]
    kept = ["video.mp4.part", "runs/mine.part", "artifacts/cell-8/x.part"]  # OUT may be a folder of the user's
    for name in (*left, *kept):
        (records.out / name).parent.mkdir(exist_ok=True)
        (records.out / name).touch()
    mend(records)
    assert not any((records.out / name).exists() for name in left)
    assert all((records.out / name).exists() for name in kept)
    assert damages(records) == {}


def test_records_of_before_are_as_good_as_ever_and_newer_ones_are_refused(records):
    path = records.out / "runs" / "cell-1.json"
    held = json.loads(path.read_text())
    old = {key: value for key, value in held.items() if key not in ("schema", "crc", "files", "source", "attempts")}
    path.write_text(json.dumps(old))
    (records.out / "curves" / "cell-1.parquet").unlink()  # nobody can tell
    assert damages(records) == {}
    assert Records(records.out).load_one("cell-1").metrics == held["metrics"]
    second = {key: value for key, value in held.items() if key != "crc"} | {"schema": 2}
    path.write_text(json.dumps(second | {"files": {}}))
    assert damages(records) == {}
    for newer in ({**held, "schema": 99}, {**second, "peak": 1}):
        path.write_text(json.dumps(newer))
        with pytest.raises(BadInput, match=r"cell-1.json was written by a newer ablate .*; update ablate, or give another --out"):
            mend(records)
        with pytest.raises(BadInput, match="newer ablate"):
            Records(records.out).load()


def test_who_is_killed_while_forgetting_leaves_no_mix(records):
    code = (
        "import os, signal, shutil, sys; from pathlib import Path; import ablate.records as r\n"
        "real = os.replace\n"
        "def replace(a, b):\n"
        "    if Path(a).name == 'curves': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(a, b)\n"
        "r.os.replace = replace\n"
        "r.Records(Path(sys.argv[1])).forget()"
    )
    ended = subprocess.run([sys.executable, "-c", code, records.out], env=environment())
    assert ended.returncode == -signal.SIGKILL
    assert (records.out / "curves" / "cell-0.parquet").exists()
    assert Records(records.out).load() == {}
    mend(records)
    assert Records(records.out).load() == {}
    assert not {"runs", "curves", "artifacts", "checks", "forgotten"} & set(os.listdir(records.out))
