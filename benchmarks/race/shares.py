"""What each of ablate's own savings is worth: the study with one of them off at a time. The figures are not to be multiplied.

A saving that a word of the command line switches off is measured by the study's own process. For one that no word switches off,
what a run costs more without it is measured apart, and the study's time computed from it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ablate.study import load_study
from ablate.targets.region_clip.settings import resolve
from benchmarks.costs import median_seconds, step
from benchmarks.race.processes import ROOT, STUDY, environment, ours

REPEATS = 3


@dataclass(frozen=True)
class Variant:
    """The study without one saving.

    Attributes:
        words: what the command line takes to switch it off.
        cost: seconds that a run takes longer without it, on one worker; where no word switches it off.
    """

    name: str
    words: tuple[str, ...] = ()
    cost: Callable[[], float] | None = None


def fresh_process() -> float:
    """What a process pays beside its training: interpreter, imports, weights, its seed's data; its second run is warm."""
    code = (
        "from ablate.engines.base import Task, execute\n"
        f"task = Task('run', {str(load_study(STUDY).target)!r}, {_params()!r}, 0)\n"
        "print(*(execute(task).seconds for _ in range(2)))"
    )
    costs = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
        )
        warm = float(ran.stdout.split()[-1])
        costs.append(time.perf_counter() - started - 2 * warm)
    return statistics.median(costs)


def micro_batches() -> float:
    """What a run takes longer with its towers computed micro-batch by micro-batch, not for a whole accumulation window."""
    params = _params()
    torch.set_num_threads(1)
    whole, apart = median_seconds(step(), step(apart=True))
    return (apart - whole) * int(params["forwards"]) / int(params["gradient_accumulation"])


#: One more line adds a variant.
VARIANTS = (
    Variant("runs one after another (`--workers 1`)", words=("--workers", "1")),
    Variant("a fresh process for each run", cost=fresh_process),
    Variant("micro-batch by micro-batch", cost=micro_batches),
)


def shares(home: Path, seeds: int) -> str:
    """The table, of a study of so many seeds."""
    runs, workers = seeds * 2 ** len(load_study(STUDY).fixes), os.cpu_count() or 1
    whole = statistics.median(ours(home / f"whole-{repeat}", seeds) for repeat in range(REPEATS))
    rows = [
        f"| one saving off, {runs} runs | s | × | |",
        "| --- | ---: | ---: | --- |",
        f"| as it is | {whole:.1f} | 1.00 | median of {REPEATS} |",
    ]
    for number, variant in enumerate(VARIANTS):
        if variant.cost:
            more = variant.cost()
            seconds, how = whole + more * runs / workers, f"computed: {more:.2f} s more a run, on {workers} workers"
        else:
            taken = [ours(home / f"{number}-{repeat}", seeds, *variant.words) for repeat in range(REPEATS)]
            seconds, how = statistics.median(taken), f"median of {REPEATS}"
        rows.append(f"| {variant.name} | {seconds:.1f} | {seconds / whole:.2f} | {how} |")
    return "\n".join(rows)


def _params() -> dict[str, Any]:
    """The all-off arm's."""
    study = load_study(STUDY)
    params = dict(study.params)
    for fix in study.fixes.values():
        params |= fix.off
    return resolve(params)
