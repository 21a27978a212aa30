"""Designs that lack arms, from planted runs to verdict.json and the report: what can't be told is a dash, and nothing breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate.assess import Assessment, assess
from ablate.records import Records
from ablate.report import write_report
from ablate.report.curves_plot import MOST_PANELS, panel_arms
from ablate.report.designs import effect_said, fraction_part, parts_said
from ablate.report.sweeps_plot import marks
from ablate.trials import Trials
from ablate.written import verdict_json, write_results
from tests.builders import plan, train
from tests.many import EFFECTS
from tests.report.reading import pdf_text, squeezed


def studied(folder: Path, count: int, **design: Any) -> Assessment:
    """Fixes of planted effects (the first two do 1 more together), trained and assessed."""
    fixes = {f"f{index}": {"off": {f"p{index}": 0}, "on": {f"p{index}": 1}} for index in range(count)}
    made = plan(
        target="tests.many:train",
        fixes=fixes,
        design={"seeds": 3, **design},
        outcome={"metric": "score", "minimum_effect": 0.5},
        curves=["score", "progress"],
        sweeps={"dose": {"param": "p0", "values": [0, 0.5, 1], "fixes": "all_on", "seeds": 2}},
        claims=[
            {"name": "ends", "arm": "all_on", "against": "all_off", "metric": "score", "comparison": ">", "value": 0},
            {"name": "alone", "arm": "f0", "metric": "score", "comparison": ">", "value": 1},
        ],
        symptoms=[{"name": "low", "metric": "score", "reduction": "max", "reported": 0.1, "fix": "f0"}],
    )
    return assess(made, train(made, folder))


def reported(found: Assessment, folder: Path) -> str:
    write_results(found, folder)
    assert json.loads((folder / "verdict.json").read_text()) == verdict_json(found)
    return pdf_text(write_report(found, Records(folder), folder))


def test_a_fraction_of_resolution_iv_claims_no_pair(tmp_path: Path) -> None:
    found = studied(tmp_path, 6, kind="fractional")
    assert [found.verdict.fixes[f"f{i}"].word for i in range(6)] == [
        "helps",
        "harms",
        "negligible",
        "helps",
        "negligible",
        "harms",
    ]
    pair = found.verdict.interactions["f0*f1 = f2*f4"]
    assert pair.word == "helps" and pair.simple == {}
    assert pair.effect.effect == pytest.approx(1, abs=0.4)
    assert not [each for each in found.verdict.findings if each.kind == "interaction"]
    told = f"fixes act on each other ({pair.effect.effect:+.3g}), but this design can't tell which pair does: f0*f1 = f2*f4"
    assert [warning for warning in found.warnings if warning.startswith("fixes act")] == [
        f"{told}; the effects of these fixes may depend on each other; resolution 5, or every arm, would tell"
    ]
    fixes = verdict_json(found)["fixes"].values()
    assert all(fix["alone"] is fix["removed"] is fix["share"] is None for fix in fixes)
    assert {claim.name: claim.verdict for claim in found.claims} == {"ends": "confirmed", "alone": "untestable"}
    assert found.symptoms[0].agreement != "untestable"
    text = reported(found, tmp_path)
    for said in (
        "2^(6-2) of resolution IV: 16 of the 64 arms",
        "E = ABC, F = BCD",
        "f0 × f1 = f2 × f4",
        "f1 × f2 × f4 = f3 × f4 × f5",
    ):
        assert squeezed(said) in text
    assert "itsremovalcosts" not in text
    assert squeezed("A dash: the design lacks the arms (alone, removed, share).") in text


def test_of_an_arm_that_is_not_trained_nothing_is_claimed(tmp_path: Path) -> None:
    found = studied(tmp_path, 5, kind="fractional", resolution=5)
    assert frozenset(found.plan.fixes) not in found.plan.arms
    assert [(claim.verdict, claim.detail) for claim in found.claims] == [
        ("untestable", "the design does not train the arm all on"),
        ("untestable", "the design does not train the arm f0"),
    ]
    assert found.verdict.interactions["f0*f1"].simple
    assert any(each.text.startswith("f1 harms only while f0 is off") for each in found.verdict.findings)
    assert marks(found.plan, "dose") == {("f0", "off"): 0.0, ("f0", "on"): 1.0}
    part = fraction_part(found.plan)
    assert part is not None and part.mains == part.pairs == ()
    assert part.said == (
        "2^(5-1) of resolution V: 16 of the 32 arms. All off, the training as it was, is among them; all on is not. "
        "No main effect and no two-way interaction is aliased with another."
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_one_at_a_time_finds_the_planted_effects_and_what_depends_on_others(count: int, tmp_path: Path) -> None:
    found = studied(tmp_path, count, kind="one_at_a_time", seeds=5)
    planted = [EFFECTS[i] + (0.5 if i < 2 <= count else 0) for i in range(count)]
    assert [found.verdict.fixes[f"f{i}"].effect.effect for i in range(count)] == pytest.approx(planted, abs=0.5)
    assert found.verdict.fixes["f0"].word == "helps"
    assert all(fix.alone and fix.removed for fix in found.verdict.fixes.values())
    assert all((fix.share is None) == (count == 5) for fix in found.verdict.fixes.values())
    assert (found.verdict.interactions == {}) == (count in (1, 5))
    assert ("pairs of arms that differ in it alone" in effect_said(found.plan)) == (count == 5)
    assert ("(share)" in parts_said(found)) == (count == 5)


@pytest.mark.parametrize(
    "arms",
    [
        ["all_off", "all_on"],
        ["all_off", "f0", "all_on"],
        ["f0", "f0+f1", "f1+f2", "f1"],
        ["all_off", "f0", "f0+f1", "f0+f1+f2", "f0+f1+f2+f3", "all_on"],
    ],
)
def test_custom_arms_are_judged_by_their_pairs(arms: list[str], tmp_path: Path) -> None:
    count = {2: 1, 3: 2, 4: 3, 6: 5}[len(arms)]
    found = studied(tmp_path, count, kind="custom", arms=arms, seeds=4)
    assert list(found.verdict.fixes) == found.plan.fixes
    assert found.verdict.fixes["f0"].word == "helps"
    if "all_off" not in arms:
        assert found.symptoms[0].agreement == "untestable"
        assert found.symptoms[0].detail == found.claims[0].detail.replace("all on", "all off")
        text = reported(found, tmp_path)
        assert "allofftoallon" not in text and squeezed("custom, 4 arms of 3 fixes") in text


def test_a_large_fraction_shows_its_first_arms_and_optuna_holds_it(tmp_path: Path) -> None:
    made = plan(
        target="tests.many:train",
        fixes={f"f{index}": {"off": {f"p{index}": 0}, "on": {f"p{index}": 1}} for index in range(9)},
        design={"kind": "fractional", "seeds": 2},
    )
    assert list(panel_arms(made).values()) == made.arm_ids()[:MOST_PANELS]
    trials = Trials(f"sqlite:///{tmp_path / 'optuna.db'}", made)
    records = train(made, tmp_path, skip=tuple(run.id for run in made.runs[2:]))
    numbers = trials.tell([(run, records.load()[run.id]) for run in made.runs[:2]])
    assert list(numbers.items()) == [(run.id, number) for number, run in enumerate(made.runs[:2])]
