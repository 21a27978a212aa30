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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ablate.study import load_study
from ablate.targets.region_clip.data import training_set, windows
from ablate.targets.region_clip.loop import make_model
from ablate.targets.region_clip.scenes import make_scenes
from ablate.targets.region_clip.settings import resolve
from benchmarks.costs import CPU, bare, median_seconds, step
from benchmarks.race.processes import ROOT, STUDY, environment, ours

REPEATS = 3


@dataclass(frozen=True)
class Variant:
    """The study without one saving.

    Attributes:
        words: what the command line takes to switch it off.
        resources: what the study file does.
        cost: seconds that a run takes longer without it, on one worker; where nothing switches it off.
    """

    name: str
    words: tuple[str, ...] = ()
    resources: Mapping[str, object] = field(default_factory=dict)
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
    return _dearer(step(), step(apart=True))


def data_anew() -> float:
    """What a run takes longer that makes its scenes, and cuts them into windows, for itself alone."""
    params = _params()
    side = make_model(params, CPU).side
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        scenes = make_scenes(params["forwards"] * params["batch_size"], 0, invalid_rate=params["invalid_rate"])
        made = time.perf_counter() - started
        data = replace(training_set(params, 0))  # another object: its windows are cut anew
        started = time.perf_counter()
        list(windows(data, params["batch_size"], params["gradient_accumulation"], "none", 0.0, side, CPU))
        taken.append(made + time.perf_counter() - started)
        assert len(scenes) == len(data.which)
    return statistics.median(taken)


def plain_layers() -> float:
    """What a run takes longer whose step computes transformers' own layers, for all tokens, though folded (see `costs`)."""
    return _dearer(bare(), bare(plain=True))


def _dearer(ours: Callable[[], None], theirs: Callable[[], None]) -> float:
    """What a run takes longer whose steps are theirs, seconds."""
    params = _params()
    torch.set_num_threads(1)
    cheap, dear = median_seconds(ours, theirs)
    return (dear - cheap) * int(params["forwards"]) / int(params["gradient_accumulation"])


#: One more line adds a variant.
VARIANTS = (
    Variant("runs one after another (`--workers 1`)", words=("--workers", "1")),
    Variant("a fresh process for each run", cost=fresh_process),
    Variant("micro-batch by micro-batch", cost=micro_batches),
    Variant("all tokens and cells in every layer", cost=plain_layers),
    Variant("data made and cut by each run", cost=data_anew),
    Variant("each run from its start (`share_prefixes: false`)", resources={"share_prefixes": False}),
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
            folders = (home / f"{number}-{repeat}" for repeat in range(REPEATS))
            taken = [ours(folder, seeds, *variant.words, resources=variant.resources) for folder in folders]
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
