"""Runs that diverge outside the study's own arms: in a context, and at values of a swept knob."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.assess import Assessment, assess
from ablate.design import Plan
from ablate.written import verdict_json
from tests.builders import plan
from tests.test_checks import driven

GOOD = {"off": {"helps": 0}, "on": {"helps": 1}}


def made(worth: float | None = None, **changes: Any) -> Plan:
    outcome = {"metric": "score", "minimum_effect": 0.5, "on_divergence": worth}
    return plan(**{"fixes": {"good": GOOD}, "sweeps": {}, "design": {"seeds": 6}, "outcome": outcome} | changes)


def test_a_context_in_which_runs_diverged_has_no_verdict_unless_the_study_says_what_they_are_worth(tmp_path: Path) -> None:
    wild = {"contexts": {"calm": {"shift": 2}, "wild": {"diverges": 0.5}}}
    records = driven(made(**wild), tmp_path)
    found = assess(made(**wild), records)
    assert found.verdict.fixes["good"].word == found.holding.contexts["calm"].fixes["good"].word == "helps"
    assert verdict_json(found)["contexts"]["wild"] == {}
    said = "8 of 12 runs diverged (all off, good); say what such a run is worth by outcome.on_divergence"
    assert f"context wild: no verdict: {said}" in found.warnings
    assert list(found.holding.compared) == ["as it is", "calm", "wild"]
    valued = assess(made(-3.0, **wild), records)
    assert valued.holding.contexts["wild"].fixes["good"].effect.effect < valued.verdict.fixes["good"].effect.effect


SWEEP = {"diverges": {"param": "diverges", "values": [0, 0.3, 0.6], "fixes": "all_on", "toggle": ["good"], "seeds": 4}}


def swept(worth: float | None, out: Path) -> Assessment:
    study = made(worth, sweeps=SWEEP)  # its pairs have fewer seeds than the design
    return assess(study, driven(study, out))


def test_a_swept_value_at_which_runs_diverged_is_left_out_by_name(tmp_path: Path) -> None:
    found = swept(None, tmp_path).knobs["diverges"]
    assert [response.mean is None for response in found.responses] == [False, True, True]
    lost = "2 of 4 runs diverged at 0.3 and 3 of 4 runs diverged at 0.6, which are left out"
    assert (found.best, found.sentence) == (None, f"no best value can be told; {lost}")
    pairs = "4 of 8 runs diverged at 0.3 and 6 of 8 runs diverged at 0.6, which are left out"
    assert found.toggles["good"].sentence == f"good helps at 0; {pairs}"


def test_a_swept_value_at_which_runs_diverged_counts_as_the_study_says(tmp_path: Path) -> None:
    found = swept(-9.0, tmp_path).knobs["diverges"]
    assert found.sentence.endswith("; 2 of 4 runs diverged at 0.3 and 3 of 4 runs diverged at 0.6, each counted as -9")
    assert found.best and found.best.value == 0
