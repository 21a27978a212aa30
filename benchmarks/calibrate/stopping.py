"""Studies that stop once every fix is decided: their error rates, and the seeds they save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.sequential import Looks
from ablate.analysis.verdict import Verdict
from benchmarks.calibrate.measures import (
    KINDS,
    Boundary,
    Rate,
    boundary_outcomes,
    bounded,
    coverage,
    is_called,
    true_mains,
)
from benchmarks.calibrate.noise import SCENARIOS, Family, generator
from benchmarks.calibrate.rules import HARMS, HELPS, NEGLIGIBLE, NOTHING, judged, words

LOOKS = Looks((4, 6, 9, 12))
#: Fixed designs that the stopping one is held against.
FIXED = (4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20)


@dataclass(frozen=True)
class Stopped:
    """Where one study ended.

    Attributes:
        seeds: at its last look.
    """

    verdict: Verdict
    seeds: int


def stop(y: Array, minimum: float, looks: Looks = LOOKS) -> Stopped:
    """Add seed blocks until every fix is decided, as the driver does; y: [seeds, arms], of the last look."""
    for seeds in looks.seeds:
        verdict = judged(y[:seeds], minimum, looks)
        if verdict.decided:
            break
    return Stopped(verdict, seeds)


@dataclass(frozen=True)
class NullLooks:
    """Null studies with looks.

    Attributes:
        minimum: the smallest effect worth having; with 0 a study goes on to the last look unless all are called.
        false: studies in which a fix is called helps or harms.
        covered: intervals of main effects, alone, removed and shares that hold 0, at the stop.
    """

    family: str
    minimum: float
    false: Rate
    covered: dict[str, Rate]
    seeds: float


def null_looks(family: Family, minimum: float, studies: int) -> NullLooks:
    """Null studies through all looks."""
    y = family.draw(SCENARIOS["null"], studies, LOOKS.seeds[-1], generator("looks", family.name, minimum))
    ends = [stop(each, minimum) for each in y]
    calls = np.array([words(end.verdict) for end in ends])
    covered = coverage([end.verdict for end in ends], family.expected(SCENARIOS["null"]))
    false = Rate.of(is_called(calls).any(axis=1))
    return NullLooks(family.name, minimum, false, covered, float(np.mean([end.seeds for end in ends])))


def boundary_looks(family: Family, minimum: float, studies: int) -> Boundary:
    """The boundary of negligible, with looks."""
    y = boundary_outcomes(family, minimum, LOOKS.seeds[-1], studies)
    return bounded(family, minimum, 0, np.array([words(stop(each, minimum).verdict) for each in y]))


@dataclass(frozen=True)
class Ends:
    """Studies of one family and scenario, stopping and fixed.

    Attributes:
        seeds: where each stopped, [studies].
        right: share of the fixes given their right word at the stop, [studies].
        wrong: share of the fixes given a wrong one, [studies]; inconclusive is neither.
        fixed: share of the fixes given their right word by fixed designs, [FIXED, studies].
        covered: share of the main effects' intervals at the stop that hold the truth.
    """

    seeds: Array
    right: Array
    wrong: Array
    fixed: Array
    covered: float


def ends(family: Family, scenario: str, size: float, minimum: float, studies: int) -> Ends:
    """The same outcomes, looked at until decided, and at every fixed number of seeds."""
    means = size * SCENARIOS[scenario]
    y = family.draw(means, studies, FIXED[-1], generator("mix", family.name, scenario, size))
    truth = true_mains(family, means)
    stopped = [stop(each[: LOOKS.seeds[-1]], minimum) for each in y]
    calls = np.array([words(end.verdict) for end in stopped])
    right = is_right(calls, truth, minimum)
    return Ends(
        seeds=np.array([end.seeds for end in stopped], dtype=float),
        right=right.mean(axis=1),
        wrong=(~right & (calls != NOTHING)).mean(axis=1),
        fixed=np.array([_fixed(y[:, :seeds], truth, minimum) for seeds in FIXED]),
        covered=coverage([end.verdict for end in stopped], family.expected(means))[KINDS[0]].value,
    )


def _fixed(y: Array, truth: Array, minimum: float) -> Array:
    return is_right(np.array([words(judged(each, minimum)) for each in y]), truth, minimum).mean(axis=1)


def is_right(calls: Array, truth: Array, minimum: float) -> Array:
    """Whether a word is right: the effect's direction, or negligible where it is below the minimum. Calls: [studies, fixes]."""
    direction = np.where(truth > 0, HELPS, HARMS)
    return ((calls == direction) & (truth != 0)) | ((calls == NEGLIGIBLE) & (np.abs(truth) < minimum - 1e-9))


@dataclass(frozen=True)
class Saving:
    """What stopping saves over a mix of studies.

    Attributes:
        family: of its noise; `all` of them in equal parts.
        seeds: mean at the stop.
        right, wrong: share of the fixes given their right word, a wrong one.
        covered: share of the main effects' intervals that hold the truth at the stop.
        same: seeds of the fixed design that gives as many fixes their right word, interpolated.
    """

    family: str
    size: float
    minimum: float
    studies: int
    seeds: float
    right: Rate
    wrong: Rate
    covered: float
    same: float

    @property
    def saved(self) -> float:
        """Share of the runs."""
        return 1 - self.seeds / self.same


def saving(family: str, size: float, minimum: float, parts: Sequence[Ends]) -> Saving:
    """Over the parts, which are of one size; `family` is how the mix is called."""
    right = Rate.of(np.concatenate([part.right for part in parts]))
    fixed = np.concatenate([part.fixed for part in parts], axis=1).mean(axis=1)
    return Saving(
        family,
        size,
        minimum,
        sum(len(part.seeds) for part in parts),
        seeds=float(np.concatenate([part.seeds for part in parts]).mean()),
        right=right,
        wrong=Rate.of(np.concatenate([part.wrong for part in parts])),
        covered=float(np.mean([part.covered for part in parts])),
        same=float(np.interp(right.value, np.maximum.accumulate(fixed), FIXED)),
    )
