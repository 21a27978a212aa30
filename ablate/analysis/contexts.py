"""The same design in several contexts: whether a fix's effect is the same in all of them, and the words for it.

The test is Welch's of equal means under unequal variances (Biometrika 1951), on each context's effect with its own standard error
and degrees of freedom. It takes contexts to be independent. They share seeds, so what a seed brings may move the effects of all
contexts alike; then the test finds less than it could, and cries wolf less often than its level says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ablate.analysis.effects import Effect, holm
from ablate.analysis.verdict import Verdict

ALPHA = 0.05
#: What the study's own params are called beside its contexts.
OWN = "as it is"
#: Fixes that are named beside the headline.
MOST = 2


@dataclass(frozen=True)
class Agreement:
    """Whether one fix's effect is the same in all contexts.

    Attributes:
        p_adjusted: of effects that are all equal, over the fixes by Holm.
        differs: whether that is rejected at 5 %.
    """

    p_adjusted: float

    @property
    def differs(self) -> bool:
        return self.p_adjusted < ALPHA


def welch(effects: Sequence[Effect]) -> float:
    """p that these k ≥ 2 independent effects are equal.

    Without any noise it is 1 where they are, and 0 where they aren't. An effect without noise among others has a very small one.
    """
    means = np.array([effect.effect for effect in effects])
    errors = np.array([effect.error for effect in effects])
    scale = float(np.abs(means).max() + errors.max())
    if not errors.any():
        return float(np.ptp(means) <= 1e-9 * scale)
    weights = np.maximum(errors, 1e-9 * scale) ** -2.0
    count, total = len(effects), weights.sum()
    centre = weights @ means / total
    spread = float(weights @ (means - centre) ** 2) / (count - 1)
    unequal = float(((1 - weights / total) ** 2 / np.array([effect.df for effect in effects])).sum())
    ratio = spread / (1 + 2 * (count - 2) / (count**2 - 1) * unequal)
    return float(special.fdtrc(count - 1, (count**2 - 1) / (3 * unequal), ratio))


def agreement(verdicts: Mapping[str, Verdict]) -> dict[str, Agreement]:
    """For each fix whether the contexts agree; nothing where fewer than two have a verdict.

    Args:
        verdicts: context → its verdict; those without one are left out.
    """
    judged = [verdict for verdict in verdicts.values() if verdict.fixes]
    if len(judged) < 2:
        return {}
    p = holm({name: welch([verdict.fixes[name].effect for verdict in judged]) for name in judged[0].fixes})
    return {name: Agreement(each) for name, each in p.items()}


def words(verdicts: Mapping[str, Verdict], fix: str) -> dict[str, str]:
    """Context → the fix's word there, of those with a verdict."""
    return {context: verdict.fixes[fix].word for context, verdict in verdicts.items() if verdict.fixes}


def summary(verdicts: Mapping[str, Verdict], found: Mapping[str, Agreement]) -> tuple[str, ...]:
    """Sentences on contexts to stand beside the headline; none where there is nothing to say.

    That contexts agree is said only where each fix has one decided word in all of them.
    """
    turned = [fix for fix in found if found[fix].differs and len(set(words(verdicts, fix).values())) > 1]
    if turned:
        turned.sort(key=lambda fix: (not _opposed(words(verdicts, fix)), found[fix].p_adjusted))
        more = (f"{len(turned) - MOST} more differ between contexts.",) if len(turned) > MOST else ()
        return (*(f"{fix} {places(words(verdicts, fix))}." for fix in turned[:MOST]), *more)
    text = _no_turn(verdicts, found)
    return (text,) if text else ()


def _no_turn(verdicts: Mapping[str, Verdict], found: Mapping[str, Agreement]) -> str:
    """The sentence where no fix has another word in another context for more than chance; empty where nothing can be said."""
    said = [words(verdicts, fix) for fix in found]
    same, decided = all(len(set(each.values())) == 1 for each in said), all("inconclusive" not in each.values() for each in said)
    if sizes := [fix for fix in found if found[fix].differs]:
        named = ", ".join(sizes[:MOST])
        if same and decided:
            return f"The words are the same in every context; {named} by different amounts."
        return f"By how much differs between contexts: {named}."
    if not found or not decided:  # that none is shown to differ would be no evidence that they agree
        return ""
    if not same:
        return "No fix is shown to differ between contexts."
    return f"The same in every context{'' if all(v.fixes for v in verdicts.values()) else ' that has a verdict'}."


def _opposed(said: Mapping[str, str]) -> bool:
    return {"helps", "harms"} <= set(said.values())


def places(said: Mapping[str, str]) -> str:
    """`helps as it is and in small, and harms in wide`; where all say the same, `helps in every context`."""
    phrases = {"helps": "helps", "harms": "harms", "negligible": "matters little", "inconclusive": "is unclear"}
    if len(set(said.values())) == 1:
        return f"{phrases[next(iter(said.values()))]} in every context"
    parts = []
    for word, phrase in phrases.items():
        where = [context for context in said if said[context] == word]
        own = ["as it is"] if OWN in where else []
        named = [context for context in where if context != OWN]
        inside = [f"in {_listed(named)}"] if named else []
        if where:
            parts.append(f"{phrase} {' and '.join([*own, *inside])}")
    return _listed(parts, ", and " if any(" and " in part for part in parts) else " and ")


def _listed(items: Sequence[str], last: str = " and ") -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + last + items[-1]


def described(fix: str, verdicts: Mapping[str, Verdict], found: Agreement) -> str:
    """One fix across contexts, and what may be made of it."""
    said = words(verdicts, fix)
    text = f"{fix} {places(said)}"
    if found.differs:
        same = len(set(said.values())) == 1
        return f"{text}, {'but by different amounts' if same else 'and that is more than chance'}."
    if len(set(said.values())) > 1:
        return f"{text}; but its effects are not shown to differ, so the words may differ by chance."
    return f"{text}; its effects are not shown to differ."
