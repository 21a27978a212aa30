"""Two-level fractional factorials of resolution IV and V: their generators, defining relation and alias structure.

Generators are those of Box, Hunter and Hunter (Statistics for Experimenters, 1978, table 12.15), as the NIST/SEMATECH e-Handbook
of Statistical Methods lists them in section 5.3.3.4.7; for 12 factors, which the table leaves out, they were found by search: the
least aberration among generators of three or five letters (resolution IV), and among 40,000 draws (VI). Factors are letters in
the order given, without I, which stands for the mean.

Of a fraction's 2^q siblings the one that holds *all off* is taken: a word of even length has the sign +, one of odd length -. All
off is the training as it was, which symptoms and claims speak of. All on is there too where every word is of even length. So the
aliases of a main effect among three-way interactions, and those of a pair among pairs, all have the sign +.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, product

from ablate.analysis.layout import Arm, Layout, layout
from ablate.errors import BadInput

LETTERS = "ABCDEFGHJKLM"

#: (factors, least resolution) → generators of the smallest fraction.
TABLE: dict[tuple[int, int], str] = {
    (4, 4): "D=ABC",
    (5, 4): "E=ABCD",
    (6, 4): "E=ABC F=BCD",
    (7, 4): "E=ABC F=BCD G=ACD",
    (8, 4): "E=BCD F=ACD G=ABC H=ABD",
    (9, 4): "F=BCDE G=ACDE H=ABDE J=ABCE",
    (10, 4): "F=ABCD G=ABCE H=ABDE J=ACDE K=BCDE",
    (11, 4): "F=ABC G=BCD H=CDE J=ACD K=ADE L=BDE",
    (12, 4): "F=ABC G=ABD H=ABE J=ACD K=ACE L=ADE M=BCD",
    (5, 5): "E=ABCD",
    (6, 5): "F=ABCDE",
    (7, 5): "G=ABCDEF",
    (8, 5): "G=ABCD H=ABEF",
    (9, 5): "H=ACDFG J=BCEFG",
    (10, 5): "H=ABCG J=BCDE K=ACDF",
    (11, 5): "H=ABCG J=BCDE K=ACDF L=ABCDEFG",
    (12, 5): "J=CDFGH K=ADEGH L=ABEFG M=ABCDF",
}
#: Beyond so many factors no fraction is tabled.
MOST_FACTORS = 12
ROMAN = {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}

Word = frozenset[str]


@dataclass(frozen=True)
class Fraction:
    """A regular fraction of a two-level factorial.

    Attributes:
        factors: the names that the letters stand for.
        generators: (factor, the factors whose product it is), one for each halving.
    """

    factors: tuple[str, ...]
    generators: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The defining relation: every product of generators' words, each of which is constant over the arms."""
        own = [frozenset({made, *of}) for made, of in self.generators]
        return tuple(_product(some) for count in range(1, len(own) + 1) for some in combinations(own, count))

    @property
    def resolution(self) -> int:
        """The length of the shortest word."""
        return min(map(len, self.words))

    @property
    def roman(self) -> str:
        """The resolution as designs are named by it."""
        return ROMAN[self.resolution]

    @property
    def name(self) -> str:
        """As the tables call it: `2^(6-2) of resolution IV`."""
        return f"2^({len(self.factors)}-{len(self.generators)}) of resolution {self.roman}"

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms, in standard order of the factors that no generator makes; all off is the first."""
        made = dict(self.generators)
        basic = [name for name in self.factors if name not in made]
        return tuple(self._completed(on[::-1], basic) for on in product((False, True), repeat=len(basic)))

    @property
    def layout(self) -> Layout:
        """The arms as the analysis takes them."""
        return layout(self.factors, self.arms, True)

    def aliases(self, effect: Sequence[str], longest: int) -> tuple[tuple[str, ...], ...]:
        """The effects of at most so many factors that can't be told from one, shortest first, in the order of the factors."""
        found = [_product([frozenset(effect), word]) for word in self.words]
        place = self.factors.index
        ordered = [tuple(sorted(alias, key=place)) for alias in found if len(alias) <= longest]
        return tuple(sorted(ordered, key=lambda alias: (len(alias), [place(name) for name in alias])))

    @cached_property
    def mains(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Each main effect's aliases among interactions of up to three factors."""
        return {name: self.aliases((name,), 3) for name in self.factors}

    @cached_property
    def pairs(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """The two-way interactions in groups of which only the sum can be told; a group of one stands clear of the others."""
        groups: dict[frozenset[tuple[str, ...]], None] = {}
        for pair in combinations(self.factors, 2):
            groups.setdefault(frozenset({pair, *self.aliases(pair, 2)}))
        place = self.factors.index
        return tuple(tuple(sorted(group, key=lambda pair: [place(name) for name in pair])) for group in groups)

    def sign(self, generator: int) -> str:
        """`-` where the factor made is off when the product is on; so chosen that all off is among the arms."""
        return "" if len(self.generators[generator][1]) % 2 else "-"

    @property
    def letters(self) -> dict[str, str]:
        """Letter → the factor that it stands for."""
        return dict(zip(LETTERS, self.factors, strict=False))

    @property
    def generated(self) -> tuple[str, ...]:
        """The generators in letters: `E = ABC`."""
        letter = {name: letter for letter, name in self.letters.items()}
        return tuple(
            f"{letter[made]} = {self.sign(index)}{''.join(letter[name] for name in of)}"
            for index, (made, of) in enumerate(self.generators)
        )

    def _completed(self, on: Sequence[bool], basic: Sequence[str]) -> Arm:
        """An arm by its basic factors: a factor that is made is off where an even number of its factors is on, as in all off."""
        arm = {name for name, is_on in zip(basic, on, strict=True) if is_on}
        return frozenset(arm | {name for name, of in self.generators if len(arm & set(of)) % 2})


def _product(words: Sequence[Word]) -> Word:
    """The product of effects: factors that occur twice cancel."""
    whole: Word = frozenset()
    for word in words:
        whole ^= word
    return whole


@lru_cache(maxsize=64)
def fraction(factors: tuple[str, ...], resolution: int = 4) -> Fraction:
    """The smallest tabled fraction of at least this resolution.

    Args:
        factors: what the letters A, B, C ... stand for.
        resolution: 4 or 5.

    Raises:
        BadInput: where there is none, with what to use in its place.
    """
    count = len(factors)
    if count > MOST_FACTORS:
        raise BadInput(
            f"design.kind: fractional is tabled for up to {MOST_FACTORS} fixes, but there are {count}; "
            "use one_at_a_time, or propose fewer fixes"
        )
    if (count, resolution) not in TABLE:
        fixes = "1 fix" if count == 1 else f"{count} fixes"
        lower = " or design.resolution: 4" if (count, 4) in TABLE else ""
        raise BadInput(
            f"design.kind: fractional of resolution {resolution} can't be had for {fixes}, as it would be every arm; "
            f"use full_factorial{lower}"
        )
    letter = dict(zip(LETTERS, factors, strict=False))
    halvings = (text.split("=") for text in TABLE[count, resolution].split())
    return Fraction(factors, tuple((letter[made], tuple(letter[each] for each in of)) for made, of in halvings))


def exists(count: int, resolution: int) -> bool:
    """Whether a fraction of so many factors is tabled."""
    return (count, resolution) in TABLE
