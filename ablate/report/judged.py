"""How a study was judged, in words: what the report's reader needs to believe or doubt its figures."""

from __future__ import annotations

from ablate.analysis.power import POWER
from ablate.assess import Assessment
from ablate.report.designs import effect_said, parts_said


def judged(found: Assessment) -> tuple[str, ...]:
    """Paragraphs: what was compared, what the words mean, what the looks do, what intervals cover."""
    return tuple(filter(None, (_compared(found), _words(found), _negligible(found), _looks(found), COVERED)))


COVERED = (
    "Intervals cover what seeds change (data order and training data, where a target draws them by seed) and not what another "
    "held-out set, a longer training or other data would."
)


def _compared(found: Assessment) -> str:
    return (
        "Every arm is trained with the same seeds, and a seed fixes initial weights, data order and randomness in all arms; so "
        f"arms are compared within seeds (a randomised-block analysis of variance). {effect_said(found.plan)}. Its interval and "
        "p value are Student's t on the residual of those arms, once seeds and arms are taken out of it. Noise may differ "
        "between arms: "
        f"the degrees of freedom are Satterthwaite's, from each arm's own noise, and fewer the more it differs{_freedom(found)}."
        " A fix is taken to do about the same in every seed; a check says where its effects vary by more than the noise of runs."
        f"{parts_said(found)}"
    )


def _freedom(found: Assessment) -> str:
    """The degrees of freedom of the main effects, as they were used."""
    used = sorted({round(fix.effect.df, 1) for fix in found.verdict.fixes.values()})
    return f" (here {' to '.join(f'{df:g}' for df in dict.fromkeys([used[0], used[-1]]))})" if used else ""


def _words(found: Assessment) -> str:
    return (
        f"p values are adjusted over the fixes by Holm's method; helps and harms mean an adjusted p below {found.plan.alpha:g}. "
        "Intervals are 95 % and not adjusted over the fixes, so one may leave out 0 where a fix is inconclusive."
    )


def _negligible(found: Assessment) -> str:
    minimum = found.plan.study.outcome.minimum_effect
    if not minimum:
        return f"The study names no smallest effect worth having, so no effect can be called negligible. {_inconclusive('')}"
    return (
        f"Negligible is shown, not assumed: two one-sided tests at {100 * found.plan.alpha:g} % place the effect within "
        f"±{minimum:g}. Such an effect is called negligible even where it differs from 0. "
        f"{_inconclusive(', or as the smallest worth having where that is larger')}" + _apart(found)
    )


def _inconclusive(least: str) -> str:
    """What the word means, and what the seeds named for such a fix promise: no more than to show an effect of that size."""
    return (
        "Inconclusive means that no other verdict was shown. The seeds named for such a fix would show an effect as large as "
        f"the one seen{least}, in {100 * POWER:g} % of studies with this noise."
    )


def _apart(found: Assessment) -> str:
    """What is said of a design whose pairs of arms may disagree without an interaction that says so."""
    layout = found.plan.layout
    if layout.fraction or layout.shares is not None:
        return ""
    return (
        " A fix whose pairs of arms disagree (by the same tests, Holm over all pairs compared) is not called negligible, however "
        "small its mean, and more seeds would not tell."
    )


def _looks(found: Assessment) -> str:
    """What may stop early is judged by stricter bounds; nothing for a study of fixed size."""
    rule = found.plan.looks
    if rule is None:
        return ""
    spent = {"obrien_fleming": "mostly on the last look, after O'Brien and Fleming", "pocock": "about evenly, after Pocock"}
    return (
        f"Looks were planned after {', '.join(map(str, rule.seeds))} seeds, and the study was to end at the first where every "
        f"fix is decided. The error rate is spent over the looks ({spent[rule.spending]}, by the spending functions of Lan and "
        "DeMets), for helps and harms and for negligible alike. p values are over all looks taken, and what an earlier look "
        "showed stands, so a p value may be smaller than the last interval suggests. Intervals are wider than those of a study "
        "of fixed size: they hold whatever look it stopped at (repeated confidence intervals)."
    )
