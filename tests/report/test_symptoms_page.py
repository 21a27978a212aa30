"""The page of symptoms in a study's report, and the figure's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablate.analysis.symptoms import judge_symptom
from ablate.report.symptoms import SET, symptom_row, symptoms_part
from ablate.report.symptoms_plot import strips
from ablate.statements import Symptom
from tests.analysis.test_symptoms import run
from tests.report.reading import write
from tests.report.synthetic import planned

SYMPTOMS: list[dict[str, Any]] = [
    {"name": "bank stays empty", "fix": "memory_bank", "metric": "bank/ptr", "reduction": "max", "comparison": "==", "value": 0,
     "reported": 0, "digits": 0},
    {"name": "zero norms", "fix": "bbox_filter", "metric": "image_norm/min", "reduction": "count", "comparison": "<",
     "value": 0.5,
     "reported": {"count": 34, "of": 134}, "note": "of each forward", "set": True},
    {"name": "norms seen", "metric": "image_norm/min", "reduction": "values", "reported": {0: 30, 1: 100}},
    {"name": "greatest logit", "metric": "logits_i2t/max", "reduction": "median", "reported": [0.55, 0.47, 0.59]},
    {"name": "too late", "fix": "logit_scale", "metric": "logits_i2t/max", "steps": [0, 999], "comparison": "<", "value": 1},
]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    plan = planned(symptoms=SYMPTOMS, sweeps={}, curves=[], design={"seeds": 3})
    return write(plan, tmp_path_factory.mktemp("symptoms"))


def test_each_symptom_is_observed_beside_reported(written: Any) -> None:
    assert written.says("Symptoms")
    assert written.says("all off here (3 seeds)")
    for result in written.found.symptoms:
        row = symptom_row(result)
        assert all(written.says(text) for text in (row.name, row.what, row.reported, row.observed, row.chance, row.agreement))
    assert written.says(SET) and written.says(
        "differs set" if written.found.symptoms[1].agreement == "differs" else "consistent set"
    )
    assert written.says("34 of 134 (25 %)") and written.says("of each forward")
    assert written.says("its runs end at step 400, before step 999")


def test_the_defects_are_named_with_their_signs(written: Any) -> None:
    verdicts = {defect.fix: defect.verdict for defect in written.found.defects}
    assert verdicts == {"memory_bank": "found", "bbox_filter": "found", "logit_scale": "unclear"}
    assert written.says("Defects found and not found") and written.says("memory_bank mends")
    assert all(written.says(line) for defect in written.found.defects for line in defect.evidence)
    assert written.says("Found says that it is there, not that mending it helps")


def test_its_figure_is_written_and_others_stay(written: Any) -> None:
    assert {path.stem for path in (written.out / "figures").iterdir()} == {
        "forest",
        "waterfall",
        "symptoms",
        "trajectory",
        "pairs",
        "interactions",
        "probes",
    }


def test_a_study_without_symptoms_has_no_such_page(tmp_path: Path) -> None:
    report = write(planned(sweeps={}, curves=[], design={"seeds": 2}), tmp_path)
    assert not report.says("What the report under test printed") and not (tmp_path / "figures/symptoms.svg").exists()
    assert symptoms_part([], [], "all off", "2 seeds") is None


def test_another_arm_is_said_not_to_be_the_one_reported() -> None:
    results = [judge_symptom(Symptom(name="s", metric="m", reported=1), [run([1])])]
    part = symptoms_part(results, [], "all on", "one run")
    assert part is not None and "here it is all on that is looked at" in part.said
    assert "range" not in part.said and part.said.endswith("looked at. A single number to itself.")
    of_all_off = symptoms_part(results, [], "all off", "one run")
    assert of_all_off is not None and "looked at" not in of_all_off.said


def test_it_says_what_each_kind_of_figure_is_held_to() -> None:
    told: dict[str, dict[str, Any]] = {
        "exact test at 5 %": {"reduction": "count", "comparison": ">", "value": 0, "reported": {"count": 1, "of": 9}},
        "which three values leave wide, so that it can only tell a training that is far off": {
            "reduction": "median",
            "reported": [1, 2, 3],
        },
        "as a loss does, to the range of a single step": {"reduction": "mean", "reported": 1},
        "single number to itself": {"reported": 1},
    }
    for said, changes in told.items():
        result = judge_symptom(Symptom(name="s", metric="m", **changes), [run(range(50))])
        part = symptoms_part([result], [], "all off", "one run")
        assert part is not None and [text for text in told if text in part.said] == [said]
        assert "twenty" not in part.said and SET not in part.said


def test_what_was_set_is_marked_and_explained() -> None:
    results = [judge_symptom(Symptom(name="s", metric="m", reported=1, set=mark), [run([1])]) for mark in (True, False)]
    part = symptoms_part(results, [], "all off", "one run")
    assert part is not None and [row.set for row in part.rows] == ["set", ""]
    assert part.said.endswith("agreement says only that it was set up rightly.")


def test_the_figures_rows_are_the_symptoms_with_a_range() -> None:
    table = Symptom(name="t", metric="m", reduction="values", reported={0: 50, 1: 50})
    typical = Symptom(name="n", metric="m", reduction="median", reported=[0.0, 1.0, 2.0])
    exact = Symptom(name="e", metric="m", reported=1)
    rows = strips([judge_symptom(each, [run([0] * 100 + [1] * 100)]) for each in (table, typical, exact)])
    assert [row.label for row in rows] == ["t: 0", "t: 1", "n"]
    assert rows[0].reported == (100.0,) and rows[0].observed == (100,) and rows[0].low < 100 < rows[0].high
    assert rows[2].reported == (0.0, 1.0, 2.0) and rows[2].observed == (0.5,) and rows[2].consistent
    assert (rows[0].written(99.6), rows[2].written(0.512)) == ("100", "0.512")
