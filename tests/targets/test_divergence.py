"""A training whose loss is no longer finite ends as diverged at that forward, with what it logged up to there."""

from __future__ import annotations

import math

import pytest

from ablate.engines.base import Task, execute
from tests.targets.small import SMALL

TARGET = "ablate.targets.region_clip:train"
WINDOW = 8


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("change", "forward"), [({"logit_scale_init": 90.0}, 0), ({"lr": 1e6}, WINDOW)], ids=["scale", "lr"])
def test_it_ends_at_that_forward_with_the_probes_up_to_it(precision, change, forward):
    result = execute(Task("a", TARGET, {**SMALL, **change, "precision": precision}, seed=0))
    assert (result.state, result.error) == ("diverged", f"train/region_loss is nan at forward {forward}")
    logged = {(name, step): value for name, step, value in result.points if not name.startswith("eval/")}
    assert max(step for _, step in logged) == forward
    assert math.isnan(logged["train/region_loss", forward])
    assert logged["logit_scale/log", forward] is not None and logged["bank/ptr", forward] is not None
    before = [step for name, step in logged if name == "train/region_loss"][:-1]
    assert (before and all(math.isfinite(logged["train/region_loss", step]) for step in before)) or forward == 0
    assert ("train/grad_norm", forward) not in logged  # it belongs to the window's last forward


@pytest.mark.parametrize("level", ["off", "loss"])
def test_it_ends_there_however_little_is_probed(level):
    result = execute(Task("a", TARGET, {**SMALL, "lr": 1e6, "probes": level}, seed=0))
    assert (result.state, result.error) == ("diverged", f"train/region_loss is nan at forward {WINDOW}")
    train = {name for name, _, _ in result.points if name.startswith("train/")}
    assert ("train/region_loss" in train) == (level == "loss")
