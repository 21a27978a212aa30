"""Whose folder it is: one that was made for bad input goes again, and nothing of another study with it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import BadInput, StorageError
from ablate.holder import hold
from ablate.records import Records
from tests.test_files import result


def refused(records, meanwhile):
    """Bad input that comes to light once something else has happened."""
    with pytest.raises(BadInput, match="bad"), records.lock():
        _raise_after(meanwhile)


def _raise_after(meanwhile):
    meanwhile()
    raise BadInput("bad")


def _add_after(records, change):
    change()
    records.add(result("cell-0"))


def test_bad_input_takes_its_own_folder_away_and_never_another_study(tmp_path: Path) -> None:
    parent = tmp_path / "reports" / "today"
    first, second = Records(parent / "first"), Records(parent / "second")
    refused(first, lambda: second.add(result("cell-0")))
    assert not first.out.exists()
    assert set(second.load()) == {"cell-0"}
    shutil.rmtree(tmp_path / "reports")
    refused(first, lambda: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run", ["cell-0", "cell-0-again"])
def test_a_folder_with_a_run_of_any_kind_stays(tmp_path: Path, run: str) -> None:
    records = Records(tmp_path / "out")
    refused(records, lambda: records.add(result(run, state="failed")))
    assert records.load_one(run)
    refused(records, lambda: None)
    assert records.load_one(run)


def test_a_study_within_a_folder_keeps_it(tmp_path: Path) -> None:
    records, inner = Records(tmp_path / "out"), tmp_path / "out" / "inner"

    def begin() -> None:
        with hold(inner):
            pass

    refused(records, begin)
    assert inner.exists()


def test_a_folder_that_takes_the_place_of_the_locked_one_is_never_written_to(tmp_path: Path) -> None:
    records = Records(tmp_path / "out")

    def replace() -> None:
        shutil.rmtree(records.out)  # and the next folder may well get its number
        records.out.mkdir()
        (records.out / ".lock").touch()

    with pytest.raises(StorageError, match=r"gone: .*out was deleted or moved"), records.lock():
        _add_after(records, replace)
    assert not (records.out / "runs").exists()


def test_what_is_noted_late_is_refused_once_the_folder_is_given_up(tmp_path: Path) -> None:
    records = Records(tmp_path / "out")
    kept = records.add(result("cell-0"))
    records.link([replace(kept, trial=1)])  # nobody held it yet
    with records.lock():
        records.mark_running(["cell-1"])
    before = {path: path.stat().st_mtime_ns for path in records.out.rglob("*")}
    for note in (lambda: records.link([replace(kept, trial=2)]), lambda: records.mark_running([])):
        with pytest.raises(StorageError, match=r"no longer held: .*out may be written by another"):
            note()
    assert {path: path.stat().st_mtime_ns for path in records.out.rglob("*")} == before
    with records.lock():
        records.link([replace(kept, trial=2)])
    assert records.load()["cell-0"].trial == 2
