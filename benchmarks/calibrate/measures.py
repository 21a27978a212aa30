"""What is measured of each rule on one cell of the simulation: a family, a scenario, so many seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ablate.analysis.effects import Array, Effect
from ablate.analysis.verdict import Verdict
from benchmarks.calibrate.noise import FIXES, LAYOUT, MAINS, SCENARIOS, Family, generator
from benchmarks.calibrate.rules import HARMS, HELPS, NEGLIGIBLE, RULES, Rule, importances, judged, words

KINDS = ("main", "alone", "removed", "share")


@dataclass(frozen=True)
class Rate:
    """A share with its simulation error (one standard error)."""

    value: float
    error: float

    @staticmethod
    def of(shares: Array) -> Rate:
        """From one value a study, [studies], in 0 to 1."""
        return Rate(float(shares.mean()), float(shares.std() / np.sqrt(len(shares))))

    def __str__(self) -> str:
        """In percent."""
        return f"{100 * self.value:.{2 if 0 < self.value < 0.001 else 1}f}"


@dataclass(frozen=True)
class Measured:
    """One rule on one cell.

    Attributes:
        false: studies in which a fix that does nothing is called helps or harms.
        found: of the first fix, called with its sign; nothing in the null scenario.
        wrong: studies in which a fix is called the opposite of what it does.
        covered: by kind of effect, how many of the 95 % intervals hold the true effect; ours alone.
        top: the mean importance of the most important fix; Optuna's alone.
    """

    rule: str
    family: str
    scenario: str
    seeds: int
    studies: int
    false: Rate
    found: Rate | None
    wrong: Rate
    covered: Mapping[str, Rate] = field(default_factory=dict)
    top: Rate | None = None


@dataclass(frozen=True)
class Cell:
    """What to simulate."""

    family: Family
    scenario: str
    seeds: int
    studies: int

    def outcomes(self) -> Array:
        """[studies, seeds, arms]."""
        rng = generator(self.family.name, self.scenario, self.seeds)
        return self.family.draw(self.means, self.studies, self.seeds, rng)

    @property
    def means(self) -> Array:
        return SCENARIOS[self.scenario]

    @property
    def truth(self) -> Array:
        """The true main effects, [fixes]."""
        return true_mains(self.family, self.means)

    def measured(self, rule: str, calls: Array, **more: object) -> Measured:
        """A rule's calls, [studies, fixes], against the truth."""
        truth = self.truth
        found = Rate.of(calls[:, 0] == np.sign(truth[0])) if truth[0] else None
        return Measured(
            rule,
            self.family.name,
            self.scenario,
            self.seeds,
            len(calls),
            false=Rate.of(is_called(calls[:, truth == 0]).any(axis=1)),
            found=found,
            wrong=Rate.of((is_called(calls) & (calls == -np.sign(truth)) & (truth != 0)).any(axis=1)),
            **more,  # type: ignore[arg-type]
        )


def is_called(calls: Array) -> Array:
    """Where a fix is said to help or to harm."""
    return (calls == HELPS) | (calls == HARMS)


def true_mains(family: Family, means: Array) -> Array:
    """The true main effects, [fixes], without the rounding of sums."""
    return np.round(MAINS @ family.expected(means), 12)


def compare(cell: Cell, rules: Mapping[str, Rule] = RULES) -> list[Measured]:
    """Every fast rule on the cell's studies; ours with the coverage of its intervals."""
    y = cell.outcomes()
    found = []
    for name, rule in rules.items():
        if name == "ablate":
            verdicts = [judged(each) for each in y]
            calls = np.array([words(verdict) for verdict in verdicts])
            found.append(cell.measured(name, calls, covered=coverage(verdicts, cell.family.expected(cell.means))))
        else:
            found.append(cell.measured(name, rule(y, generator(name, cell.seeds))))
    return found


def coverage(verdicts: Iterable[Verdict], expected: Array) -> dict[str, Rate]:
    """How many intervals hold the true effect, by kind; `expected` holds the arms' true means, [arms]."""
    truth = {fix: [float(weights @ expected) for weights in _weights(fix)] for fix in FIXES}
    held = np.array([[_covered(verdict, fix, truth[fix]) for fix in FIXES] for verdict in verdicts])
    return {kind: Rate.of(held[:, :, index].mean(axis=1)) for index, kind in enumerate(KINDS)}


def _weights(fix: str) -> list[Array]:
    alone, removed, shares = LAYOUT.alone(fix), LAYOUT.removed(fix), LAYOUT.shares
    assert alone is not None and removed is not None and shares is not None
    return [LAYOUT.mains[fix], alone, removed, shares[fix]]


def _covered(verdict: Verdict, fix: str, truth: list[float]) -> list[bool]:
    said = verdict.fixes[fix]
    return [
        _holds(effect, value) for effect, value in zip((said.effect, said.alone, said.removed, said.share), truth, strict=True)
    ]


def _holds(effect: Effect | None, value: float) -> bool:
    assert effect is not None
    low, high = effect.ci()
    return low - 1e-12 <= value <= high + 1e-12


def optuna(cell: Cell, evaluator: str) -> Measured:
    """Optuna's importances, read as people read them: the top fix is the one that matters."""
    shares = np.array(list(importances(cell.outcomes(), evaluator)))
    calls = (shares == shares.max(axis=1, keepdims=True)).astype(float)
    return cell.measured(f"Optuna, {evaluator}", calls, top=Rate.of(shares.max(axis=1)))


@dataclass(frozen=True)
class Boundary:
    """How often `negligible` is wrong, and how often it is found.

    Attributes:
        seeds: of a fixed design; 0 with looks.
        wrong: of a fix whose effect lies just beyond the smallest worth having.
        found: of fixes that do nothing.
    """

    family: str
    minimum: float
    seeds: int
    wrong: Rate
    found: Rate


def boundary_outcomes(family: Family, minimum: float, seeds: int, studies: int) -> Array:
    """Outcomes in which the first fix's true effect is 1.0001 times the minimum, diverged runs included."""
    means = 1.0001 * minimum / (1 - family.diverging) * SCENARIOS["one"]
    return family.draw(means, studies, seeds, generator("boundary", family.name, minimum, seeds))


def boundary(family: Family, minimum: float, seeds: int, studies: int) -> Boundary:
    """A fixed design at the boundary of negligible."""
    y = boundary_outcomes(family, minimum, seeds, studies)
    return bounded(family, minimum, seeds, np.array([words(judged(each, minimum)) for each in y]))


def bounded(family: Family, minimum: float, seeds: int, calls: Array) -> Boundary:
    """From the calls, [studies, fixes]."""
    small = calls == NEGLIGIBLE
    return Boundary(family.name, minimum, seeds, Rate.of(small[:, 0]), Rate.of(small[:, 1:].mean(axis=1)))
