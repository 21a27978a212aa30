"""Arrays that one process makes and the others map."""

import multiprocessing
import os
import subprocess

import numpy as np
import pytest

from ablate.targets.region_clip import shared as sharing
from ablate.targets.region_clip.data import _scenes, training_set
from ablate.targets.region_clip.scenes import make_scenes
from ablate.targets.region_clip.shared import shared
from tests.targets.small import settled


def counted(path, number):
    """Arrays, and a line in a file for each time that they were made."""

    def make():
        with open(path, "a", encoding="utf-8") as log:
            log.write("made\n")
        return {"a": np.full(3, number), "b": np.zeros((2, 0))}

    return make


def ask(path):
    shared("things", {"seed": 1}, counted(path, 7))


def test_of_several_processes_one_makes_the_arrays_and_all_have_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=ask, args=(str(tmp_path / "log"),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == "made\n"
    found = shared("things", {"seed": 1}, counted(tmp_path / "log", 8))
    assert isinstance(found["a"], np.memmap) and not found["a"].flags.writeable
    assert found["a"].tolist() == [7, 7, 7] and found["b"].shape == (2, 0)
    assert shared("things", {"seed": 2}, counted(tmp_path / "log", 8))["a"][0] == 8


def test_what_is_not_whole_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    shared("things", {}, counted(tmp_path / "log", 1))
    (folder,) = tmp_path.glob("things-*[0-9a-f]")
    (folder / "a.npy").write_bytes((folder / "a.npy").read_bytes()[:20])
    assert shared("things", {}, counted(tmp_path / "log", 2))["a"][0] == 2
    (folder / "b.npy").unlink()
    assert shared("things", {}, counted(tmp_path / "log", 3))["a"][0] == 3
    for name in ("a.npy", sharing.NAMES):
        (folder / name).write_bytes(b"")  # a machine that went down
        made = shared("things", {}, counted(tmp_path / "log", 4))
        assert made["a"][0] == 4 and isinstance(made["a"], np.memmap)


def test_those_used_longest_ago_go_and_whoever_has_them_mapped_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    monkeypatch.setattr(sharing, "MOST", 2)
    first = shared("things", {"n": 0}, counted(tmp_path / "log", 0))
    for number in (1, 2, 3):
        for age, path in enumerate(sorted(tmp_path.glob("things-*[0-9a-f]"), key=lambda path: path.stat().st_mtime)):
            os.utime(path, (age, age))
        shared("things", {"n": number}, counted(tmp_path / "log", number))
    assert len(list(tmp_path.glob("things-*[0-9a-f]"))) == 2
    assert first["a"].tolist() == [0, 0, 0]
    assert shared("things", {"n": 3}, counted(tmp_path / "log", 9))["a"][0] == 3


def test_a_folder_that_takes_nothing_costs_the_sharing_and_not_the_training(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    monkeypatch.setattr(np, "save", full)
    found = shared("things", {}, counted(tmp_path / "log", 5))
    assert found["a"].tolist() == [5, 5, 5]
    assert not list(tmp_path.glob("things-*[0-9a-f]")) and not list(tmp_path.glob("*.part"))


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_cache_on_a_read_only_or_full_disk_is_read_and_nothing_more(tmp_path, monkeypatch):
    cache, log = tmp_path / "cache", tmp_path / "log"
    cache.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(cache)], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        monkeypatch.setenv("ABLATE_CACHE", str(cache))
        shared("things", {"n": 0}, counted(log, 0))
        large = {"a": np.ones(1 << 20)}
        assert shared("things", {"n": "large"}, lambda: large)["a"] is large["a"]
        assert not list(cache.glob("*.part"))
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        assert shared("things", {"n": 0}, counted(log, 1))["a"][0] == 0
        assert shared("things", {"n": 1}, counted(log, 1))["a"][0] == 1
        assert log.read_text(encoding="utf-8") == "made\n" * 2
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


def test_a_seeds_scenes_are_those_that_would_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    params = settled(forwards=2, invalid_rate=0.3)
    _scenes.cache_clear()
    training_set(params, 3)
    _scenes.cache_clear()
    found, made = training_set(params, 3), make_scenes(8, 3, invalid_rate=0.3)
    assert isinstance(found.images, np.memmap)
    assert np.array_equal(found.images, made.images) and np.array_equal(found.boxes, made.boxes)
    _scenes.cache_clear()
    other = training_set(settled(forwards=2, invalid_rate=0.0), 3)
    assert not np.array_equal(other.boxes, made.boxes)
    _scenes.cache_clear()
