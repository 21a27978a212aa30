"""What chance allows: is what is observed another draw of what was reported?

Shares: Fisher's exact test of two binomial samples. Tables of values: the exact conditional test that two multinomial samples are
alike, by Monte Carlo (Patefield 1981; Agresti, Categorical Data Analysis, 3.5). Each errs on at most 5 of 100 that are alike.

Typical numbers: the prediction interval for one more draw of a normal sample, which few draws leave wide. What is held to it here
is a median or mean of many steps, which varies less than one draw does, so it is no test at 5 %: beside three draws, a median of
134 independent steps lies outside in 1.4 of 100 where the two are alike, and in 31 of 100 where it is 3 standard deviations off.
A number beside many observed steps: the interval of one more step (order statistics), which tells a number that hardly a step
would show, and not that two means differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analysis.effects import Array

#: Draws of the Monte Carlo test, and the seed of its generator: the same tables give the same p.
DRAWS, SEED = 9_999, 20_505
ALPHA = 0.05

Bounds = tuple[float, float]


def fisher_p(count: int, of: int, other: int, other_of: int) -> float:
    """Two-sided p of Fisher's exact test that two shares are one: the chance of a table no likelier than this one."""
    total = count + other
    support = np.arange(max(0, total - other_of), min(of, total) + 1)
    log_pmf = np.add(_log_choose(of, support), _log_choose(other_of, total - support))
    log_pmf -= special.logsumexp(log_pmf)
    here = log_pmf[count - support[0]]
    return min(1.0, float(np.exp(log_pmf[log_pmf <= here + 1e-7]).sum()))


def _log_choose(n: int, k: NDArray[np.int64]) -> Array:
    chosen: Array = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return chosen


def count_interval(count: int, of: int, n: int) -> tuple[int, int]:
    """The counts out of `n` that chance allows beside `count` of `of`: those whose Fisher p is at least 0.05.

    The p is not quite monotone away from the expected count, so the search goes on until it is below 0.01.
    """
    centre = round(n * count / of)
    return _last_allowed(count, of, n, range(centre, -1, -1)), _last_allowed(count, of, n, range(centre, n + 1))


def _last_allowed(count: int, of: int, n: int, outward: range) -> int:
    last = outward[0]
    for k in outward:
        p = fisher_p(k, n, count, of)
        if p >= ALPHA:
            last = k
        elif p < 0.01:
            break
    return last


def tables_p(observed: Mapping[float, int], reported: Mapping[float, int], draws: int = DRAWS, seed: int = SEED) -> float:
    """p of the test that two tables of counts (value → how often) come from one distribution.

    Both margins are held; the statistic is chi-square. (1 + draws at least as extreme) / (1 + draws), so it is never 0.
    """
    values = sorted({*observed, *reported})
    first, second = (np.array([table.get(value, 0) for value in values]) for table in (observed, reported))
    both = first + second
    expected = both * (first.sum() / both.sum())
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(both, int(first.sum()), size=draws)
    here, there = (((table - expected) ** 2 / both).sum(axis=-1) for table in (first, drawn))
    return float((1 + np.sum(there >= here * (1 - 1e-9))) / (1 + draws))


def prediction_interval(values: Sequence[float] | Array) -> Bounds:
    """95 % interval for one more draw: mean ± t · s · sqrt(1 + 1/n), with n - 1 degrees of freedom. At least 2 values."""
    sample = np.asarray(values, dtype=float)
    half = special.stdtrit(len(sample) - 1, 1 - ALPHA / 2) * _error(sample)
    return float(sample.mean() - half), float(sample.mean() + half)


def prediction_p(values: Sequence[float] | Array, one_more: float) -> float:
    """Two-sided p that `one_more` is another draw of the normal sample `values`; 1 or 0 where they don't vary."""
    sample = np.asarray(values, dtype=float)
    error, away = _error(sample), abs(one_more - sample.mean())
    if error == 0:
        return float(away == 0)
    return float(2 * special.stdtr(len(sample) - 1, -away / error))


def free_interval(values: Sequence[float] | Array) -> Bounds | None:
    """At least 95 % interval for one more draw, whatever the distribution: between order statistics. None below 39 values.

    One more draw falls below the k-th smallest of n with a chance of k / (n + 1).
    """
    sample = np.sort(np.asarray(values, dtype=float))
    k = int((len(sample) + 1) * ALPHA / 2)
    return (float(sample[k - 1]), float(sample[-k])) if k else None


def _error(sample: Array) -> float:
    """Standard error of the difference between one more draw and the sample's mean."""
    return float(sample.std(ddof=1) * np.sqrt(1 + 1 / len(sample)))
