"""The appendix's profile: its table holds the sums, its figure every run, and without a profile there is neither."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.assess import Assessment, assess
from ablate.design import Plan
from ablate.records import Records
from ablate.report import write_report
from ablate.report.gallery import drawings
from ablate.report.profile_part import FURTHER, IDLE, MOST, profile_part
from ablate.report.profile_plot import bars, profile, profile_alt
from ablate.report.style import look
from ablate.written import write_results
from tests.report.reading import Written, pdf_text, squeezed
from tests.report.synthetic import add_results, planned

#: A target's own phase.
OWN = "my <own> phase"


def profiled(plan: Plan, out: Path, own: int = 1) -> Assessment:
    """A made study of two workers that take turns: half of a run's time is forward, half its own phases."""
    add_results(plan, out)
    records = Records(out)
    for at, run in enumerate((*plan.runs, *plan.checks)):
        record = records.load_one(run.id)
        assert record is not None
        half = record.seconds / 2
        phases = {"forward": half, **{f"{OWN} {i}": half / own for i in range(own)}}
        records.save(replace(record, worker=f"w{at % 2}", cpu=half, phases=phases))
    return assess(plan, records)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Eight arms over two seeds."""
    out = tmp_path_factory.mktemp("profiled")
    found = profiled(planned(design={"seeds": 2}, sweeps={}, claims=[]), out)
    write_results(found, out)
    return Written(found, out, pdf_text(write_report(found, Records(out), out)), 0)


def test_the_table_holds_the_sums(small: Written) -> None:
    found = small.found
    seconds = [record.seconds for record in found.records.values()] + [9.0]  # the check's
    part = profile_part(found)
    assert part is not None and found.profile is not None
    rows = {row.name: row for row in part.phases}
    assert rows["forward"].total == rows[f"{OWN} 0"].total == f"{sum(seconds) / 2:.2f}"
    wall = 10 * (len(seconds) - 1) + 9.0  # each begins 10 s after the one before, and a check of seed 0 is the last
    assert rows["workers’ time"].total == f"{2 * wall:.2f}" and rows["workers’ time"].share == "100.0 %"
    assert rows[IDLE].total == f"{2 * wall - sum(seconds):.2f}"
    assert math.fsum(float(row.total) for row in part.phases[:-1]) == pytest.approx(2 * wall, abs=0.03)
    assert f"{100 * sum(seconds) / 2 / (2 * wall):.1f} % of it: the workers' CPU utilisation" in part.said
    assert [row.runs for row in part.workers] == ["9", "8"]


def test_pdf_and_page_show_it_once_in_the_appendix(small: Written) -> None:
    part = profile_part(small.found)
    assert part is not None
    page = (small.out / "report.html").read_text(encoding="utf-8")
    assert small.says("Where the time went") and small.says(part.said)
    for row in part.phases:
        assert squeezed(f"{row.name}{row.total}{row.share}{row.median}") in small.text
        share = row.share.replace(" ", "\N{NO-BREAK SPACE}")
        assert f'<td class="num">{row.total}</td><td class="num">{share}</td>' in page
    assert page.count('aria-label="Figure profile"') == 1 and "Further figures" not in page
    assert page.index('id="profile"') > page.index('id="design"') and "<own>" not in page
    assert {path.suffix for path in (small.out / "figures").glob("profile.*")} == {".svg", ".png"}


def test_each_run_has_a_row_in_profile_csv(small: Written) -> None:
    rows = list(csv.DictReader((small.out / "profile.csv").open(encoding="utf-8")))
    assert len(rows) == 17 and {row["worker"] for row in rows} == {"w0", "w1"}
    for row in rows:
        parts = [float(value) for key, value in row.items() if key.startswith("phase.")]
        assert sum(parts) == pytest.approx(float(row["seconds"]), abs=1e-5)
    assert [float(row["started"]) for row in rows] == [10.0 * at for at in range(17)]
    assert (rows[0]["arm"], rows[0]["seed"]) == ("all off", "0")


def test_without_a_profile_there_is_nothing_of_it_and_one_of_before_goes(small: Written, tmp_path: Path) -> None:
    found = add_results(planned(design={"seeds": 2}, sweeps={}, claims=[]), tmp_path)
    (tmp_path / "profile.csv").write_text("of runs that were forgotten")
    write_results(found, tmp_path)
    assert found.profile is None and profile_part(found) is None
    assert not (tmp_path / "profile.csv").exists()
    assert (tmp_path / "verdict.json").read_bytes() == (small.out / "verdict.json").read_bytes()


def test_runs_that_are_too_many_for_a_page_are_shown_by_their_cells_means(tmp_path: Path) -> None:
    few = profiled(planned(), tmp_path / "few")
    cells, said = bars(few)
    assert (sum(map(len, cells)), said) == (len(few.plan.runs) + 1, "a bar a run")  # one check
    many = profiled(planned(design={"seeds": 30}), tmp_path / "many")
    cells, said = bars(many)
    assert [len(cell) for cell in cells] == [1] * len(many.plan.cells) and said.endswith("the mean of its runs")
    seeds = range(30)
    assert cells[0][0].phases["forward"] == pytest.approx(sum(9 + seed / 10 for seed in seeds) / 30 / 2)
    with look():
        heights = [float(profile(found).get_size_inches()[1]) for found in (few, many)]
    assert max(heights) < 8.7  # of a page's text


def test_phases_of_a_targets_own_that_are_many_are_shown_as_one(tmp_path: Path) -> None:
    found = profiled(planned(design={"seeds": 2}, sweeps={}, claims=[]), tmp_path, own=40)
    part = profile_part(found)
    assert part is not None and found.profile is not None
    further = [row for row in part.phases if FURTHER in row.name]
    assert len(part.phases) == MOST + 2 and [row.name for row in further] == [f"{41 - (MOST - 1)} {FURTHER}"]
    assert sum(float(row.total) for row in part.phases[:-1]) == pytest.approx(found.profile.capacity, abs=0.1)
    with look():
        assert [drawn[1] for drawn in drawings(found, _curves(found, tmp_path)) if drawn[1] == "profile"] == ["profile"]
    assert "forward" in profile_alt(found)


def _curves(found: Assessment, out: Path) -> object:
    from ablate.report.curves import Curves

    return Curves(found.plan, found.records, Records(out))
