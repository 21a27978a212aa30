"""What the driver costs a run: `PYTHONPATH=. python benchmarks/overhead.py` prints one table in some minutes.

The target does nothing, so all that is measured is ablate's own. `--runs 100 1000` measures less.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from ablate.design import Plan, PlannedRun, make_plan
from ablate.driver import Driver, default_storage
from ablate.engines.base import Engine, Task, execute
from ablate.engines.inline import InlineEngine
from ablate.intact import mend
from ablate.mirror import NullMirror
from ablate.preregistration import register
from ablate.progress import Progress
from ablate.records import Record, Records
from ablate.source import refuse_changed
from ablate.stages import due
from ablate.study import load_study
from ablate.target import load_target
from ablate.tracking import MLflowTracker
from ablate.trials import Trials
from benchmarks.noop import FIXES

#: Arms of the study: none, each alone, each left out, all.
ARMS = 2 + 2 * len(FIXES)
#: What is measured apart: of the engine what the driver waits for; of Optuna what is not told behind its back.
PARTS = ("engine", "record", "Optuna", "progress", "rest")
#: Points of a run of the study three_fixes.
POINTS = 2400


class Clock:
    """Wall and processor seconds of this process by part, each without what was measured within it."""

    def __init__(self) -> None:
        self.wall, self.cpu, self._open = Counter[str](), Counter[str](), list[list[float]]()

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
            if threading.current_thread() is not threading.main_thread():  # behind the driver's back
                return found(*args, **named)
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
    """Train a study of so many runs in a folder: ms a run by part, wall, and of all threads' processor time; memory in MB."""
    clock, plan = Clock(), planned(write_study(folder, runs, points))
    records = Records(folder / "out")
    with ExitStack() as held:
        held.enter_context(records.lock([run.id for run in plan.runs]))
        trials = Trials(default_storage(records.out), plan, records.identity())
        watcher = held.enter_context(Progress(plan, records, Console(file=StringIO())))
        started = held.enter_context(engine_of(engine))
        shown = Memory(watcher, runs // 10)
        driver = Driver(plan, Timed(records, clock, "record"), Timed(trials, clock, "Optuna"), NullMirror())  # type: ignore[arg-type]
        started.prepare(plan.target.name, [plan.runs[0].cell.params])  # workers are there, as after a study's first runs
        begun = time.process_time()
        with clock.part("rest"):
            driver.train(plan.runs, TimedEngine(started, clock, "engine"), Timed(shown, clock, "progress"))  # type: ignore[arg-type]
            driver.catch_up(records.load())
        spent = time.process_time() - begun
    wall = {"all": clock.wall.total(), **clock.wall}
    found = {name: 1000 * seconds / runs for name, seconds in wall.items()}
    return {"wall": found, "cpu": 1000 * spent / runs, "rss": memory(), "grown": memory() - shown.early}


class Memory:
    """A watcher that also looks at the driver's memory once some runs have ended."""

    def __init__(self, inner: Progress, after: int) -> None:
        self._inner, self._after, self.early = inner, after, 0.0

    def __getattr__(self, key: str) -> Any:
        return getattr(self._inner, key)

    def ended(self, run: PlannedRun, record: Record) -> None:
        self._inner.ended(run, record)
        self._after -= 1
        if self._after == 0:
            self.early = memory()


def memory() -> float:
    """The most that this process has had resident, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resumed(folder: Path) -> dict[str, float]:
    """Seconds of a complete study's next `run`, each a process: of what comes before the analysis, and of all."""
    checked, _ = timed([__file__, "--check", str(folder)])
    words = ["-m", "ablate", "run", str(folder / "overhead.yaml"), "--out", str(folder / "out"), "--engine", "inline"]
    timed([*words, "--tracking-uri", "none"])  # trains the one run that checks the study
    return {"check": checked, "whole": timed([*words, "--tracking-uri", "none"])[0]}


def check(folder: Path) -> None:
    """What `run` does before its analysis, where nothing is missing."""
    path = folder / "overhead.yaml"
    plan, records = planned(path), Records(folder / "out")
    plan.check()
    with records.lock([run.id for run in plan.runs]):
        mend(records)
        records.keep_to(plan.fingerprints())
        refuse_changed(records, plan.target.name, records.load().values())
        trials = Trials(default_storage(records.out), plan, records.identity())
        register(plan, records, False)
        driver = Driver(plan, records, trials, NullMirror())
        driver.catch_up(records.load())
        if due(plan, records.load()):
            raise RuntimeError("the study is not complete")
        driver.catch_up(records.load())


def mirrored(folder: Path, runs: int) -> dict[str, float]:
    """What MLflow's thread takes for each run of as many points as a run of three_fixes, and how often it is called."""
    path = write_study(folder, runs, POINTS)
    plan, records, clock, calls = planned(path), Records(folder / "out"), Clock(), Counter[str]()
    tracker = MLflowTracker(f"sqlite:///{folder}/mlflow.db", plan, records.identity())
    tracker.open()
    log = tracker._client.log_batch

    def counted(*args: Any, **named: Any) -> None:
        calls["log_batch"] += 1
        log(*args, **named)

    tracker._client.log_batch = counted
    for run in plan.runs:
        record = records.add(execute(Task(run.id, plan.target.name, run.cell.params, run.seed)), 0)
        with clock.part("MLflow"):
            tracker.mirror(run, record, records.read_series(run.id), [], records.stored(run.id))
    each = {"wall": clock.wall, "processor": clock.cpu}
    return {**{name: 1000 * spent["MLflow"] / runs for name, spent in each.items()}, "log_batch": calls["log_batch"] / runs}


def timed(words: Sequence[str]) -> tuple[float, str]:
    """Seconds that a process of Python takes, and what it prints."""
    begun = time.perf_counter()
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return time.perf_counter() - begun, ended.stdout


def apart(*words: object) -> dict[str, Any]:
    """What a process of its own measures: memory is a process's, and so is what is imported."""
    found: dict[str, Any] = json.loads(timed([__file__, *map(str, words)])[1].splitlines()[-1])
    return found


def driver_rows(most: Sequence[int], folder: Path) -> Iterator[str]:
    """Rows of the driver at so many runs, the last of them kept in the folder."""
    for engine in ("ray", "inline"):
        found = {runs: apart("--train", make(folder / f"{engine}-{runs}"), runs, engine, 0) for runs in most}
        name = "ray, 2 workers" if engine == "ray" else engine
        for runs, each in found.items():
            parts = ", ".join(f"{part} {each['wall'][part]:.2f}" for part in PARTS)
            yield row(f"{name}: {runs:,} runs", f"{each['wall']['all']:.2f} ms a run", f"{parts}; processor {each['cpu']:.2f}")
        first, last = (found[runs]["wall"]["all"] for runs in (most[0], most[-1]))
        yield row(f"{name}: {most[-1]:,} runs against {most[0]:,}", f"{last / first:.2f} ×", "")


def other_rows(most: Sequence[int], folder: Path, memory_runs: int) -> Iterator[str]:
    """Rows of the resume check, of memory, and of MLflow."""
    again = resumed(folder / f"inline-{most[-1]}")
    yield row(
        f"`run` of {most[-1]:,} complete runs",
        f"{again['check']:.1f} s",
        f"until the analysis; {again['whole']:.1f} s with report",
    )
    for points in (10, 1000, 10_000):
        found = apart("--train", make(folder / f"points-{points}"), memory_runs, "ray", points)
        note = f"{found['grown']:+.0f} MB over its last nine tenths; {found['wall']['record']:.2f} ms a record"
        yield row(f"driver's memory, {memory_runs} runs of {points:,} points", f"{found['rss']:.0f} MB", note)
    mlflow = apart("--mirror", make(folder / "mirror"), 50)
    note = f"{mlflow['log_batch']:.1f} calls of log_batch, which takes 1,000 metrics; processor {mlflow['processor']:.1f}"
    yield row(f"MLflow's thread: a run of {POINTS:,} points", f"{mlflow['wall']:.1f} ms", note)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, or measure one thing of it in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", nargs="+", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--memory-runs", type=int, default=200)
    for one in ("train", "check", "mirror"):
        parser.add_argument(f"--{one}", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        folder, runs, engine, points = args.train
        print(json.dumps(train(Path(folder), int(runs), engine, int(points))))
    elif args.check:
        check(Path(args.check[0]))
    elif args.mirror:
        print(json.dumps(mirrored(Path(args.mirror[0]), int(args.mirror[1]))))
    else:
        print("| what | | of it, ms a run |\n| --- | ---: | --- |")
        with tempfile.TemporaryDirectory() as place:
            for each in chain(driver_rows(args.runs, Path(place)), other_rows(args.runs, Path(place), args.memory_runs)):
                print(each, flush=True)


if __name__ == "__main__":
    main()
