"""Page one answers, on one page, whatever the study; and the document can be found, listened to and told apart."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ablate.records import Records
from ablate.report import write_report
from ablate.report.first import LINE, MOST_LINES, first_page
from ablate.report.text import with_minus
from ablate.report.undecided import undecided
from ablate.report.waterfall_plot import shares, waterfall
from ablate.target import Declaration, Target
from tests.report.reading import Written, squeezed, write
from tests.report.synthetic import TARGET, THREE_FIXES, planned, train
from tests.report.test_designs import studied


def page(pdf: Path, number: int) -> str:
    """A page's text without white space."""
    which = ["-f", str(number), "-l", str(number)]
    ran = subprocess.run(["pdftotext", "-raw", *which, pdf, "-"], check=True, capture_output=True, text=True)
    return squeezed(ran.stdout)


def test_page_one_has_the_answer_its_cards_and_what_is_not_decided(full: Written) -> None:
    text, found = page(full.out / "report.pdf", 1), full.found
    first = first_page(found, found.warnings)
    assert squeezed(found.verdict.headline) in text
    for card in first.cards:
        for said in (card.name, card.word, card.effect.point, card.effect.ci, card.alone.point, card.share.point):
            assert squeezed(said) in text
    assert first.undecided and all(squeezed(line) in text for line in first.undecided)
    assert all(
        squeezed(said) in text for said in ("paired seeds", "75 of 75", "Before you act on this", "rank the fixes otherwise")
    )
    assert re.search(r"Theverdictinfull2.*Runs\d", text)
    assert page(full.out / "report.pdf", 2).startswith(squeezed("three_fixes ablation report The verdict in full"))


@pytest.mark.parametrize("count", [1, 12])
def test_few_and_many_fixes_take_one_page(count: int, tmp_path: Path) -> None:
    found = studied(tmp_path, count, **({"kind": "fractional"} if count > 3 else {}))
    pdf = write_report(found, Records(tmp_path), tmp_path)
    text = page(pdf, 1)
    assert all(squeezed(f"{card.name} {card.sign} {card.word}") in text for card in first_page(found, ()).cards)
    assert squeezed("What is not decided") in text and "Theverdictinfull2" in text
    assert page(pdf, 2).startswith(squeezed("trial ablation report The verdict in full"))


def test_long_names_and_long_warnings_leave_the_answer_on_the_page(tmp_path: Path) -> None:
    names = [f"{'a_long_name_' * 4}{index}_of_sixty" for index in range(9)]
    fixes = {name: {"off": {f"p{i}": 0}, "on": {f"p{i}": "#on $"}} for i, name in enumerate(names)}
    made = planned(
        fixes=fixes,
        target=Target(TARGET.name, train, Declaration()),
        sweeps={},
        claims=[],
        design={"kind": "fractional", "seeds": 2},
    )
    report = write(made, tmp_path)
    text = page(tmp_path / "report.pdf", 1)
    assert all(squeezed(name) in text for name in names)
    assert page(tmp_path / "report.pdf", 2).startswith(squeezed("three_fixes ablation report The verdict in full"))
    assert report.says(report.found.verdict.headline)


