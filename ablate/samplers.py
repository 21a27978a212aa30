"""Optuna's samplers: the next value of a sweep that gives a range."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from ablate.errors import BadInput
from ablate.sections import Sweep

#: Random values before a model of them picks the next. The same for any number of trials, so that more can be added later.
RANDOM_FIRST = 4


def distribution(sweep: Sweep) -> FloatDistribution | IntDistribution:
    """Where a sampler looks for a sweep's values."""
    assert sweep.low is not None and sweep.high is not None
    if sweep.integer:
        return IntDistribution(int(sweep.low), int(sweep.high), log=sweep.log)
    return FloatDistribution(sweep.low, sweep.high, log=sweep.log)


def ask(
    sweep: Sweep, history: Sequence[tuple[float, float | None]], goal: Literal["maximize", "minimize"], seeds: tuple[int, int]
) -> float:
    """The next value that a sweep's sampler would try; a function of what is given and of nothing else.

    A sampler made anew is told the whole history, so that a search goes on as if it had never stopped.

    Args:
        history: the values tried so far in order, each with its mean outcome; None where no run of it completed.
        goal: maximize or minimize.
        seeds: of the randomness of the whole search, and of this trial.
    """
    space = distribution(sweep)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction=goal, sampler=_sampler(sweep, *seeds))
        if sweep.sampler == "qmc":  # a sequence that hears of nothing but its own length
            return float([study.ask({"value": space}).params["value"] for _ in range(len(history) + 1)][-1])
        for value, outcome in history:
            state = TrialState.FAIL if outcome is None else TrialState.COMPLETE
            params = {"value": int(value) if sweep.integer else value}
            study.add_trial(optuna.trial.create_trial(state=state, value=outcome, params=params, distributions={"value": space}))
        return float(study.ask({"value": space}).params["value"])


def _sampler(sweep: Sweep, whole: int, trial: int) -> BaseSampler:
    if sweep.sampler == "random":
        return optuna.samplers.RandomSampler(seed=trial)
    if sweep.sampler == "qmc":
        return optuna.samplers.QMCSampler(scramble=True, seed=whole)
    if sweep.sampler == "gp":
        try:
            return optuna.samplers.GPSampler(seed=trial, n_startup_trials=RANDOM_FIRST)
        except ImportError:
            raise BadInput("sampler: gp takes torch, which is not installed; install it, or use tpe") from None
    return optuna.samplers.TPESampler(seed=trial, n_startup_trials=RANDOM_FIRST)
