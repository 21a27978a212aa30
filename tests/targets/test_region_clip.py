"""The region target as a whole: its defects are real, and its toggles touch their own symptom."""

import numpy as np
import pytest

from ablate.run import Run
from ablate.targets.region_clip import METRICS, train
from ablate.targets.region_clip.probes import TENSORS
from tests.targets.small import FIXES, SMALL, by_metric, probes, trained


@pytest.fixture(scope="module")
def off():
    return probes()


@pytest.fixture(scope="module")
def each():
    return {name: probes(**params) for name, params in FIXES.items()}


def test_all_off_shows_every_symptom(off):
    assert off["bank/ptr"].max() == off["bank/full"].max() == 0
    assert set(off["bank/size"]) == {128}
    assert (off["image_norm/zeros"] > 0).sum() >= 10
    assert off["image_norm/min"].min() == 0
    assert np.abs(off["logits_i2t/max"][:8]).max() <= 14.29


def test_in_bf16_the_logit_scale_is_exactly_what_the_diagnosis_printed(off):
    assert f"{off['logit_scale/log'][0]:.6f} (exp={off['logit_scale/exp'][0]:.4f})" == "2.656250 (exp=14.2428)"


def test_in_fp32_the_logit_scale_is_what_was_configured():
    seen = probes(precision="fp32", forwards=8)
    assert seen["logit_scale/log"][0] == pytest.approx(2.6592, abs=1e-6)


def test_a_forward_with_one_zero_vector_of_four_prints_the_diagnosis_norms(off):
    one_of_four = (off["image_norm/zeros"] == 1) & (off["train/valid_boxes"] == 4)
    assert one_of_four.any()
    names = ("min", "max", "mean", "std")
    rows = {tuple(f"{off[f'image_norm/{name}'][i]:.4f}" for name in names) for i in np.flatnonzero(one_of_four)}
    assert rows == {("0.0000", "1.0000", "0.7500", "0.5000")}


@pytest.mark.parametrize("fix", FIXES)
def test_each_fix_removes_its_own_symptom_and_no_other(fix, each):
    seen = each[fix]
    assert (seen["logit_scale/exp"][0] > 98) == (fix == "logit_scale")
    assert (seen["logits_i2t/max"][:8].max() > 3) == (fix == "logit_scale")
    assert (seen["image_norm/zeros"].max() == 0) == (fix == "bbox_filter")
    assert (seen["bank/ptr"].max() > 0) == (fix == "memory_bank")


def test_the_bank_starts_at_forward_50_in_the_seventh_optimizer_step(each):
    ptr, step = each["memory_bank"]["bank/ptr"], each["memory_bank"]["train/optimizer_step"]
    assert np.flatnonzero(ptr)[0] == 50
    assert step[50] == 6  # six steps are complete, so this is within the seventh


def test_chance_is_the_log_of_the_candidates_that_bank_and_batch_give(off, each):
    assert np.allclose(off["train/candidates"], off["train/valid_boxes"])
    grown = each["memory_bank"]["train/candidates"]
    assert grown[:51].max() <= 16
    assert grown[-1] == 128 + each["memory_bank"]["train/valid_boxes"][-1]
    assert np.allclose(off["train/chance_loss"], np.log(off["train/candidates"]))
    assert np.allclose(off["train/region_loss_over_chance"], off["train/region_loss"] / off["train/chance_loss"])


def test_the_same_seed_is_bit_identical_in_all_it_logs_and_another_differs():
    (first, one), (again, two), (other, three) = trained(), trained(), trained(seed=1)
    assert first == again != other
    assert one.points == two.points != three.points


def test_arms_of_a_seed_see_the_same_images_in_the_same_order(off, each):
    assert np.array_equal(off["train/valid_boxes"], each["logit_scale"]["train/valid_boxes"])
    assert off["image_norm/mean"][0] == each["logit_scale"]["image_norm/mean"][0]
    assert off["train/global_loss"][0] == each["logit_scale"]["train/global_loss"][0]
    assert off["eval/region_top1"][0] == each["bbox_filter"]["eval/region_top1"][0]


def test_everything_logged_is_declared(off, each):
    logged = set(off) | set(each["memory_bank"])
    assert logged == {name for name, metric in METRICS.items() if metric.step}
    final = set(train({**SMALL, "bank_warmup": 0}, Run(0)))
    assert final == {name for name, metric in METRICS.items() if metric.final}


def test_fewer_probes_log_less_and_change_nothing():
    (every, full), (some, less), (none, silent) = (trained(forwards=16, probes=level) for level in ("all", "loss", "off"))
    assert every == some == none
    seen = by_metric(less)
    assert not set(seen) & set(TENSORS[1:])
    assert np.array_equal(seen["train/region_loss"], by_metric(full)["train/region_loss"])
    assert np.array_equal(seen["train/grad_norm"], by_metric(full)["train/grad_norm"])
    assert set(by_metric(silent)) == {name for name in by_metric(full) if name.startswith("eval/")}


def test_a_filter_that_drops_every_box_of_a_forward_does_not_stop_the_training():
    seen = probes(box_filter="valid", min_box_area=0.15)
    assert (seen["train/valid_boxes"] == 0).any()
    assert np.isfinite(seen["eval/region_top1"]).all()


def test_data_quality_counts_what_the_training_was_given():
    final, run = trained(forwards=200, invalid_rate=0.2)
    seen = by_metric(run)
    assert np.allclose(seen["logits_i2t/range"], seen["logits_i2t/max"] - seen["logits_i2t/min"])
    assert final["data/boxes"] == seen["train/valid_boxes"].sum()
    assert final["data/invalid_share"] == pytest.approx(seen["image_norm/zeros"].sum() / final["data/boxes"])
    assert final["data/invalid_share"] == pytest.approx(0.2, abs=0.06)
    assert 0.2 < final["data/small_share"] < 0.5
    filtered = trained(forwards=200, invalid_rate=0.2, box_filter="valid")[0]
    assert filtered["data/invalid_share"] == final["data/invalid_share"]
