"""The response to a swept knob: the mean at each value, and which values may be the best.

Values × paired seeds are a randomised block design of their own (Montgomery, ch. 4): a value's mean has the variance of a seed's
level and of a run, a difference of two values that of runs alone. Both are estimated from all values at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.effects import LEVEL, Array, Effect, mean_effect, residual, t_quantile


@dataclass(frozen=True)
class Response:
    """The outcome at one value of the knob, in its own unit and direction; `ci` is None where noise can't be told."""

    value: float
    mean: float | None
    ci: tuple[float, float] | None
    seeds: int


@dataclass(frozen=True)
class Best:
    """The value that looks best, and those that can't be told from it.

    Attributes:
        value: of the best mean.
        rivals: the other values of which one may be the best, in order.
        values: how many were compared.
        seeds: complete paired seeds that they were compared over.
        edge: whether it is the least or the greatest value compared, so that a better one may lie beyond. Below 0, where most
            knobs end, none is looked for.
    """

    value: float
    rivals: tuple[float, ...]
    values: int
    seeds: int
    edge: bool = False

    @property
    def flat(self) -> bool:
        """Whether any of the values may be the best."""
        return len(self.rivals) == self.values - 1

    @property
    def sentence(self) -> str:
        """`best at 200 (100 can't be told from it)`."""
        if self.flat:
            return f"flat as far as {self.seeds} seeds tell: any of {self.values} values may be best ({self.value:.4g} looks it)"
        beyond = "; it is the last value that way, so a better one may lie beyond" if self.edge else ""
        if not self.rivals:
            return f"best at {self.value:.4g}, told from every other value{beyond}"
        return f"best at {self.value:.4g} ({listed([f'{value:.4g}' for value in self.rivals])} can't be told from it){beyond}"


def blocks(values: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The rows and columns that can be analysed as blocks, as two masks.

    Columns of fewer than two outcomes are left out first (a value at which nothing completes must not cost the others), then
    rows that lack one of the rest.

    Args:
        values: outcomes, [seeds, values], NaN where there is none.
    """
    there = np.isfinite(values)
    columns = there.sum(axis=0) >= 2
    rows = np.asarray(there[:, columns].all(axis=1))
    return rows if columns.any() else np.zeros_like(rows), columns


def block_means(y: Array) -> list[Effect]:
    """Each column's mean with its standard error from all columns.

    The variance is (MS_block + (m - 1) MS_residual) / (m n), whose mean is (seed variance + run variance) / n; the degrees of
    freedom are Satterthwaite's.

    Args:
        y: complete outcomes, [n seeds, m values], n at least 2.
    """
    seeds, count = y.shape
    if count < 2:
        return [mean_effect(y[:, 0])] if count else []
    left = residual(y)
    between, within = float(count * y.mean(axis=1).var(ddof=1)), (count - 1) * left.mean_square
    total = between + within
    df = total**2 / (between**2 / (seeds - 1) + within**2 / left.df) if total > 0 else float(seeds - 1)
    error = float(np.sqrt(total / (count * seeds)))
    floor = noise_floor(y)
    return [Effect(float(mean), error if error > floor else 0.0, df) for mean in y.mean(axis=0)]


def respond(at: Sequence[float], values: Array) -> tuple[Response, ...]:
    """The response at each value: over complete seeds with an interval, where there are two of these.

    Args:
        at: the swept values.
        values: the outcome, [seeds, values], NaN where there is none.
    """
    rows, columns = blocks(values)
    whole = int(rows.sum()) >= 2
    effects = dict(zip(np.flatnonzero(columns).tolist(), block_means(values[rows][:, columns]) if whole else (), strict=False))
    return tuple(_response(value, values[:, index], effects.get(index), int(rows.sum())) for index, value in enumerate(at))


def _response(value: float, column: Array, effect: Effect | None, seeds: int) -> Response:
    if effect is not None:
        return Response(value, effect.effect, effect.ci(), seeds)
    seen = column[np.isfinite(column)]
    if len(seen) == 0:
        return Response(value, None, None, 0)
    return Response(value, float(seen.mean()), mean_effect(seen).ci() if len(seen) > 1 else None, len(seen))


def best(at: Sequence[float], values: Array, sign: float) -> Best | None:
    """The best value, and those that can't be told from it; None where two complete seeds of two values are wanting.

    Multiple comparisons with the best (Hsu 1981): a value is out where the mean that looks best leads it by more than a one-sided
    test allows, over all comparisons with it. So the set holds the best value in at least 95 % of studies. The tests are adjusted
    by Bonferroni: which value they are against is seen from the same outcomes, which takes steps as Holm's away.

    Args:
        at, values: as for `respond`.
        sign: +1 where more is better, -1 where less is.
    """
    rows, columns = blocks(values)
    y, kept = sign * values[rows][:, columns], np.asarray(at, dtype=float)[columns]
    if min(y.shape) < 2:
        return None
    left, means = residual(y), y.mean(axis=0)
    each = t_quantile(1 - (1 - LEVEL) / (len(kept) - 1), left.df)
    lead = means.max() - means
    near = lead <= each * np.sqrt(2 * left.mean_square / len(y)) + noise_floor(y)
    top = int(means.argmax())
    rivals = tuple(float(value) for index, value in enumerate(kept) if near[index] and index != top)
    edge = bool(kept[top] == max(kept) or kept[top] == min(kept) != 0)
    return Best(float(kept[top]), rivals, len(kept), len(y), edge)


def noise_floor(y: Array) -> float:
    """Below this a difference of outcomes is rounding."""
    return 64 * float(np.finfo(float).eps) * float(np.abs(y).max(initial=0.0))


def listed(names: Sequence[str]) -> str:
    """`5`, `5 and 10`, `5, 10 and 50`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