def test_warnings_take_few_lines_and_none_is_lost(full: Written) -> None:
    said = [f"{'a warning that goes on ' * 12}{index}" for index in range(5)]
    first = first_page(full.found, said)
    assert sum(-(-len(text) // LINE) for text in first.cautions) < MOST_LINES
    assert len(first.cautions) + first.more_cautions == 5
    assert first.all_cautions == tuple(said)
    short = first_page(full.found, ["quick: a small budget", "one"])
    assert (short.cautions, short.more_cautions, short.all_cautions) == (("one",), 0, ())


def test_everything_decided_is_said(tmp_path: Path) -> None:
    fixes = {name: THREE_FIXES["fixes"][name] for name in ("memory_bank", "bbox_filter")}
    report = write(planned(fixes=fixes, sweeps={}, claims=[], curves=[], secondary=[]), tmp_path)
    assert report.found.verdict.decided and undecided(report.found) == ()
    assert squeezed("Everything asked is decided.") in page(tmp_path / "report.pdf", 1)


def test_what_is_not_decided_names_the_seeds(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "sweeps": {},
        "design": {"seeds": 3},
        "outcome": {"metric": "eval/region_loss", "goal": "minimize"},
    }
    report = write(planned(**changes), tmp_path)
    found, lines = report.found, undecided(report.found)
    unclear = {name: fix.seeds_needed for name, fix in found.verdict.fixes.items() if fix.word == "inconclusive"}
    assert len(unclear) == 2
    for name, seeds in unclear.items():
        assert any(
            line.startswith(f"Whether {name} matters, now +0.0") and f"about {seeds} paired seeds" in line for line in lines
        )
    steps, ends = shares(found), found.verdict.ends  # a metric that should fall
    assert steps and ends and steps[-1].end == pytest.approx(ends.on.effect) and ends.on.effect < ends.off.effect


def test_the_waterfall_goes_from_all_off_to_all_on(full: Written) -> None:
    steps, ends = shares(full.found), full.found.verdict.ends
    assert steps and ends
    assert steps[0].start == ends.off.effect
    assert steps[-1].end == pytest.approx(ends.on.effect, abs=1e-12)
    assert all(one.end == other.start for one, other in pairwise(steps))
    (axes,) = waterfall(full.found, 3.2).axes
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(ends.on.effect - ends.off.effect)
    assert axes.get_xlim()[0] > 0 and "does not start at 0" in axes.figure.texts[0].get_text()


def test_the_document_says_what_it_is_and_can_be_listened_to(full: Written) -> None:
    pdf = full.out / "report.pdf"
    info = subprocess.run(["pdfinfo", pdf], check=True, capture_output=True, text=True).stdout
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    assert told["Title"].strip() == "three_fixes: ablation report"
    assert told["Subject"].strip() == full.found.verdict.headline
    assert all(name in told["Keywords"] for name in full.found.plan.fixes)
    assert told["Tagged"].strip() == "yes"
    tags = subprocess.run(["pdfinfo", "-struct", pdf], check=True, capture_output=True).stdout.decode(errors="replace")
    figures = list((full.out / "figures").glob("*.svg"))
    assert tags.count("Figure:") == len(figures)  # PDF/UA-1: each has an alternative text, or it would not compile
    assert "H1" in tags and "TH" in tags and "Caption" in tags


def test_letter_and_a4_say_the_same_on_page_one_and_letter_is_stable_too(full: Written, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_report(full.found, Records(full.out), tmp_path / folder, "letter")
    assert (tmp_path / "a/report.pdf").read_bytes() == (tmp_path / "b/report.pdf").read_bytes()
    a4, letter = (page(pdf, 1).partition("Theverdictinfull")[0] for pdf in (full.out / "report.pdf", tmp_path / "a/report.pdf"))
    assert a4 == letter


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("-5.233 to -3.565 over 6 seeds", "−5.233 to −3.565 over 6 seeds"),
        ("from (-0.3) and [-1, -2] at x=-4", "from (−0.3) and [−1, −2] at x=−4"),
        ("2026-11-24, 1e-5, 2^(6-2), abc-3, p-1", "2026-11-24, 1e-5, 2^(6-2), abc-3, p-1"),
    ],
)
def test_a_minus_is_a_minus(given: str, shown: str) -> None:
    assert with_minus(given) == shown
    assert with_minus({"detail": (given,), "command": given}) == {"detail": (shown,), "command": given}


def test_page_one_names_refuted_claims_and_a_card_has_one_number_of_decimals(full: Written) -> None:
    made = first_page(full.found, ())
    refuted = [claim.name for claim in full.found.claims if claim.verdict == "refuted"]
    assert refuted and made.findings[0] == made.refuted
    assert made.refuted.startswith(f"{len(refuted)} of {len(full.found.claims)} claims") and refuted[0] in made.refuted
    for card in made.cards:
        parts = (card.effect, card.alone, card.removed, card.share)
        figures = [figure for part in parts for figure in (part.point, *part.ci.strip("[]").split(", "))]
        assert len({len(figure.partition(".")[2]) for figure in figures}) == 1
        assert card.effect.point in full.found.verdict.headline or card.word not in ("helps", "harms")
