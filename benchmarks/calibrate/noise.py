"""What the simulated studies are drawn from: families of noise and scenarios of effects, declared before anything was measured.

Every study is a 2³ factorial. Outcome = the arm's mean + the seed's effect (standard deviation 1, shared by all arms, so that it
cancels) + the run's noise. The unit of everything is the standard deviation of a typical run's noise.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ablate.analysis.effects import Array
from ablate.analysis.layout import full_factorial

FIXES = ("a", "b", "c")
LAYOUT = full_factorial(FIXES)
MAINS: Array = np.stack([LAYOUT.mains[name] for name in FIXES])
#: The seed of all simulations; a cell's generator takes its own name beside it.
SEED = 20_261_124
#: What a diverged run is worth (`outcome.on_divergence`): 5 standard deviations below an arm without effects.
DIVERGED = -5.0


@dataclass(frozen=True)
class Family:
    """Noise of runs.

    Attributes:
        shape: normal, exponential (shifted to mean 0) or t (3 degrees of freedom), each of standard deviation 1.
        scale: factor an arm, [arms]; its root mean square is 1, so that a typical run's noise is 1.
        diverging: share of the runs, in every arm, that end at `DIVERGED` instead.
    """

    name: str
    shape: str = "normal"
    scale: tuple[float, ...] = (1.0,) * 8
    diverging: float = 0.0

    def draw(self, means: Array, studies: int, seeds: int, rng: np.random.Generator) -> Array:
        """Outcomes, [studies, seeds, arms], around the arms' means, [arms]."""
        size = (studies, seeds, len(means))
        y = means + rng.normal(size=(studies, seeds, 1)) + np.asarray(self.scale) * _standard(self.shape, size, rng)
        return np.where(rng.random(size) < self.diverging, DIVERGED, y) if self.diverging else y

    def expected(self, means: Array) -> Array:
        """The mean outcome of each arm, diverged runs included, [arms]."""
        return (1 - self.diverging) * means + self.diverging * DIVERGED


def _standard(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> Array:
    if shape == "exponential":
        return rng.exponential(size=size) - 1
    if shape == "t":
        return rng.standard_t(3, size=size) / np.sqrt(3)
    return rng.normal(size=size)


def _louder(arms: Array) -> tuple[float, ...]:
    """Six times the noise in these arms, [arms] of truth values."""
    scale = np.where(arms, 6.0, 1.0)
    return tuple(scale / np.sqrt(np.mean(scale**2)))


FAMILIES = (
    Family("equal"),
    Family("6-fold, a fix", scale=_louder(MAINS[0] > 0)),
    Family("6-fold, an arm", scale=_louder(np.arange(8) == 5)),
    Family("skewed", "exponential"),
    Family("heavy-tailed", "t"),
    Family("5 % diverge", diverging=0.05),
)

#: For each scenario the arms' means for an effect of 1, [arms].
SCENARIOS: Mapping[str, Array] = {
    "null": np.zeros(8),
    "one": np.where(MAINS[0] > 0, 1.0, 0.0),
    "two": np.where(MAINS[0] > 0, 1.0, 0.0) - (MAINS[1] > 0),
    "interacting": np.where((MAINS[0] > 0) & (MAINS[1] > 0), 1.0, 0.0),
}


def generator(*name: object) -> np.random.Generator:
    """The generator of what is so named: the same name, the same numbers."""
    return np.random.default_rng([SEED, zlib.crc32(repr(name).encode())])
