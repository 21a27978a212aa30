"""The PDF says what the assessment found, whatever the study looks like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ablate.assess import assess
from ablate.engines.base import Result
from ablate.records import Records
from ablate.report import write_report
from ablate.report.text import true_minus
from ablate.target import Declaration, Target
from tests.report.reading import Written, pdf_text, squeezed, write
from tests.report.synthetic import TARGET, THREE_FIXES, add_results, planned, train

FIXES = THREE_FIXES["fixes"]


def test_full_report_says_the_verdict_and_every_run(full: Written) -> None:
    assert full.says(full.found.verdict.headline)
    assert all(full.says(cell) for cell in full.found.plan.cells)
    assert all(full.says(str(record.mlflow)) for record in full.found.records.values())
    assert all(full.says(f"{name}") for name in full.found.plan.fixes)
    assert all(full.says(true_minus(claim.name)) and full.says(true_minus(claim.detail)) for claim in full.found.claims)
    assert "QUICK" not in full.text
    assert 4 <= full.pages <= 8


def test_full_report_warns_of_the_raw_ranking(full: Written) -> None:
    assert full.says("What ranking by the raw train/region_loss would have said")
    assert full.says("the bank changes the number of candidates")


def test_every_figure_is_written_as_svg_and_png(full: Written) -> None:
    names = {
        "forest",
        "waterfall",
        "curve-train-region_loss",
        "curves",
        "probes",
        "sweeps",
        "trajectory",
        "pairs",
        "interactions",
    }
    for suffix, magic in ((".svg", b"<?xml"), (".png", b"\x89PNG")):
        files = list((full.out / "figures").glob(f"*{suffix}"))
        assert {file.stem for file in files} == names
        assert all(file.read_bytes().startswith(magic) for file in files)


def test_same_records_give_the_same_bytes(full: Written, tmp_path: Path) -> None:
    write_report(full.found, Records(full.out), tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2 + len(list((full.out / "figures").iterdir()))
    assert all((tmp_path / file).read_bytes() == (full.out / file).read_bytes() for file in files)


def test_quick_is_marked_on_every_page(tmp_path: Path) -> None:
    quick = write(planned(quick=True), tmp_path)
    assert quick.text.count("QUICK—smallbudget,notaverdicttoacton") == quick.pages


def test_failures_show_the_last_line_of_their_error(tmp_path: Path) -> None:
    plan = planned()
    lost = plan.runs[3]
    report = write(plan, tmp_path, {lost.id: "Traceback\n  File somewhere\nRuntimeError: $x$ #1 <oops> *bold* _it_ @ref"})
    assert report.says("RuntimeError: $x$ #1 <oops> *bold* _it_ @ref")
    assert report.says("File somewhere")
    assert report.says("seeds left out because an arm is missing: 0")


def test_runs_that_ended_for_the_same_reason_stand_together_with_their_attempts(tmp_path: Path) -> None:
    plan, records = planned(sweeps={}), Records(tmp_path)
    add_results(plan, tmp_path)
    frames = "\n".join(f'  File "deep_{i}.py", line 1, in f' for i in range(20))
    error = f"Traceback (most recent call last):\n{frames}\nOSError: $"
    for run in plan.runs[:15]:
        records.add(Result(run.id, "failed", 0.0, 1.0, error=error, attempts=3))
    records.add(Result(plan.runs[15].id, "diverged", 0.0, 1.0, error="train/region_loss is nan at forward 123"))
    write_report(assess(plan, records), records, tmp_path)
    text = pdf_text(tmp_path / "report.pdf")
    section = text[text.rindex("Runsthatfailedordiverged") :]
    assert section.count("OSError:$") == 2, "the reason, and the end of its traceback"
    assert squeezed(f"{plan.runs[0].name} failed 3 attempts") in section
    assert squeezed("and 14 more: " + ", ".join(run.name for run in plan.runs[1:13]) + ", …") in section
    assert "deep_19.py" in section and "deep_7.py" not in section
    assert squeezed("diverged train/region_loss is nan at forward 123") in section.replace(plan.runs[15].id, "")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "3 attempts" in html and "and 14 more" in html and html.count("deep_19.py") == 1


def test_a_diverged_run_is_told_apart(tmp_path: Path) -> None:
    plan, records = planned(sweeps={}), Records(tmp_path)
    add_results(plan, tmp_path)
    records.add(Result(plan.runs[0].id, "diverged", 0.0, 1.0, {"eval/region_top1": float("nan")}))
    write_report(assess(plan, records), records, tmp_path)
    text = pdf_text(tmp_path / "report.pdf")
    assert squeezed("1 of 48 runs diverged") in text and squeezed("not finite: eval/region_top1") in text


def test_no_verdict_still_shows_the_fixes_and_what_is_missing(tmp_path: Path) -> None:
    report = write(planned(), tmp_path, skip=66)
    assert report.says(report.found.verdict.headline) and report.says("No verdict")
    assert all(report.says(cell) for cell in report.found.plan.cells)
    assert report.text.count("missing") >= 66
    assert not (tmp_path / "figures" / "forest.svg").exists()


def test_nothing_recorded_at_all(tmp_path: Path) -> None:
    report = write(planned(), tmp_path, skip=75)
    assert report.says("No verdict") and report.says("bank_warmup 400 → 50")
    assert not list((tmp_path / "figures").glob("*.svg"))


def test_one_fix_without_sweeps_curves_or_claims(tmp_path: Path) -> None:
    plan = planned(fixes={"memory_bank": FIXES["memory_bank"]}, sweeps={}, curves=[], claims=[], secondary=[])
    report = write(plan, tmp_path)
    assert report.says(report.found.verdict.headline) and report.pages <= 4
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"forest", "waterfall", "trajectory", "pairs", "probes"}


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    longest = "a_name_that_is_longer_than_any_column_" + "x" * 60
    names = ["#let x = $y$", "$b$ _i_ <tag> & @ref", r"back\slash [x] `c` // no", longest]
    fixes = {name: {"off": {f"p{i}": 0}, "on": {f"p{i}": "#on $"}} for i, name in enumerate(names)}
    plan = planned(
        fixes=fixes,
        target=Target(TARGET.name, train, Declaration()),
        sweeps={},
        claims=[],
        design={"seeds": 2},
    )
    report = write(plan, tmp_path)
    assert all(report.says(name) for name in names)
    assert report.says("assumed")


def test_figures_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    stale = tmp_path / "figures" / "curve-old.svg"
    stale.parent.mkdir()
    stale.write_text("<svg/>")
    write(planned(sweeps={}, design={"seeds": 2}), tmp_path)
    assert not stale.exists() and (tmp_path / "figures" / "forest.svg").exists()


def test_importing_the_report_imports_nothing_heavy() -> None:
    heavy = {"matplotlib", "typst", "pandas", "torch", "optuna", "mlflow", "ray"}
    code = f"import sys, ablate.report; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
