"""The rules that are compared. Each takes outcomes, [studies, seeds, arms], and calls each fix, [studies, fixes]: +1 where it
says that the fix helps, -1 where it harms, 0 where it says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from scipy import special

from ablate.analysis.effects import Array
from ablate.analysis.sequential import Looks
from ablate.analysis.verdict import Table, Verdict, judge
from benchmarks.calibrate.noise import FIXES, LAYOUT, MAINS

RESAMPLES = 2000
#: Words as numbers: a rule's calls, and what only ours can say.
HELPS, HARMS, NOTHING, NEGLIGIBLE = 1, -1, 0, 2
WORDS = {"helps": HELPS, "harms": HARMS, "inconclusive": NOTHING, "negligible": NEGLIGIBLE}

Rule = Callable[[Array, np.random.Generator], Array]


def judged(y: Array, minimum: float = 0.0, looks: Looks | None = None) -> Verdict:
    """One study's verdict by the code that judges real runs; outcomes are [seeds, arms]."""
    return judge(Table(y), LAYOUT, "outcome", minimum, looks)


def words(verdict: Verdict) -> list[int]:
    """The word of each fix, as a number."""
    return [WORDS[verdict.fixes[name].word] for name in FIXES]


def ablate(y: Array, rng: np.random.Generator) -> Array:
    """This project's verdict; no smallest effect is declared, so nothing is negligible and all that can be is helps or harms."""
    return np.array([words(judged(each)) for each in y])


def two_errors(y: Array, rng: np.random.Generator) -> Array:
    """An effect further from 0 than two standard errors of the seeds' contrasts."""
    each = y @ MAINS.T
    mean, error = each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(y.shape[1])
    return np.sign(mean) * (np.abs(mean) > 2 * error)


def alone_two_errors(y: Array, rng: np.random.Generator) -> Array:
    """The fix alone further from all off than two standard errors of two independent means: the table of runs, read by eye."""
    means, errors = y.mean(axis=1), y.std(axis=1, ddof=1) / np.sqrt(y.shape[1])
    off, alone = LAYOUT.named(()), [LAYOUT.named((name,)) for name in FIXES]
    apart = means[:, alone] - means[:, [off]]
    return np.sign(apart) * (np.abs(apart) > 2 * np.hypot(errors[:, alone], errors[:, [off]]))


def bootstrap(y: Array, rng: np.random.Generator) -> Array:
    """A 95 % percentile interval over resampled seeds that leaves out 0 (as rliable does it)."""
    seeds = y.shape[1]
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
    calls = []
    for part in np.array_split(y @ MAINS.T, max(1, len(y) // 250)):
        low, high = np.quantile(np.einsum("rs,nsf->rnf", counts, part, optimize=True), (0.025, 0.975), axis=0)
        calls.append(np.where(low > 0, HELPS, np.where(high < 0, HARMS, NOTHING)))
    return np.concatenate(calls)


@lru_cache(maxsize=1)
def _pairs() -> tuple[Array, Array]:
    """All pairs of arms as contrasts, [pairs, arms], and the fix that a pair alone differs in, [pairs], else -1."""
    pairs = list(combinations(range(8), 2))
    weights = np.zeros((len(pairs), 8))
    for row, (first, second) in enumerate(pairs):
        weights[row, [first, second]] = -1, 1
    apart = [list(LAYOUT.arms[first] ^ LAYOUT.arms[second]) for first, second in pairs]
    return weights, np.array([FIXES.index(names[0]) if len(names) == 1 else -1 for names in apart])


def pairwise(y: Array, rng: np.random.Generator) -> Array:
    """Paired t tests of all 28 pairs of arms, Holm over them; a significant pair that differs in one fix alone finds it."""
    seeds = y.shape[1]
    each = y @ _pairs()[0].T
    return _significant(each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(seeds), seeds - 1)


def pairwise_pooled(y: Array, rng: np.random.Generator) -> Array:
    """The same with the pooled residual of the block ANOVA as every pair's noise: the strongest that testing all pairs gets."""
    _, seeds, arms = y.shape
    left = y - y.mean(axis=1, keepdims=True) - y.mean(axis=2, keepdims=True) + y.mean(axis=(1, 2), keepdims=True)
    df = (seeds - 1) * (arms - 1)
    error = np.sqrt(2 * (left**2).sum(axis=(1, 2)) / df / seeds)
    return _significant(y.mean(axis=1) @ _pairs()[0].T, error[:, None], df)


def _significant(apart: Array, error: Array, df: int) -> Array:
    """Each fix's call by t tests of all pairs with Holm; apart: how much the pairs' arms differ, [studies, pairs]."""
    fix = _pairs()[1]
    t = apart / error
    p = 2 * special.stdtr(df, -np.abs(t))
    order = np.argsort(p, axis=1)
    passes = np.take_along_axis(p, order, 1) * np.arange(len(fix), 0, -1) < 0.05
    significant = np.zeros_like(passes)
    np.put_along_axis(significant, order, np.logical_and.accumulate(passes, axis=1), 1)
    signed = np.where(significant, np.sign(t), 0)
    return np.stack([_strongest(signed[:, fix == index], p[:, fix == index]) for index in range(len(FIXES))], axis=1)


def _strongest(signed: Array, p: Array) -> Array:
    """The sign of each study's pair of least p; 0 where none is significant."""
    return np.take_along_axis(signed, np.argmin(p, axis=1)[:, None], 1)[:, 0]


#: Rules that judge thousands of studies in seconds. Our own comes first.
RULES: Mapping[str, Rule] = {
    "ablate": ablate,
    "all pairs, Holm": pairwise,
    "all pairs, pooled, Holm": pairwise_pooled,
    "bootstrap": bootstrap,
    "2 SE": two_errors,
    "2 SE, alone": alone_two_errors,
}


def importances(y: Array, evaluator: str) -> Iterator[list[float]]:
    """Optuna's importance of each fix, one study at a time; evaluator: `fANOVA` or `PED-ANOVA`, which is Optuna 5's default."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    states = optuna.distributions.CategoricalDistribution(("off", "on"))
    distributions: dict[str, Any] = dict.fromkeys(FIXES, states)
    arms = [{name: "on" if name in arm else "off" for name in FIXES} for arm in LAYOUT.arms]
    for index, each in enumerate(y):
        by = FanovaImportanceEvaluator(seed=index) if evaluator == "fANOVA" else PedAnovaImportanceEvaluator()
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.create_trial(params=params, distributions=distributions, value=float(value))
                for row in each
                for params, value in zip(arms, row, strict=True)
            ]
        )
        found = get_param_importances(study, evaluator=by)
        yield [found[name] for name in FIXES]
