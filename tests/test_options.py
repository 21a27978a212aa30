"""The designs side by side: costs that are the planner's own, and seeds that detect what they are said to."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate.analysis.power import detectable_effect
from ablate.display import plan as show_plan
from ablate.display_plan import designs
from ablate.forecast import forecast
from ablate.options import WORTH, Comparison, compare, looks_for
from ablate.records import Records
from tests.builders import open_plan, plan, train
from tests.test_arms import fixes

SOUGHT = {"metric": "score", "minimum_effect": 0.5}


def compared(count: int, noise: float | None = None, seconds: float | None = None, **changes: Any) -> Comparison:
    kind = "full_factorial" if count < 13 else "one_at_a_time"
    asked = {"fixes": fixes(count), "design": {"kind": kind, "seeds": 4}, "outcome": SOUGHT} | changes
    return compare(open_plan(**asked), seconds, noise)


@pytest.mark.parametrize(
    ("count", "labels"),
    [
        (1, {"full_factorial": 2}),
        (3, {"full_factorial": 8}),
        (5, {"full_factorial": 32, "fractional V": 16, "one_at_a_time": 12}),
        (6, {"full_factorial": 64, "fractional IV": 16, "fractional VI": 32, "one_at_a_time": 14}),
        (12, {"full_factorial": 4096, "fractional IV": 32, "fractional VI": 256, "one_at_a_time": 26}),
        (13, {"one_at_a_time": 28}),
    ],
)
def test_each_design_that_can_be_had_is_there_once(count: int, labels: dict[str, int]) -> None:
    found = compared(count, seconds=2.0)
    assert {option.label: option.arms for option in found.options} == labels
    assert [option.own for option in found.options] == [True, *[False] * (len(labels) - 1)]
    assert all(option.runs == 4 * option.arms and option.seconds == 2.0 * option.runs for option in found.options)
    assert found.options[0].also == (("one_at_a_time",) if count <= 3 else ())


@pytest.mark.parametrize("noise", [None, 0.2, 2.0])
@pytest.mark.parametrize("count", [4, 6])
def test_the_seeds_named_are_the_fewest_that_detect_the_effect(count: int, noise: float | None) -> None:
    for option in compared(count, noise).options:
        design = {"kind": option.kind, "resolution": option.asked}
        layout = open_plan(fixes=fixes(count), design=design).layout
        size = 1.0 if noise is None else 0.5 / noise
        assert option.seeds is not None
        assert detectable_effect(layout, option.seeds) <= size
        assert option.seeds == 2 or detectable_effect(layout, option.seeds - 1) > size
        assert option.needed == option.seeds * option.arms
        assert option.detectable == detectable_effect(layout, 4)


@pytest.mark.parametrize("noise", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("count", [4, 6, 9, 12])
def test_the_design_to_take_keeps_pairs_apart_unless_that_costs_too_much(count: int, noise: float) -> None:
    found = compared(count, noise)
    assert found.taken is not None
    needed = {option.label: option.needed or 0 for option in found.options}
    whole = min(needed[option.label] for option in found.options if option.pairs.whole)
    cheapest = min(needed.values())
    assert needed[found.taken.label] == (whole if whole <= WORTH * cheapest else cheapest)
    assert found.taken.pairs.whole == (whole <= WORTH * cheapest)
    assert ("over twice as many" in found.why) == (whole > WORTH * cheapest)


def test_what_the_seeds_rest_on_is_said() -> None:
    assert "noise isn't measured yet, so it is taken to be as large as minimum_effect, 0.5" in compared(4).basis
    assert compared(4, 0.3).basis == ""
    assert "names no minimum_effect" in compared(4, 0.3, outcome={"metric": "score"}).basis
    nothing = compared(4, 1e6)
    assert nothing.taken is None
    assert nothing.as_json()["recommended"] is None
    assert nothing.why == "no design finds an effect of 0.5 with up to 1000 paired seeds; name a larger minimum_effect"
    exact = compared(4, 0.0)
    assert exact.taken is not None and exact.taken.seeds == 2


def test_pairs_are_counted_as_they_are_told() -> None:
    said = {count: {option.label: str(option.pairs) for option in compared(count).options} for count in (1, 2, 6, 9)}
    assert said[1] == {"full_factorial": "–"}
    assert said[2] == {"full_factorial": "told"}
    assert said[6]["fractional IV"] == "15 in 7 groups"
    assert said[6]["one_at_a_time"] == "none told"
    assert said[9]["fractional IV"] == "8 apart, 28 in 13 groups"
    arms = ["all_off", "f0", "f1", "f0+f1", "f0+f2", "f0+f1+f2", "f0+f1+f3"]
    custom = compared(4, design={"kind": "custom", "arms": arms, "seeds": 4}).options[-1]
    assert (custom.label, custom.own, str(custom.pairs)) == ("custom", True, "2 of 6 apart")


def test_contexts_repeat_the_design() -> None:
    once, twice = compared(4), compared(4, contexts={"wide": {"width": 2}})
    assert [option.runs for option in twice.options] == [2 * option.runs for option in once.options]
    assert [option.needed for option in twice.options] == [2 * (option.needed or 0) for option in once.options]


def test_a_context_that_is_the_studys_own_params_is_not_counted_again() -> None:
    same = {"same": {"noise": 0.5}, "also": {}, "wide": {"noise": 2}}
    once, twice = (compare(plan(design={"seeds": 4}, contexts=contexts), None, None) for contexts in ({}, same))
    assert [option.runs for option in twice.options] == [2 * option.runs for option in once.options]


def test_no_more_seeds_are_advised_than_a_study_takes(tmp_path: Path) -> None:
    """At 12 times the effect sought, 8 arms take less than 1000 seeds; at 40 times they take more."""
    few, many = compared(3, 6.0).options[0], compared(3, 20.0).options[0]
    assert few.seeds is not None and 500 < few.seeds <= 1000
    assert (many.seeds, many.needed) == (None, None)
    made = plan(outcome={"metric": "score", "minimum_effect": 0.001}, design={"seeds": 3})
    text = shown(forecast(made, train(made, tmp_path)))
    assert "more than 1000 seeds" in " ".join(text.split()) and "would take        none" in text


def test_a_study_that_may_stop_early_is_advised_its_looks(tmp_path: Path) -> None:
    made = open_plan(outcome=SOUGHT, stopping={"looks": [4, 6, 9, 12]}, design={"seeds": 9})
    seen = forecast(made, Records(tmp_path))
    taken = seen.designs.taken
    assert taken is not None and taken.seeds is not None
    looks = looks_for(made, taken.seeds)
    assert looks[-1] == taken.seeds and looks == sorted(set(looks)) and looks[0] >= 2
    assert f"stopping: {{looks: {looks}}}; design.seeds is not used" in " ".join(shown(seen).split())
    assert looks_for(made, 24) == [8, 12, 18, 24]
    console = Console(width=100, record=True, file=io.StringIO())
    show_plan(console, seen)
    assert "design.seeds, 9, is not used: stopping.looks decides" in console.export_text()
    console = Console(width=100, record=True, file=io.StringIO())
    show_plan(console, forecast(open_plan(stopping={"looks": [4, 6]}), Records(tmp_path)))
    assert "not used" not in console.export_text()


def test_a_plan_measures_the_noise_and_shows_a_table_that_fits_and_json(tmp_path: Path) -> None:
    made = plan(outcome=SOUGHT, design={"seeds": 3})
    seen = forecast(made, train(made, tmp_path))
    written = json.loads(json.dumps(seen.as_json()))
    assert seen.noise is not None
    assert written["designs"][0]["detectable"]["in_outcome_units"] == pytest.approx(seen.detectable * seen.noise)
    assert (written["recommended"]["kind"], written["assumed"], written["fraction"]) == ("full_factorial", None, None)
    text = shown(seen)
    assert "full_factorial ●" in text and "would take" in text and "not measured" not in text


@pytest.mark.parametrize(("count", "resolution"), [(6, 4), (9, 4), (12, 5)])
def test_a_fractions_aliases_are_shown_in_the_fixes_names(count: int, resolution: int, tmp_path: Path) -> None:
    made = open_plan(fixes=fixes(count), design={"kind": "fractional", "resolution": resolution}, outcome=SOUGHT)
    seen = forecast(made, Records(tmp_path))
    text, written = shown(seen), seen.as_json()["fraction"]
    pairs = [pair for group in written["interactions"] for pair in group]
    assert len(pairs) == len(set(pairs)) == count * (count - 1) // 2
    assert written["letters"]["A"] == "f0"
    for group in written["interactions"]:
        assert len(group) == 1 or " = ".join(group) in " ".join(text.split())
    assert f"2^({count}-" in text


def shown(seen: Any) -> str:
    """What `plan` prints of designs, on 100 columns."""
    console = Console(width=100, record=True, file=io.StringIO())
    designs(console, seen)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    return text
