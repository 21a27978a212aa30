"""Fractional factorials: as resolved as the table claims, aliased as the textbooks print, and orthogonal."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.effects import contrasts
from ablate.analysis.fractions import LETTERS, TABLE, Fraction, fraction
from ablate.errors import BadInput
from tests.builders import few

#: NIST/SEMATECH e-Handbook 5.3.3.4.7: (factors, asked) → (runs, resolution); 12 factors are this project's.
CLAIMED = {
    (4, 4): (8, 4),
    (5, 4): (16, 5),
    (6, 4): (16, 4),
    (7, 4): (16, 4),
    (8, 4): (16, 4),
    (9, 4): (32, 4),
    (10, 4): (32, 4),
    (11, 4): (32, 4),
    (12, 4): (32, 4),
    (5, 5): (16, 5),
    (6, 5): (32, 6),
    (7, 5): (64, 7),
    (8, 5): (64, 5),
    (9, 5): (128, 6),
    (10, 5): (128, 5),
    (11, 5): (128, 5),
    (12, 5): (256, 6),
}
#: The word length patterns of minimum aberration: Fries and Hunter (Technometrics 1980); Chen, Sun and Wu (1993) for 32 arms.
PATTERNS = {
    (6, 4): {4: 3},
    (7, 4): {4: 7},
    (9, 4): {4: 6, 5: 8, 8: 1},
    (8, 5): {5: 2, 6: 1},
    (11, 4): {4: 25, 6: 27, 8: 10, 10: 1},
}


def lettered(count: int, resolution: int = 4) -> Fraction:
    return fraction(tuple(LETTERS[:count]), resolution)


def joined(effects: tuple[tuple[str, ...], ...]) -> list[str]:
    return ["".join(effect) for effect in effects]


@pytest.mark.parametrize("key", TABLE)
def test_every_tabled_fraction_has_the_arms_and_the_resolution_claimed(key: tuple[int, int]) -> None:
    made = lettered(*key)
    assert (len(set(made.arms)), made.resolution) == CLAIMED[key]
    assert len(made.words) == 2 ** len(made.generators) - 1
    lengths = Counter(map(len, made.words))
    assert lengths == PATTERNS.get(key, lengths)
    assert made.arms[0] == frozenset()
    assert (frozenset(made.factors) in made.arms) == all(len(word) % 2 == 0 for word in made.words)
    for word in made.words:  # constant over the arms, by the sign that all off has
        assert {len(word - arm) % 2 for arm in made.arms} == {len(word) % 2}


def test_the_table_of_2_6_2_is_montgomerys() -> None:
    """Montgomery, Design and Analysis of Experiments, example 8.4 (Montgomery and Runger, Applied Statistics and Probability for
    Engineers, table 14-27): the 2^(6-2) of resolution IV with E = ABC and F = BCD, I = ABCE = BCDF = ADEF."""
    made = lettered(6)
    assert {"".join(sorted(word)) for word in made.words} == {"ABCE", "BCDF", "ADEF"}
    assert {name: joined(aliases) for name, aliases in made.mains.items()} == {
        "A": ["BCE", "DEF"],
        "B": ["ACE", "CDF"],
        "C": ["ABE", "BDF"],
        "D": ["AEF", "BCF"],
        "E": ["ABC", "ADF"],
        "F": ["ADE", "BCD"],
    }
    assert sorted(" = ".join(joined(group)) for group in made.pairs) == [
        *("AB = CE", "AC = BE", "AD = EF", "AE = BC = DF", "AF = DE", "BD = CF", "BF = CD"),
    ]


def test_the_table_of_2_7_3_is_that_of_box_hunter_and_hunter() -> None:
    """NIST 5.3.3.4.7 and Montgomery's appendix: E = ABC, F = BCD, G = ACD; each group of pairs holds three."""
    assert sorted(" = ".join(joined(group)) for group in lettered(7).pairs) == [
        *("AB = CE = FG", "AC = BE = DG", "AD = CG = EF", "AE = BC = DF", "AF = BG = DE", "AG = BF = CD", "BD = CF = EG"),
    ]


@pytest.mark.parametrize("key", [key for key in TABLE if key[1] == 5])
def test_at_resolution_v_no_pair_is_aliased(key: tuple[int, int]) -> None:
    made = lettered(*key)
    assert all(len(group) == 1 for group in made.pairs)
    assert all(not aliases for aliases in made.mains.values())


@few
@given(st.sampled_from(sorted(TABLE)), st.data())
def test_a_main_effect_holds_no_pair_and_of_triples_those_in_the_table(key: tuple[int, int], data: st.DataObject) -> None:
    """Outcomes made of a main effect, a pair and a triple, without noise: the contrasts give what the alias structure says."""
    made = lettered(*key)
    main, pair = data.draw(st.sampled_from(made.factors)), data.draw(st.sampled_from(list(combinations(made.factors, 2))))
    triple = data.draw(st.sampled_from(list(combinations(made.factors, 3))))
    sign = {name: np.array([1.0 if name in arm else -1.0 for arm in made.arms]) for name in made.factors}
    y = 3 * sign[main] + 5 * np.prod([sign[n] for n in pair], axis=0) + 7 * np.prod([sign[n] for n in triple], axis=0)
    found = contrasts(np.array([y, y]), made.layout.mains)
    for name in made.factors:
        expected = 2 * (3 * (name == main) + 7 * (triple in made.mains[name]))
        assert found[name].effect == pytest.approx(expected, abs=1e-9)


def test_the_layout_groups_pairs_as_the_table_does() -> None:
    made = lettered(9)
    assert list(made.layout.interactions) == [" = ".join("*".join(pair) for pair in group) for group in made.pairs]
    assert made.layout.shares is None


@pytest.mark.parametrize(
    ("count", "resolution", "message"),
    [
        (1, 4, "fractional of resolution 4 can't be had for 1 fix, as it would be every arm; use full_factorial$"),
        (3, 4, "fractional of resolution 4 can't be had for 3 fixes, .*; use full_factorial$"),
        (4, 5, "of resolution 5 can't be had for 4 fixes, .*; use full_factorial or design.resolution: 4$"),
        (13, 4, "is tabled for up to 12 fixes, but there are 13; use one_at_a_time, or propose fewer fixes$"),
    ],
)
def test_where_there_is_no_fraction_what_to_use_is_said(count: int, resolution: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fraction(tuple(f"f{index}" for index in range(count)), resolution)
