"""Which cells are simulated, and all results in one place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.calibrate.measures import Boundary, Cell, Measured, boundary, compare, optuna
from benchmarks.calibrate.noise import FAMILIES, SCENARIOS, Family, generator
from benchmarks.calibrate.rules import judged
from benchmarks.calibrate.stopping import NullLooks, Saving, boundary_looks, ends, null_looks, saving

SEEDS = (3, 4, 5, 6, 8, 12)
EVALUATORS = ("fANOVA", "PED-ANOVA")
#: Smallest effects worth having, at which `negligible` is tried, and the fixed designs there.
BOUNDARY_SEEDS = (5, 8, 12)
MINIMUMS = (0.5, 1.0)
#: Smallest effects of null studies with looks. With 0 none stops before the last look, so that all error is spent.
LOOK_MINIMUMS = (0.0, 1.0)
#: Effects with minimums for what stopping saves. The first are those of studies/planted.yaml, whose harmful fix takes 2 away and
#: whose minimum is 1.
MIXES = ((2.0, 1.0), (1.0, 0.5))


@dataclass(frozen=True)
class Speed:
    """Seconds for many analyses of 2³ × 6 one after the other, and milliseconds of one (median, 99th percentile)."""

    analyses: int
    seconds: float
    median_ms: float
    slow_ms: float


@dataclass(frozen=True)
class Results:
    """Everything that was measured."""

    studies: int
    families: tuple[str, ...]
    compared: tuple[Measured, ...]
    boundaries: tuple[Boundary, ...]
    looks: tuple[NullLooks, ...]
    savings: tuple[Saving, ...]
    speed: Speed

    def of(self, **wanted: Any) -> list[Measured]:
        """The comparisons with these attributes."""
        return [each for each in self.compared if all(getattr(each, key) == value for key, value in wanted.items())]

    def one(self, **wanted: Any) -> Measured:
        """The only comparison with these attributes."""
        (found,) = self.of(**wanted)
        return found


def speed(analyses: int) -> Speed:
    """Time the verdict of studies of 2³ × 6."""
    y = generator("speed").normal(size=(analyses, 6, 8))
    judged(y[0], 0.5)
    taken = np.empty(analyses)
    for index, each in enumerate(y):
        start = time.perf_counter()
        judged(each, 0.5)
        taken[index] = time.perf_counter() - start
    return Speed(analyses, float(taken.sum()), *(1000 * float(np.quantile(taken, q)) for q in (0.5, 0.99)))


#: Cells on which the required lines rest: they get all studies, the others a fifth.
WHOLE = {("null", 5), ("one", 5), ("one", 8)}


def _fewer(studies: int, part: int) -> int:
    """One of so many parts of the studies."""
    return max(2, studies // part)


def _comparisons(studies: int, families: Sequence[Family]) -> Iterator[Callable[[], list[Measured]]]:
    """Null and one effect at all numbers of seeds, the others at 5."""
    for family in families:
        for scenario in SCENARIOS:
            for seeds in SEEDS if scenario in ("null", "one") else (5,):
                count = studies if (scenario, seeds) in WHOLE else _fewer(studies, 5)
                yield partial(compare, Cell(family, scenario, seeds, count))


def _importances(studies: int, families: Sequence[Family], evaluators: Sequence[str]) -> Iterator[Callable[[], Measured]]:
    """Optuna's, at 5 seeds and on fewer studies: 0.1 s each."""
    for family in families:
        for scenario in ("null", "one"):
            for evaluator in evaluators:
                yield partial(optuna, Cell(family, scenario, 5, _fewer(studies, 200)), evaluator)


class Runner:
    """Runs pieces of work in so many processes (1: in this one), one BLAS thread each, and tells how long each kind took."""

    def __init__(self, workers: int, told: Callable[[str], None]) -> None:
        self._pool = ProcessPoolExecutor(workers, initializer=partial(threadpool_limits, 1)) if workers > 1 else None
        self._told = told

    def __call__(self, title: str, work: Iterable[Callable[[], Any]]) -> list[Any]:
        """The results, in order."""
        start = time.perf_counter()
        if self._pool:
            done = [task.result() for task in [self._pool.submit(piece) for piece in work]]
        else:
            with threadpool_limits(1):
                done = [piece() for piece in work]
        self._told(f"{title}: {time.perf_counter() - start:.0f} s")
        return done


def simulate(
    studies: int,
    workers: int = 1,
    told: Callable[[str], None] = lambda text: None,
    families: Sequence[Family] = FAMILIES,
    evaluators: Sequence[str] = EVALUATORS,
) -> Results:
    """Simulate everything, `studies` a cell (fewer where a required line doesn't rest on it), in so many processes."""
    run = Runner(workers, told)
    edges = [(family, minimum) for family in families for minimum in MINIMUMS]
    timed = run("speed", [partial(speed, studies)])[0]
    looks = run(
        "null studies with looks",
        [partial(null_looks, f, m, _fewer(studies, 5 if m else 1)) for f in families for m in LOOK_MINIMUMS],
    )
    compared = run("rules", _comparisons(studies, families))
    boundaries = run("negligible", [partial(boundary, f, m, n, _fewer(studies, 2)) for f, m in edges for n in BOUNDARY_SEEDS])
    boundaries += run("negligible with looks", [partial(boundary_looks, f, m, _fewer(studies, 2)) for f, m in edges])
    savings = [each for size, minimum in MIXES for each in _savings(run, families, studies, size, minimum)]
    by_importance = run("Optuna", _importances(studies, families, evaluators))
    every = (*(each for cell in compared for each in cell), *by_importance)
    names = tuple(family.name for family in families)
    return Results(studies, names, every, tuple(boundaries), tuple(looks), tuple(savings), timed)


def _savings(run: Runner, families: Sequence[Family], studies: int, size: float, minimum: float) -> list[Saving]:
    """One mix, in equal parts over families and scenarios: over all, then of each family."""
    mix = [(family, scenario) for family in families for scenario in SCENARIOS]
    count = _fewer(studies, len(mix))
    parts = run(f"stopping, effects of {size:g}", [partial(ends, f, s, size, minimum, count) for f, s in mix])
    of_family = {each.name: [part for part, (family, _) in zip(parts, mix, strict=True) if family is each] for each in families}
    return [saving(name, size, minimum, found) for name, found in {"all": parts, **of_family}.items()]
