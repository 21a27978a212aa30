"""Whether contexts agree: Welch's test against its published special case and its level, and the words."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.contexts import OWN, Agreement, agreement, described, places, summary, welch
from ablate.analysis.effects import Effect
from ablate.analysis.layout import full_factorial
from ablate.analysis.verdict import FixVerdict, Table, Verdict, judge, withheld
from tests.builders import simulate

LAYOUT = full_factorial(("a", "b", "c"))


def verdict(**fixes: tuple[float, str]) -> Verdict:
    """A verdict of effects with a standard error of 0.1 and 35 degrees of freedom."""
    return Verdict({name: FixVerdict(Effect(value, 0.1, 35), 0.5, word) for name, (value, word) in fixes.items()}, {}, "")


def test_of_two_contexts_it_is_welchs_t_test() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 6), rng.normal(1, 3, 9)
    effects = [Effect(float(v.mean()), float(v.std(ddof=1) / sqrt(len(v))), len(v) - 1) for v in (x, y)]
    assert welch(effects) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue, rel=1e-9)


def test_with_equal_and_known_noise_it_is_the_chi_square_test_of_equal_means() -> None:
    means = np.array([0.1, -0.2, 0.4, 0.0])
    effects = [Effect(float(mean), 0.2, 1e9) for mean in means]
    statistic = (((means - means.mean()) / 0.2) ** 2).sum()
    assert welch(effects) == pytest.approx(stats.chi2.sf(statistic, 3), rel=1e-6)


def test_without_noise_equal_effects_agree_and_others_do_not() -> None:
    assert welch([Effect(0.3, 0, 5), Effect(0.1 + 0.2, 0, 5)]) == 1
    assert welch([Effect(0.3, 0, 5), Effect(0.4, 0, 5)]) == 0
    assert welch([Effect(0.0, 0, 5), Effect(0.0, 0, 5)]) == 1
    one_without = welch([Effect(0.3, 0, 5), Effect(0.5, 0.1, 5)])
    assert one_without == pytest.approx(2 * stats.t.sf(2.0, 5), rel=1e-3)


def rejections(rng: np.random.Generator, together: float, studies: int = 500) -> float:
    """Share of studies of equal effects in three contexts, one of them three times as noisy, that reject for any fix.

    Args:
        together: the part of the contexts' noise that they have in common because they share seeds.
    """
    wrong = 0
    for _ in range(studies):
        common = rng.normal(size=(5, 8))
        tables = []
        for noise in (1.0, 1.0, 3.0):
            own = simulate(rng, 5, (0.5, 0.0, 0.0), noise)
            tables.append(own * sqrt(1 - together) + noise * common * sqrt(together))
        found = agreement({str(i): judge(Table(y), LAYOUT, "m", 0.0) for i, y in enumerate(tables)})
        wrong += any(each.differs for each in found.values())
    return wrong / studies


def test_equal_effects_are_called_different_in_at_most_five_percent_of_studies() -> None:
    assert 0.02 <= rejections(np.random.default_rng(2), 0.0) <= 0.075


def test_contexts_that_share_noise_make_it_conservative() -> None:
    assert rejections(np.random.default_rng(3), 0.8, 250) <= 0.03


def test_only_contexts_with_a_verdict_are_compared() -> None:
    good, bad = verdict(a=(1.0, "helps")), verdict(a=(-1.0, "harms"))
    assert agreement({"small": good, "wide": withheld("why")}) == {}
    assert agreement({"small": good, "lost": withheld("why"), "wide": bad})["a"].differs
    assert summary({"small": good}, {}) == ()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"small": "helps", "wide": "harms"}, "helps in small and harms in wide"),
        ({OWN: "helps", "small": "helps", "wide": "harms"}, "helps as it is and in small, and harms in wide"),
        ({OWN: "harms", "a": "inconclusive", "b": "negligible"}, "harms as it is, matters little in b and is unclear in a"),
        ({"a": "helps", "b": "helps", "c": "helps", "d": "harms"}, "helps in a, b and c, and harms in d"),
        ({OWN: "helps", "small": "helps"}, "helps in every context"),
    ],
)
def test_words_of_the_contexts(said: dict[str, str], text: str) -> None:
    assert places(said) == text


def test_the_headline_tells_what_turns_what_only_may_and_what_agrees() -> None:
    here, same = verdict(a=(1.0, "helps"), b=(0.0, "negligible")), verdict(a=(1.1, "helps"), b=(0.0, "negligible"))
    other, unsure = verdict(a=(-1.0, "harms"), b=(0.0, "negligible")), verdict(a=(0.9, "inconclusive"), b=(0.0, "negligible"))
    more = verdict(a=(3.0, "helps"), b=(0.0, "negligible"))

    def said(there: Verdict) -> tuple[str, ...]:
        both = {OWN: here, "wide": there}
        return summary(both, agreement(both))

    assert said(same) == ("The same in every context.",)
    lost = {OWN: here, "wide": same, "lost": withheld("why")}
    assert summary(lost, agreement(lost)) == ("The same in every context that has a verdict.",)
    assert said(other) == ("a helps as it is and harms in wide.",)
    assert said(verdict(a=(0.9, "negligible"), b=(0.0, "negligible"))) == ("No fix is shown to differ between contexts.",)
    assert said(unsure) == ()
    assert said(more) == ("The words are the same in every context; a by different amounts.",)
    assert said(verdict(a=(3.0, "helps"), b=(0.0, "inconclusive"))) == ("By how much differs between contexts: a.",)


@pytest.mark.parametrize("word", ["inconclusive", "helps"])
def test_that_contexts_agree_is_not_made_of_what_nobody_knows(word: str) -> None:
    alike = verdict(a=(0.5, word), b=(0.0, "inconclusive"))
    both = {OWN: alike, "wide": alike}
    assert summary(both, agreement(both)) == ()


def test_a_sentence_says_what_may_be_chance() -> None:
    both = {"small": verdict(a=(1.0, "helps")), "wide": verdict(a=(0.9, "inconclusive"))}
    assert described("a", both, Agreement(0.6)).endswith("so the words may differ by chance.")
    assert described("a", both, Agreement(0.01)).endswith("and that is more than chance.")
