"""Does a fix do about the same in every seed?

An effect's standard error is that of runs' noise, pooled over arms. Where a fix does more in one seed than in another (fix ×
seed), its own effects, one a seed, vary by more than that noise explains: then the pooled interval tells of these seeds, and too
little of others. A fix's contrast takes one degree of freedom a seed out of the residual of its arms; its mean square there is
set against that of the rest, which is independent of it under equal noise (Montgomery, Design and Analysis of Experiments, ch.
13).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from ablate.analysis.checks import Check
from ablate.analysis.effects import Array, Effect, holm, mean_effect, per_seed, residual
from ablate.analysis.layout import Layout

#: What the check is called.
NAME = "same in every seed"
#: Of no such fix, over all fixes.
ALPHA = 0.01
#: Below this the fix that varies most is named, though it passes.
NEAR = 0.05


@dataclass(frozen=True)
class Varying:
    """A fix whose effect varies by seed.

    Attributes:
        own: its effect by its own seeds alone, with seeds - 1 degrees of freedom.
        sd, expected: standard deviation of its effect over seeds, as it is and as the noise of runs gives it.
        p: of no such variation, adjusted over the fixes by Holm.
    """

    own: Effect
    sd: float
    expected: float
    p: float = 1.0

    @property
    def ratio(self) -> float:
        """How many times as much as expected it varies."""
        return self.sd / self.expected if self.expected else np.inf


def eligible(y: Array, layout: Layout) -> list[str]:
    """The fixes that can be tested: three seeds, and more than two arms that its effect weighs."""
    return [name for name, weights in layout.mains.items() if len(y) >= 3 and np.count_nonzero(weights) > 2]


def by_seed(y: Array, layout: Layout) -> dict[str, Varying]:
    """How much each fix's effect varies over seeds; the most so first.

    Args:
        y: outcomes of complete blocks, [seeds, arms], more is better.
    """
    rounding = 64 * float(np.finfo(float).eps) * float(np.abs(y).max(initial=0.0))
    found = {name: _test(y, layout.mains[name], rounding) for name in eligible(y, layout)}
    p = holm({name: each.p for name, each in found.items()})
    return {name: replace(found[name], p=p[name]) for name in sorted(found, key=lambda name: -found[name].ratio)}


def _test(y: Array, weights: Array, rounding: float) -> Varying:
    """A fix's figures, p not adjusted: F of its own mean square against the rest of its arms' residual.

    Satterthwaite's degrees of freedom shrink for the rest as they do for the whole, down to seeds - 1.
    """
    effects, used, size = per_seed(y, weights), weights != 0, float(weights @ weights)
    left = residual(y[:, used])
    freedom, others = len(y) - 1, int(used.sum()) - 2  # contrasts in the residual but for the fix's own
    own = float(effects.var(ddof=1)) / size
    rest = max(0.0, ((others + 1) * left.mean_square - own) / others)
    varies = Varying(mean_effect(effects), float(np.sqrt(own * size)), float(np.sqrt(rest * size)))
    if own <= rounding**2:
        return varies
    df = max(float(freedom), left.df * others / (others + 1))
    return replace(varies, p=float(special.fdtrc(freedom, df, own / rest)) if rest > 0 else 0.0)


def same_in_every_seed(y: Array, layout: Layout, metric: str) -> Check:
    """The check, with how much more each fix that failed it varies and its interval by its own seeds alone."""
    compared, found = f"{metric}: each fix's effects, one a seed, and the noise of runs", by_seed(y, layout)
    if not found:
        return Check(NAME, compared, None, "takes three complete seeds, and two pairs of arms for a fix")
    varies = {name: each for name, each in found.items() if each.p < ALPHA}
    if varies:
        return Check(NAME, compared, False, "; ".join(_detail(name, each, metric) for name, each in varies.items()))
    most, each = next(iter(found.items()))
    near = f"; {most} varies most, {each.ratio:.2g} times as much (p = {each.p:.2g})" if each.p < NEAR else ""
    return Check(NAME, compared, True, f"no fix's effect varies by more than that noise explains (p < {ALPHA:g}){near}")


def _detail(name: str, each: Varying, metric: str) -> str:
    low, high = each.own.ci()
    own = f"{each.own.effect:+.3g} [{low:+.3g}, {high:+.3g}]".replace("-", "−")
    return (
        f"{name}'s effect on {metric} varies over seeds {each.ratio:.2g} times as much as the noise of runs explains (standard "
        f"deviations {each.sd:.3g} and {each.expected:.3g}); by its own seeds alone {own}"
    )
