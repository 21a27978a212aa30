"""The benchmark against the baseline: what both are given, and what counts as having trained the same."""

import numpy as np
import pytest

from ablate.design import make_plan
from ablate.study import load_study
from ablate.target import load_target
from benchmarks.race.agreement import Trial, effects, rough, tight
from benchmarks.race.processes import STUDY, factorial

ARMS = ["all off", "logit_scale", "bbox_filter", "memory_bank"]
ARMS += ["logit_scale+bbox_filter", "logit_scale+memory_bank", "bbox_filter+memory_bank", "all on"]


def trials(shift=0.0, at=slice(None), worth=0.1, lost=()):
    """Made trials of two seeds: losses shifted somewhere, a loss lost in some forwards, and what the scale is worth."""
    found = {}
    for number, arm in enumerate(ARMS):
        for seed in (0, 1):
            losses = {name: np.linspace(2, 1, 40) + 0.1 * number for name in ("region", "global")}
            losses["region"][at] += shift
            losses["region"][list(lost)] = np.nan
            top1 = 0.2 + worth * ("logit_scale" in arm or arm == "all on")
            found[arm, seed] = Trial(losses, {"eval/region_top1": top1, "eval/region_loss": 0.9}, 1.0)
    return found


def differing(checks):
    return [check.what for check in checks if not check.holds]


def test_both_train_the_studys_factorial_and_nothing_else(tmp_path):
    study = load_study(factorial(tmp_path))
    given = load_study(STUDY)
    plan = make_plan(study, load_target(study.target))
    assert (len(plan.runs), study.params, study.fixes) == (48, given.params, given.fixes)


def test_effects_are_those_of_the_arms():
    assert effects(trials()) == pytest.approx({"logit_scale": 0.1, "bbox_filter": 0, "memory_bank": 0})


def test_equal_trainings_agree():
    assert differing([*rough(trials(), trials(), 8, 0.01), *tight(trials(), trials())]) == []


def test_a_loss_that_is_off_is_found():
    first, later = trials(0.03, at=slice(3, 4)), trials(0.03, at=slice(8, 40))
    assert differing(rough(first, trials(), 8, 0.01)) == ["region loss, first optimizer step"]
    assert differing(rough(later, trials(), 8, 0.01)) == ["region loss, all forwards"]
    assert differing(tight(trials(0.002, at=slice(39, 40)), trials())) == ["region loss, all forwards"]


def test_an_effect_that_is_off_is_found():
    assert differing(rough(trials(worth=0.104), trials(), 8, 0.01)) == ["effect of a fix"]
    assert differing(rough(trials(worth=0.13), trials(), 8, 0.01)) == ["eval/region_top1 of a run", "effect of a fix"]


def test_other_forwards_or_runs_are_no_match():
    with pytest.raises(ValueError, match="not the same forwards have a region loss"):
        tight(trials(lost=[5]), trials())
    assert differing(tight(trials(lost=[5]), trials(lost=[5]))) == []
    fewer = {key: trial for key, trial in trials().items() if key != ("all on", 1)}
    with pytest.raises(ValueError, match=r"not the same runs: \[\('all on', 1\)\]"):
        tight(fewer, trials())
