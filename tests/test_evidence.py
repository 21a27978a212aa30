"""From recorded runs to claims and symptoms, with planted runs whose curves are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.assess import assess
from ablate.design import Plan, run_id
from ablate.engines.base import Result
from ablate.evidence import Evidence
from ablate.records import Records
from ablate.written import verdict_json
from tests.builders import plan, train

CLAIM = {"name": "c", "metric": "progress", "reduction": "last", "comparison": ">", "value": 0}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """Six seeds of the three planted fixes, 20 steps each."""
    return train(plan(), tmp_path_factory.mktemp("planted"))


def evidence(records: Records, **changes: Any) -> Evidence:
    return Evidence(plan(**changes), records.load(), records)


def last(made: Plan, records: Records, arm: str, seed: int) -> float:
    return float(records.curves(run_id(made.arms[made.study.arm(arm)], seed))["progress"].iloc[-1])


def test_a_claim_against_another_arm_is_about_the_paired_difference(records: Records) -> None:
    made = plan()
    found = evidence(records, claims=[CLAIM | {"arm": "good", "against": "all_off"}]).claims()[0]
    differences = [last(made, records, "good", seed) - last(made, records, "all_off", seed) for seed in range(6)]
    assert found.observed == pytest.approx(sum(differences) / 6)
    assert (found.verdict, found.expected) == ("confirmed", "last of progress, less that of all off > 0")
    final = evidence(records, claims=[CLAIM | {"arm": "good", "against": "all_off", "reduction": "final", "metric": "score"}])
    assert final.claims()[0].observed == pytest.approx(found.observed)


def test_a_seed_counts_only_where_both_arms_completed(records: Records, tmp_path: Path) -> None:
    made = plan(claims=[CLAIM | {"arm": "good", "against": "all_off"}])
    kept = records.load()
    kept.pop(run_id(made.arms[frozenset()], 0))
    found = Evidence(made, kept, records).claims()[0]
    differences = [last(made, records, "good", seed) - last(made, records, "all_off", seed) for seed in range(1, 6)]
    assert found.observed == pytest.approx(sum(differences) / 5)
    assert found.detail.endswith(" over 5 of 6 seeds")
    for seed in range(6):
        kept.pop(run_id(made.arms[frozenset({"good"} if seed % 2 else set())], seed), None)
    assert Evidence(made, kept, records).claims()[0].detail == "no seed completed in both arms"


@pytest.mark.parametrize("short", [0, 5])
def test_any_seed_that_ends_too_early_makes_a_claim_untestable(records: Records, tmp_path: Path, short: int) -> None:
    made = plan(claims=[CLAIM | {"arm": "good", "against": "all_off", "steps": [10, 19]}])
    copied, ending = Records(tmp_path), run_id(made.arms[frozenset()], short)
    for run in made.runs:
        curve = records.curves(run.id)["progress"].tolist()[: 15 if run.id == ending else None]
        points = tuple(("progress", step, value) for step, value in enumerate(curve))
        copied.add(Result(run.id, "completed", 0.0, 1.0, {}, points))
    found = Evidence(made, copied.load(), copied).claims()[0]
    assert (found.verdict, found.detail) == ("untestable", "its runs end at step 14, before step 19")


@pytest.mark.parametrize(
    ("by", "lacking", "verdict", "detail"),
    [
        (19, 6, "refuted", "none of 6 runs had it by step 19"),
        (20, 6, "untestable", "its runs end at step 19, before step 20"),
        (None, 6, "untestable", "its runs ended without it"),
        (None, 5, "refuted", "missing in 5 of 6 seeds"),
    ],
)
def test_a_final_metric_that_never_came(records: Records, by: int | None, lacking: int, verdict: str, detail: str) -> None:
    made = plan(claims=[CLAIM | {"reduction": "final", "metric": "score", "arm": "good", "by": by}])
    kept = records.load()
    for seed in range(lacking):
        run = run_id(made.arms[made.study.arm("good")], seed)
        kept[run] = replace(kept[run], metrics={})
    found = Evidence(made, kept, records).claims()[0]
    assert (found.verdict, found.detail, found.observed is None) == (verdict, detail, lacking == 6)


def test_growth_over_a_recorded_curve(records: Records) -> None:
    made = plan()
    growth = CLAIM | {"arm": "good", "reduction": "growth", "steps": [0, 19]}
    found = evidence(records, claims=[growth]).claims()[0]
    ends = [last(made, records, "good", seed) for seed in range(6)]
    assert found.observed == pytest.approx(0.9 * sum(ends) / 6)  # progress is linear: its tenths lie 18 of 20 steps apart


def test_what_lies_beyond_the_budget_is_untestable(records: Records) -> None:
    symptom = {"name": "s", "metric": "progress", "steps": [10, 20], "reported": 1}
    said = evidence(records, claims=[CLAIM | {"steps": [10, 20]}], symptoms=[symptom])
    claim, seen = said.claims()[0], said.symptoms()[0]
    assert (claim.verdict, claim.detail) == ("untestable", "its runs end at step 19, before step 20")
    assert (seen.agreement, seen.detail) == ("untestable", "its runs end at step 19, before step 20")
    assert evidence(records, claims=[CLAIM | {"arm": "good", "steps": [10, 19]}]).claims()[0].verdict == "confirmed"


def test_an_arm_that_failed_says_why(tmp_path: Path) -> None:
    made, records = plan(claims=[CLAIM], symptoms=[{"name": "s", "metric": "progress"}]), Records(tmp_path)
    for run in made.runs:
        records.add(Result(run.id, "failed", 0.0, 1.0, error="Traceback\n  somewhere\nRuntimeError: out of memory"))
    said = Evidence(made, records.load(), records)
    assert said.claims()[0].detail == "no run of the arm completed: RuntimeError: out of memory"
    assert said.symptoms()[0].detail == "no run of the arm completed: RuntimeError: out of memory"


def test_a_studys_symptoms_are_those_of_all_off_over_all_seeds(records: Records) -> None:
    symptoms = [
        {"name": "low", "fix": "good", "metric": "progress", "reduction": "max", "comparison": "<", "value": 9, "reported": 2},
        {
            "name": "below",
            "metric": "progress",
            "reduction": "count",
            "comparison": "<",
            "value": 9,
            "reported": {"count": 9, "of": 9},
            "set": True,
        },
    ]
    written = verdict_json(assess(plan(symptoms=symptoms), records))["symptoms"]
    made = plan()
    ends = [last(made, records, "all_off", seed) for seed in range(6)]
    assert written[0]["observed"] == pytest.approx([max(end, end / 20) for end in ends])
    assert (written[0]["agreement"], written[0]["present"], written[0]["reported"]) == ("differs", True, 2)
    assert written[1]["observed"] == {"count": 120, "of": 120} and written[1]["reported"] == {"count": 9, "of": 9}
    assert written[1]["agreement"] == "consistent" and written[1]["interval"][1] == 120
    keys = {"name", "fix", "what", "reported", "observed", "interval", "agreement", "set", "p", "present", "detail"}
    assert all(set(each) == keys for each in written)
    assert [each["set"] for each in written] == [False, True]


def test_a_defect_is_found_in_the_arm_without_its_fix_alone(records: Records) -> None:
    sign = {"name": "low", "fix": "good", "metric": "progress", "reduction": "mean", "comparison": "<", "value": 0.5}
    said = evidence(records, symptoms=[sign])
    verdicts = {}
    for arm in ("all_off", "good"):
        verdicts[arm] = said.defects(said.symptoms(plan().study.arm(arm)))[0].verdict
    assert verdicts == {"all_off": "found", "good": "not found"}
    assert evidence(records).defects(()) == ()
