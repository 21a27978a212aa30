"""What the driver costs a run: `PYTHONPATH=. python benchmarks/overhead.py` prints one table in some minutes.

The target does nothing, so all that is measured is ablate's own. `--runs 100 1000` measures fewer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from ablate.design import Plan, make_plan
from ablate.driver import Driver, default_storage
from ablate.engines.base import Engine
from ablate.engines.inline import InlineEngine
from ablate.mirror import NullMirror
from ablate.progress import Progress
from ablate.records import Records
from ablate.study import load_study
from ablate.target import load_target
from ablate.trials import Trials
from benchmarks.noop import FIXES

#: Arms of the study: none, each alone, each left out, all.
ARMS = 2 + 2 * len(FIXES)
#: Points of a run of the study three_fixes.
POINTS = 2400


class Clock:
    """Wall and processor seconds of this process by part, each without what was measured within it."""

    def __init__(self) -> None:
        self.wall, self.cpu, self._open = Counter[str](), Counter[str](), list[list[float]]()
        self.process = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what is done meanwhile."""
        self._open.append([0.0, 0.0])
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            within = self._open.pop()
            self.wall[name] += wall - within[0]
            self.cpu[name] += cpu - within[1]
            if self._open:
                self._open[-1][0] += wall
                self._open[-1][1] += cpu


class Timed:
    """Stands before an object: what is called on it counts as a part."""

    def __init__(self, inner: Any, clock: Clock, name: str) -> None:
        self._inner, self._clock, self._name = inner, clock, name

    def __getattr__(self, key: str) -> Any:
        found = getattr(self._inner, key)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            with self._clock.part(self._name):
                return found(*args, **named)

        return call


class TimedEngine(Timed):
    """The same of an engine: the time that it takes to give each event."""

    def run(self, *args: Any) -> Iterator[Any]:
        events = self._inner.run(*args)
        while True:
            with self._clock.part(self._name):
                event = next(events, None)
            if event is None:
                return
            yield event


def write_study(folder: Path, runs: int, points: int = 0) -> Path:
    """The study file of so many runs, a multiple of ten."""
    fixes = {name: {"off": {name: 0.0}, "on": {name: 0.25}} for name in FIXES}
    study = {"name": "overhead", "target": "benchmarks.noop:train", "params": {"points": points}, "fixes": fixes}
    study |= {"design": {"kind": "one_at_a_time", "seeds": runs // ARMS}, "outcome": {"metric": "score", "minimum_effect": 0.01}}
    path = folder / "overhead.yaml"
    path.write_text(yaml.safe_dump(study | ({"curves": ["progress"]} if points else {})), encoding="utf-8")
    return path


def planned(path: Path) -> Plan:
    study = load_study(path)
    return make_plan(study, load_target(study.target))


def engine_of(name: str) -> Engine:
    if name == "inline":
        return InlineEngine()
    from ablate.engines.ray import RayEngine

    return RayEngine(workers=2)


def train(folder: Path, runs: int, engine: str, points: int = 0) -> dict[str, Any]:
    """Train a study of so many runs in a folder; ms a run by part, wall and processor."""
    clock, plan = Clock(), planned(write_study(folder, runs, points))
    records = Records(folder / "out")
    with ExitStack() as held:
        held.enter_context(records.lock())
        trials = Trials(default_storage(records.out), plan, records.identity())
        watcher = held.enter_context(Progress(plan, records, Console(file=StringIO())))
        started = held.enter_context(engine_of(engine))
        parts = {"record": records, "Optuna": trials, "progress": watcher}
        timed = {name: Timed(each, clock, name) for name, each in parts.items()}
        driver = Driver(plan, timed["record"], timed["Optuna"], NullMirror())  # type: ignore[arg-type]
        run_all(driver, plan, TimedEngine(started, clock, "engine"), timed["progress"], clock, records)
    total = Counter({"all": clock.wall.total()}) + clock.wall
    return {
        "wall": {name: 1000 * seconds / runs for name, seconds in total.items()},
        "cpu": {"driver's thread": 1000 * clock.cpu.total() / runs, "process": 1000 * clock.process / runs},  # type: ignore[attr-defined]
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run_all(driver: Driver, plan: Plan, engine: Any, watcher: Any, clock: Any, records: Records) -> None:
    """Everything from the first run's start to when all stores hold the last."""
    engine.prepare(plan.target.name, [plan.runs[0].cell.params])  # workers are there, as after a study's first runs
    clock.wall.clear()
    clock.cpu.clear()
    begun = time.process_time()
    with clock.part("rest"):
        driver.train(plan.runs, engine, watcher)
        driver.catch_up(records.load())
    clock.process = time.process_time() - begun


def resumed(folder: Path) -> dict[str, float]:
    """Seconds of `ablate run` of what is complete, as a process: until the analysis begins, and as a whole."""
    words = [sys.executable, "-m", "ablate", "run", str(folder / "overhead.yaml"), "--out", str(folder / "out")]
    begun = time.perf_counter()
    ended = subprocess.run(
        [*words, "--engine", "inline", "--tracking-uri", "none"],
        capture_output=True,
        text=True,
        env={**os.environ, "ABLATE_TIMES": "1"},
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return {"whole": time.perf_counter() - begun}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=3)
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        found = train(Path(folder), int(args.one[0]), args.one[1], int(args.one[2]))
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
