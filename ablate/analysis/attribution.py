"""What a fix does alone, what its removal costs, and its Shapley share of the whole improvement."""

from __future__ import annotations

from math import factorial

import numpy as np

from ablate.analysis.effects import Array, Effect, mean_effect, paired_difference


def alone(y: Array, fix: int) -> Effect:
    """The fix added to all-off: a paired difference of two arms. `y` is [seeds, 2^k arms in standard order]."""
    return paired_difference(y[:, 1 << fix], y[:, 0])


def removed(y: Array, fix: int) -> Effect:
    """All-on less all-on without the fix: a paired difference of two arms."""
    full = y.shape[1] - 1
    return paired_difference(y[:, full], y[:, full & ~(1 << fix)])


def shapley(y: Array) -> Array:
    """Each seed's Shapley shares of all-on less all-off, [seeds, k]; a row sums to that seed's difference.

    The value of a coalition is the outcome of its arm (Shapley 1953): the mean, over all orders in which fixes can be turned
    on, of what turning this one on adds.
    """
    arms = y.shape[1]
    count = arms.bit_length() - 1
    shares = np.zeros((y.shape[0], count))
    for fix in range(count):
        for arm in (arm for arm in range(arms) if not arm >> fix & 1):
            size = arm.bit_count()
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            shares[:, fix] += weight * (y[:, arm | 1 << fix] - y[:, arm])
    return shares


def share(y: Array, fix: int) -> Effect:
    """The fix's mean Shapley share, with the standard error over seeds."""
    return mean_effect(shapley(y)[:, fix])
