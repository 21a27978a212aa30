"""The first page as data: a card for each fix, what else was found, what is not decided, and what to know before acting on it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ablate.analysis.sweeps import listed
from ablate.assess import Assessment
from ablate.report.palette import SIGNS, fix_styles
from ablate.report.rows import NONE, Estimate, estimates, sets
from ablate.report.text import p_value, plural
from ablate.report.undecided import undecided

#: Cards that a page has room for, lines of warnings in the box, and characters a line.
MOST_CARDS, MOST_LINES, LINE = 12, 4, 108
#: Characters of what a fix sets on its card.
LONGEST = 88
#: Refuted claims that are named, and characters of a claim.
MOST_CLAIMS, LONGEST_CLAIM = 3, 44
#: A warning that the banner says.
TOLD_ELSEWHERE = "quick:"
#: A fix's mark as a character, by matplotlib's name for it.
MARKS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖", "*": "★"}


@dataclass(frozen=True)
class Card:
    """A fix at a glance.

    Attributes:
        colour, mark: `#RRGGBB` and a character, its own on every page.
        word, sign: the verdict, `▲ helps`; `no verdict` has no sign.
        effect, alone, removed, share: in the outcome's unit; a dash where the design can't tell.
        p: adjusted over the fixes.
        meaning: what off and on set, in one line: `bank_warmup 400 → 50`.
    """

    name: str
    colour: str
    mark: str
    word: str
    sign: str
    effect: Estimate
    p: str
    alone: Estimate
    removed: Estimate
    share: Estimate
    meaning: str


@dataclass(frozen=True)
class First:
    """The first page.

    Attributes:
        cards: the fixes, best first; of many those with the largest effects.
        more_cards: how many fixes have none.
        findings: what was found besides the headline: refuted claims, interactions, fixes that are too small to matter, contexts.
        refuted: the one of the findings that is about claims, or empty.
        undecided: what is not decided, a line each, with the seeds that would decide it.
        cautions: what to know before acting, as much as the box has room for.
        more_cautions: how many more there are.
        all_cautions: all of them in full, where the box has not room for them; else none.
    """

    cards: tuple[Card, ...]
    more_cards: int
    findings: tuple[str, ...]
    refuted: str
    undecided: tuple[str, ...]
    cautions: tuple[str, ...]
    more_cautions: int
    all_cautions: tuple[str, ...]


def first_page(found: Assessment, warnings: Sequence[str]) -> First:
    """The page of an assessment.

    Args:
        warnings: all that a reader must know before believing the verdict.
    """
    names = _shown(found)
    told = found.verdict.warnings if not found.verdict.fixes else ()  # the headline gives the reasons
    cautions = tuple(text for text in warnings if not text.startswith(TOLD_ELSEWHERE) and text not in told)
    shown = _brief(cautions)
    refuted = _refuted(found)
    findings = [finding.text for finding in found.verdict.findings if finding.kind not in ("worth", "open")]
    return First(
        cards=tuple(_card(found, name) for name in names),
        more_cards=len(found.plan.fixes) - len(names),
        findings=(refuted, *findings) if refuted else tuple(findings),
        refuted=refuted,
        undecided=undecided(found),
        cautions=shown,
        more_cautions=len(cautions) - len(shown),
        all_cautions=() if shown == cautions else cautions,
    )


def _shown(found: Assessment) -> list[str]:
    """The fixes that get a card, best first."""
    ranking = found.verdict.ranking
    if not ranking:
        return list(found.plan.fixes)[:MOST_CARDS]
    largest = sorted(ranking, key=lambda name: -abs(found.verdict.fixes[name].effect.effect))[:MOST_CARDS]
    return [name for name in ranking if name in largest]


def _card(found: Assessment, name: str) -> Card:
    style = fix_styles(found.plan.fixes)[name]
    judged = found.verdict.fixes.get(name)
    return Card(
        name=name,
        colour=style.colour,
        mark=MARKS[style.mark],
        word=judged.word if judged else "no verdict",
        sign=SIGNS[judged.word] if judged else "",
        p=p_value(judged.p_adjusted) if judged else "–",
        meaning=_sets(found, name),
        **(estimates(judged) if judged else dict.fromkeys(("effect", "alone", "removed", "share"), NONE)),
    )


def _sets(found: Assessment, name: str) -> str:
    """What off and on set, in one line; of many params the first."""
    said = "; ".join(f"{key} {off} → {on}" for key, off, on in sets(found.plan, name))
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _refuted(found: Assessment) -> str:
    """How many claims are refuted, and which; empty where none is."""
    refuted = [claim.name for claim in found.claims if claim.verdict == "refuted"]
    names = [f"“{textwrap.shorten(name, LONGEST_CLAIM, placeholder=' …')}”" for name in refuted]
    if not names:
        return ""
    count = plural(len(found.claims), "claim")
    more = [f"{len(names) - MOST_CLAIMS} more"] if len(names) > MOST_CLAIMS + 1 else []
    shown = names[:MOST_CLAIMS] if more else names
    return f"{len(names)} of {count} {'is' if len(names) == 1 else 'are'} refuted: {listed([*shown, *more])}."


def _brief(warnings: Sequence[str]) -> tuple[str, ...]:
    """As many of the warnings as so many lines hold; a long one cut between words, and at least one of them."""
    kept, left = list[str](), MOST_LINES
    for index, text in enumerate(warnings):
        lines = left - (index + 1 < len(warnings))  # a line for how many more there are
        if lines < 1:
            break
        short = textwrap.shorten(text, LINE * min(lines, 2), placeholder=" …")
        kept.append(short)
        left -= -(-len(short) // LINE)
    return tuple(kept)
