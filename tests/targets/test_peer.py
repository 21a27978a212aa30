"""The region training against the baseline, whose towers' forward pass, loop and optimizer are transformers' or its own.

RoI Align, memory bank, box filter, contrastive loss, data and start are the same code in both; `test_roi`, `test_bank`,
`test_losses` and `test_scenes` have oracles for those.
"""

import math

import pytest

from ablate.targets.region_clip.data import training_set
from benchmarks.baseline.training import train_trial
from tests.targets.small import by_metric, settled, trained

ARMS = {
    "all off": {},
    "all on": {"logit_scale_init": 4.6052, "box_filter": "valid", "min_box_area": 0.01, "bank_warmup": 4},
}


@pytest.mark.parametrize("arm", ARMS)
def test_a_plain_trainer_loses_the_same_in_each_forward(arm, tmp_path):
    changes = {"forwards": 16, "precision": "fp32", "invalid_rate": 0.2, "eval_every": 8, "bank_size": 16, **ARMS[arm]}
    final, run = trained(seed=3, **changes)
    params = settled(**changes)
    peer = train_trial(params, training_set(params, 3), 3, tmp_path)

    seen = by_metric(run)
    assert len(peer.losses.whole) == 16
    assert [loss for loss in peer.losses.region if not math.isnan(loss)] == pytest.approx(seen["train/region_loss"], rel=1e-4)
    assert peer.losses.whole == pytest.approx(seen["train/global_loss"], rel=1e-4)
    evaluated = [logged["eval/region_loss"] for logged in peer.state.log_history if "eval/region_loss" in logged]
    assert evaluated == pytest.approx(seen["eval/region_loss"][1:], rel=1e-4)  # ours evaluates the start too
    assert peer.final["eval/region_loss"] == pytest.approx(final["eval/region_loss"], rel=1e-4)
    if arm == "all on":
        assert seen["train/candidates"].max() > seen["train/valid_boxes"].max()  # the bank took part
