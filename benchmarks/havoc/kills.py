"""When a study is killed, and which of its processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from benchmarks.havoc.folder import PLANNED, Folder

#: What is killed, and how often it is drawn under each engine. A process group is the driver and all that did not leave it.
KINDS = {
    "inline": {"driver": 4, "group": 1},
    "ray": {"worker": 5, "driver": 2, "driver and worker": 2, "group": 1},
}
#: What is waited for before a kill, with how often it is drawn as long as runs are missing, and after.
EARLY = {"start-up": 3, "some runs": 3, "a file": 4, "Optuna": 2, "MLflow": 2}
LATE = {"start-up": 1, "the report": 4, "publishing": 4}
#: Seconds between two looks, and that a start-up may take: longer with ray.
LOOK, STARTING = 0.0002, {"inline": 3.0, "ray": 7.0}


@dataclass(frozen=True)
class Moment:
    """A moment to kill at.

    Attributes:
        name: what is waited for.
        delay: seconds from there.
        runs: how many more runs are recorded before.
    """

    name: str
    delay: float
    runs: int = 0


def draw(early: bool, engine: str, randomness: random.Random) -> tuple[str, Moment]:
    """What to kill, and when.

    Args:
        early: while runs are missing; else the report and its publication are what is left. Workers are gone by then.
    """
    kinds = KINDS[engine] if early else {kind: weight for kind, weight in KINDS[engine].items() if "worker" not in kind}
    kind, name = _draw(kinds, randomness), _draw(EARLY if early else LATE, randomness)
    runs = randomness.randint(0, 9)
    if name == "start-up":
        return kind, Moment(name, randomness.uniform(0, STARTING[engine]))
    delays = {"some runs": 0.2, "the report": 3.0, "publishing": 2.0}
    return kind, Moment(name, randomness.uniform(0, delays.get(name, 0.0)), runs)


def await_moment(moment: Moment, folder: Folder, process: subprocess.Popen[bytes], launched: int, limit: float) -> bool:
    """Wait for it; False where the process ended before, or `limit` seconds passed."""
    seen = _condition(moment, folder, launched)
    deadline = time.monotonic() + limit
    while not seen():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(LOOK)
    try:
        process.wait(moment.delay)
    except subprocess.TimeoutExpired:
        return True
    return moment.delay == 0 and process.poll() is None


def _condition(moment: Moment, folder: Folder, launched: int) -> Callable[[], bool]:
    enough = min(folder.recorded() + moment.runs, PLANNED)
    reached = False

    def after(condition: Callable[[], object]) -> Callable[[], bool]:
        def seen() -> bool:
            nonlocal reached
            reached = reached or folder.recorded() >= enough
            return reached and bool(condition())

        return seen

    return {
        "start-up": lambda: True,
        "some runs": after(lambda: True),
        "a file": after(lambda: folder.parts() or folder.unrecorded()),
        "Optuna": after(lambda: "Optuna" in folder.journals(launched)),
        "MLflow": after(lambda: "MLflow" in folder.journals(launched)),
        "the report": lambda: folder.recorded() >= PLANNED and _working(folder, launched),
        "publishing": lambda: "report.html" in folder.written(launched),
    }[moment.name]


def _working(folder: Folder, launched: int) -> bool:
    """Whether the process has come to the study's folder."""
    return bool(folder.written(launched)) or (folder.out / "sittings.json").stat().st_mtime_ns > launched


def kill(kind: str, process: subprocess.Popen[bytes], randomness: random.Random) -> bool:
    """SIGKILL; False where there was nothing of that kind to kill, and then nothing was killed."""
    workers = workers_of(process.pid) if "worker" in kind else []
    if process.poll() is not None or ("worker" in kind and not workers):
        return False
    try:
        if workers:
            randomness.choice(workers).kill()
        if kind == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif kind != "worker":
            process.kill()
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def workers_of(driver: int) -> list[psutil.Process]:
    """The ray workers below a driver that train."""
    try:
        below = psutil.Process(driver).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return sorted((each for each in below if title(each).startswith("ray::_Worker")), key=lambda each: each.pid)


def title(process: psutil.Process) -> str:
    """Its command line, or what it calls itself; empty where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def marked(mark: str) -> list[psutil.Process]:
    """Every process that works in this folder or has it in its environment, and is no zombie.

    What gives itself a title, as ray's agents do, writes it over its environment.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (process.cwd() == mark or mark in process.environ().values()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _draw(weights: dict[str, int], randomness: random.Random) -> str:
    return randomness.choices(list(weights), list(weights.values()))[0]
