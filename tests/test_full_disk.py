"""A disk that fills up during a study: what finished is intact, and once there is room the study goes on to the same verdict."""

import json
import os
import subprocess

import pyarrow.parquet as pq
import pytest

from tests.builders import FIXES, raw, write_study
from tests.shell import command, environment
from tests.stored import carry_out

#: A training that keeps 256 KiB.
TARGET = """
import numpy as np
def train(params, run):
    random = np.random.default_rng([run.seed, params["helps"]])
    for step in range(20):
        run.log_metrics({"progress": random.normal()}, step)
    with open("weights.bin", "wb") as file:
        file.write(random.bytes(1 << 18))
    run.log_artifact("weights.bin")
    return {"score": params["helps"] + random.normal()}
"""
#: Seeds; MiB of the disk, and of it at first free: enough for the first runs, with their stores or without.
SEEDS, DISK, FREE = 6, 32, {"out": 1.5, "everything": 4.0}
FULL = raw(name="full", target="hungry:train", fixes={"good": FIXES["good"]}, design={"seeds": SEEDS}, curves=["progress"])


@pytest.fixture
def disk(tmp_path):
    """A small disk."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "none", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The verdict, and each run's files, where there is room."""
    folder = tmp_path_factory.mktemp("roomy")
    (folder / "hungry.py").write_text(TARGET)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        carry_out(FULL, folder / "out", f"sqlite:///{folder}/mlflow.db")
    return (folder / "out/verdict.json").read_bytes(), kept(folder / "out")


def kept(out):
    """Each recorded run's metrics, curves and artifacts; a record whose curves or artifacts are missing is an error."""
    found = {}
    for path in sorted((out / "runs").glob("*.json")):
        record = json.loads(path.read_bytes())
        assert record["state"] == "completed", record
        curves = pq.read_table(out / "curves" / f"{path.stem}.parquet").to_pydict()
        found[path.stem] = record["metrics"], curves, (out / "artifacts" / path.stem / "weights.bin").read_bytes()
    return found


@pytest.mark.parametrize("what", ["out", "everything"])
def test_what_finished_is_intact_and_the_study_goes_on(what, disk, tmp_path, undisturbed):
    home = disk / "home" if what == "everything" else tmp_path
    home.mkdir(exist_ok=True)
    (home / "hungry.py").write_text(TARGET)
    write_study(home, FULL)
    words = command("run", "study.yaml", "--engine", "inline", "--out", disk / "out")
    filler, free = disk / "filler", int(FREE[what] * 2**20)
    filler.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - free))

    full = subprocess.run(words, cwd=home, env=environment(), text=True, capture_output=True)
    said = full.stderr.strip().splitlines()
    assert full.returncode == 3, full.stderr
    assert [line for line in said if "Traceback" in line] == []
    assert "disk full" in said[-1] and "make space" in said[-1]
    verdict, runs = undisturbed
    intact = kept(disk / "out")
    assert 0 < len(intact) < len(runs)
    assert intact.items() <= runs.items()
    assert f"{len(intact)} of {len(runs)} runs are kept" in said[-1]

    filler.unlink()
    again = subprocess.run(words, cwd=home, env=environment(), text=True, capture_output=True)
    assert again.returncode == 0, again.stderr
    assert f"{len(runs) - len(intact)} trained now, {len(runs)} in the study" in again.stdout
    assert kept(disk / "out") == runs
    assert (disk / "out/verdict.json").read_bytes() == verdict
