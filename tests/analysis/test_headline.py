"""The headline is one sentence with its numbers, whatever was found."""

from __future__ import annotations

import pytest

from ablate.analysis.attribution import Ends
from ablate.analysis.effects import Effect
from ablate.analysis.headline import findings, headline
from ablate.analysis.verdict import FixVerdict

RISE = Ends(Effect(0.158, 0.002, 5), Effect(0.299, 0.008, 5), Effect(0.141, 0.008, 5))
FALL = Ends(Effect(3.21, 0.1, 5), Effect(2.5, 0.1, 5), Effect(0.71, 0.1, 5))
STILL = Ends(Effect(0.158, 0.002, 5), Effect(0.160, 0.002, 5), Effect(0.002, 0.003, 5))


def fix(effect: float, word: str, error: float = 0.001, **more: object) -> FixVerdict:
    return FixVerdict(Effect(effect, error, 30), 0.01, word, **more)  # type: ignore[arg-type]


THREE = {"a": fix(0.0365, "helps"), "b": fix(0.0074, "helps"), "c": fix(0.0889, "helps")}
MIXED = {"good": fix(2.06, "helps"), "bad": fix(-1.21, "harms"), "idle": fix(0.0, "negligible")}
MANY = {f"f{i}": fix(3.0 - 0.2 * i, "helps") for i in range(7)} | {f"g{i}": fix(-1.0 - i, "harms") for i in range(5)}
NONE = {"a": fix(0.004, "inconclusive"), "b": fix(-0.012, "inconclusive"), "c": fix(0.0, "negligible")}


@pytest.mark.parametrize(
    ("fixes", "ends", "said"),
    [
        (THREE, RISE, "c (+0.0889), a (+0.0365) and b (+0.0074) help; with all three on, top1 rises from 0.158 to 0.299."),
        ({"a": THREE["a"]}, RISE, "a (+0.0365) helps; with it on, top1 rises from 0.158 to 0.299."),
        ({"a": THREE["a"]}, STILL, "a (+0.0365) helps; with it on, top1 is not shown to change (0.158 to 0.160)."),
        (MIXED, FALL, "good (+2.06) helps and bad (−1.21) harms; with all three on, top1 falls from 3.21 to 2.50."),
        (MIXED, None, "On top1, good (+2.06) helps and bad (−1.21) harms."),
        ({"a": fix(-12.0, "harms"), "b": fix(0.2, "inconclusive")}, None, "On top1, a (−12.0) harms."),
        (
            MANY,
            RISE,
            "f0 (+3.00), f1 (+2.80), f2 (+2.60) and 4 more help, and g4 (−5.00), g3 (−4.00), g2 (−3.00) and 2 more harm; "
            "with all twelve on, top1 rises from 0.158 to 0.299.",
        ),
        (NONE, RISE, "None of the three fixes is shown to change top1: the largest effect seen, −0.012 of b, may be chance."),
        ({"a": fix(0.0, "inconclusive", 0.0)}, None, "a is not shown to change top1."),
        ({"c": NONE["c"]}, RISE, "c changes top1 by less than the 0.01 worth having."),
        ({"c": NONE["c"], "d": NONE["c"]}, RISE, "Neither of the two fixes changes top1 by as much as the 0.01 worth having."),
        ({"a": NONE["a"]}, RISE, "a is not shown to change top1: the +0.0040 seen may be chance."),
        (
            {"a": fix(0.0, "inconclusive", apart="a adds +1 alone but −1 beside all others"), "c": NONE["c"]},
            None,
            "Neither of the two fixes is shown to change top1 on average.",
        ),
    ],
)
def test_one_sentence_says_what_was_found(fixes: dict[str, FixVerdict], ends: Ends | None, said: str) -> None:
    assert headline(fixes, "top1", 0.01, ends) == said


def test_what_the_headline_leaves_out_stands_beside_it() -> None:
    fixes = THREE | {
        "d": fix(0.001, "negligible"),
        "e": fix(0.005, "inconclusive", seeds_needed=12),
        "f": fix(0.0, "inconclusive"),
    }
    said = {each.kind: each.text for each in findings(fixes, {}, 0.01)}
    assert said["worth"] == (
        "b helps, though perhaps by less than the 0.01 worth having (+0.0074, 95 % interval +0.00536 to +0.00944)."
    )
    assert said["negligible"] == "Too small to matter: d."
    assert said["open"] == "Can't be told from this many seeds: e (about 12 seeds would), f."
    assert [each.kind for each in findings(fixes, {})] == ["negligible", "open"]
