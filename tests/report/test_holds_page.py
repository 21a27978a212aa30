"""The pages on whether the verdict holds: contexts, courses and price, as they are typeset."""

from __future__ import annotations

from pathlib import Path

from ablate.report.holds import contexts_part, courses_said, price_part
from tests.report.reading import write
from tests.report.synthetic import planned


def test_contexts_courses_and_price_are_in_the_report(tmp_path: Path) -> None:
    plan = planned(
        sweeps={},
        curves=[],
        claims=[],
        secondary=["seconds", "eval/region_top1_small"],
        contexts={
            "wide_model": {"hidden_size": 128},
            "same": {},
            "a_b-c.d": {"learning_rate": 1e-3},
            "d": {"x": 1},
            "e": {"x": 2},
        },
        design={"seeds": 3},
    )
    written = write(plan, tmp_path)
    part, price = contexts_part(written.found), price_part(written.found)
    assert part is not None and price is not None
    assert written.says("Across contexts") and written.says("hidden_size 128")
    assert all(written.says(row.name) for row in part.rows)
    for fix in part.fixes:
        assert written.says(fix.said) and len(fix.there) == 5
        assert all(written.says(f"{there.point}{there.ci}") for there in fix.there)
    assert all(written.says(text) for text in courses_said(written.found))
    assert written.says("At what price") and all(written.says(f"{row.added}{row.ci}{row.percent}") for row in price.rows)
    assert (tmp_path / "figures" / "contexts.svg").exists()


def test_a_study_without_them_has_no_such_sections(tmp_path: Path) -> None:
    written = write(planned(sweeps={}, curves=[], claims=[], secondary=[], design={"seeds": 2}), tmp_path)
    assert not written.says("Across contexts") and not written.says("At what price")
    assert written.says("What each fix does")
