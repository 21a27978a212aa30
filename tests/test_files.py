"""Files are written whole or not at all, and a disk that takes no more is one line. Real file systems that fill up."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from ablate.engines.base import Result
from ablate.errors import BadInput, StorageError
from ablate.files import one_line, storage_error, write_atomic, write_together
from ablate.records import Records
from tests.full import mount_again, small_disk

FULL = r"disk full: {} \(0 bytes free on its file system\)"


def result(run_id, size=10, **changes):
    points = tuple(("m", step, step / 7) for step in range(size))
    whole = {"run_id": run_id, "state": "completed", "started": 1.5, "seconds": 2.5, "metrics": {"m": 1.0}, "points": points}
    return Result(**whole | changes)


def fill(records, planned):
    for run in planned:
        records.add(result(run, 2000, artifacts={"a": b"a" * 3000}))


def _add_after(records, change):
    change()
    records.add(result("cell-1"))


def test_several_files_are_there_together_or_not_at_all(tmp_path):
    write_together({tmp_path / "a" / "one": b"1", tmp_path / "b" / "two": b"2"})
    assert [(tmp_path / name).read_bytes() for name in ("a/one", "b/two")] == [b"1", b"2"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"gone: .*file/x was deleted or moved"):
        write_together({tmp_path / "a" / "one": b"new", tmp_path / "file" / "x": b""})
    assert (tmp_path / "a" / "one").read_bytes() == b"1"
    assert not list(tmp_path.rglob("*.ablate-part"))


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path):
    with small_disk(tmp_path / "small", "64k") as folder:
        write_atomic(folder / "a", b"old")
        with pytest.raises(StorageError, match=FULL.format(folder / "a") + "; make space and run the same command again"):
            write_atomic(folder / "a", b"new" * 50_000)
        assert (folder / "a").read_bytes() == b"old"
        assert os.listdir(folder) == ["a"]
        write_atomic(folder / "a", b"fits again")


def test_runs_that_finished_outlive_a_full_disk_and_the_line_counts_them(tmp_path):
    with small_disk(tmp_path / "small") as folder:
        records, planned = Records(folder / "out"), [f"cell-{seed}" for seed in range(100)]
        with pytest.raises(StorageError) as told, records.lock(planned):
            fill(records, planned)
        kept = Records(folder / "out").load()
        wanted = FULL.format(folder / "out") + f"; {len(kept)} of 100 runs are kept; make space"
        assert told.match(wanted)
        assert 2 < len(kept) < 100
        assert all(Records(folder / "out").read(run, thoroughly=True) for run in kept)
        assert not list(folder.rglob("*.ablate-part"))
        mount_again(folder, "size=20m")
        with records.lock(planned):
            for run in planned[len(kept) :]:
                records.add(result(run, 2000))
        assert set(Records(folder / "out").load()) == set(planned)


def test_a_folder_that_becomes_read_only_or_goes_is_one_line(tmp_path):
    with small_disk(tmp_path / "small") as folder:
        records = Records(folder / "out")
        records.add(result("cell-0"))
        mount_again(folder, "ro")
        with pytest.raises(StorageError, match=r"read-only: .*cell-1.json can't be written; make it writable and run the same"):
            records.add(result("cell-1"))
        mount_again(folder, "rw")
        with pytest.raises(StorageError, match=r"gone: .*out was deleted or moved while it was in use"), records.lock():
            _add_after(records, lambda: shutil.rmtree(folder / "out"))
        assert not (folder / "out").exists()


def test_what_others_write_is_told_alike_and_a_bug_is_not(tmp_path):
    with small_disk(tmp_path / "small", "64k") as folder:
        with pytest.raises(StorageError, match=FULL.format(folder) + "; all kept; make"), one_line(folder, lambda: "all kept"):
            (folder / "x").write_bytes(b"x" * 100_000)
        with pytest.raises(FileNotFoundError), one_line(folder, str):
            (folder / "nowhere" / "x").read_bytes()
    assert "quota used up: /x" in str(storage_error(OSError(errno.EDQUOT, ""), Path("/x")))
    assert not isinstance(StorageError("a", "b"), BadInput)
