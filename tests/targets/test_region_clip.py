"""The region target: its defects are real, its toggles touch their own symptom, its arithmetic is that of plain training."""

import copy

import numpy as np
import pytest
import torch

from ablate.errors import BadInput
from ablate.run import Run
from ablate.targets.region_clip import DEFAULTS, METRICS, prepare, resolve, train
from ablate.targets.region_clip import pretrain as pretraining
from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import training_scenes, windows
from ablate.targets.region_clip.evaluate import evaluate, held_out
from ablate.targets.region_clip.loop import _forward
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss
from ablate.targets.region_clip.pretrain import load_pretrained, pretrain, pretrained_path

SMALL = {"forwards": 96, "pretrain_steps": 4, "pretrain_batch": 8, "eval_images": 16, "bank_warmup": 96}
FIXES = {
    "logit_scale": {"logit_scale_init": 4.6052},
    "bbox_filter": {"box_filter": "valid", "min_box_area": 0.01},
    "memory_bank": {"bank_warmup": 50},
}


def probes(**changes):
    run = Run(seed=0)
    train({**SMALL, **changes}, run)
    names = {name for name, _, _ in run.points}
    return {name: np.array([value for n, _, value in run.points if n == name]) for name in names}


@pytest.fixture(scope="module")
def off():
    return probes()


@pytest.fixture(scope="module")
def each():
    return {name: probes(**params) for name, params in FIXES.items()}


def test_all_off_shows_every_symptom(off):
    assert off["bank/ptr"].max() == 0
    assert (off["image_norm/zeros"] > 0).sum() >= 10
    assert off["image_norm/min"].min() == 0
    assert off["logit_scale/exp"][0] == pytest.approx(14.285, abs=0.01)
    assert np.abs(off["logits_i2t/max"][:8]).max() <= 14.29


@pytest.mark.parametrize("fix", FIXES)
def test_each_fix_removes_its_own_symptom_and_no_other(fix, each):
    seen = each[fix]
    assert (seen["logit_scale/exp"][0] > 99) == (fix == "logit_scale")
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


def test_the_same_seed_is_bit_identical_and_another_differs(off):
    again, other = Run(0), Run(1)
    train(SMALL, again)
    train(SMALL, other)
    values = [v for n, _, v in again.points if n == "train/region_loss"]
    assert values == off["train/region_loss"].tolist()
    assert [v for n, _, v in other.points if n == "train/region_loss"] != values


def test_arms_of_a_seed_see_the_same_images_in_the_same_order(off, each):
    assert np.array_equal(off["train/valid_boxes"], each["logit_scale"]["train/valid_boxes"])
    assert off["image_norm/mean"][0] == each["logit_scale"]["image_norm/mean"][0]
    assert off["eval/region_top1"][0] == each["bbox_filter"]["eval/region_top1"][0]


def test_everything_logged_is_declared(off, each):
    logged = set(off) | set(each["memory_bank"])
    assert logged == {name for name, metric in METRICS.items() if metric.step}
    final = set(train({**SMALL, "bank_warmup": 0}, Run(0)))
    assert final == {name for name, metric in METRICS.items() if metric.final}


def test_a_window_at_once_has_the_gradient_of_its_micro_batches_one_by_one():
    params = resolve({**SMALL, "bank_warmup": 2})
    scenes = training_scenes(32, 0, 0.2)
    cpu = torch.device("cpu")
    window = next(windows(scenes, 4, 8, "none", 0.0, cpu))
    whole = RegionCLIP(load_pretrained(params), 2.6592)
    apart = copy.deepcopy(whole)

    bank = MemoryBank(16, 2, whole.dim)
    regions = whole.regions(window.images, window.boxes, window.image).split(window.sizes)
    texts = whole.texts(window.expressions).split(window.sizes)
    losses = [_forward(whole, bank, i, r, t)[0] for i, (r, t) in enumerate(zip(regions, texts, strict=True))]
    (torch.stack(losses).sum() / 8).backward()

    held_images, held_texts = [], []
    for i, batch in enumerate(windows(scenes, 4, 1, "none", 0.0, cpu)):
        region, text = apart.regions(batch.images, batch.boxes, batch.image), apart.texts(batch.expressions)
        scale = apart.region_logit_scale.exp()
        loss = contrastive_loss(
            scale * region @ torch.cat([text, *held_texts]).T,
            scale * text @ torch.cat([region, *held_images]).T,
        )
        (loss / 8).backward()
        assert loss.item() == pytest.approx(losses[i].item(), rel=1e-4)
        if i >= 2:
            held_images = [torch.cat([*held_images, region.detach()])[-16:]]
            held_texts = [torch.cat([*held_texts, text.detach()])[-16:]]

    for (name, ours), theirs in zip(whole.named_parameters(), apart.parameters(), strict=True):
        if ours.grad is not None:
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-5, rtol=1e-3), name


def test_a_filter_that_drops_every_box_of_a_forward_does_not_stop_the_training():
    seen = probes(box_filter="valid", min_box_area=0.15)
    assert (seen["train/valid_boxes"] == 0).any()
    assert np.isfinite(seen["eval/region_top1"]).all()


def test_held_out_regions_are_valid_and_the_same_each_time():
    data = held_out(32)
    held_out.cache_clear()
    again = held_out(32)
    assert torch.equal(data.images, again.images)
    assert data.groups.shape[1] == 32
    assert ((data.boxes >= 0) & (data.boxes <= 1)).all()
    assert 0 < data.small.float().mean() < 1


def test_identical_expressions_count_as_right():
    class Oracle(RegionCLIP):
        """Embeds each region and text by its expression alone, so that only identical ones are confused."""

        def texts(self, ids):
            return torch.nn.functional.one_hot(ids, 40).flatten(1).float()

        def regions(self, images, boxes, image):
            data = held_out(32)
            mine = [int((data.boxes == box).all(1).nonzero()[0]) for box in boxes]
            return self.texts(data.texts[data.text[mine]])

    assert evaluate(Oracle(load_pretrained(resolve(SMALL)), 1.0), 32)["eval/region_top1"] == 1.0


def test_pretraining_is_deterministic_and_leaves_the_callers_random_state_alone():
    params = resolve({**SMALL, "pretrain_steps": 2})
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = pretrain(params), pretrain(params)
    assert torch.equal(torch.rand(1), expected)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_pretraining_is_done_once_and_kept_by_what_made_it():
    params = resolve({**SMALL, "pretrain_steps": 1})
    prepare(params)
    made = (pretrained_path(params) / "config.json").stat().st_mtime_ns
    prepare({**SMALL, "pretrain_steps": 1, "lr": 0.5})
    assert (pretrained_path(params) / "config.json").stat().st_mtime_ns == made
    assert pretrained_path({**params, "pretrain_steps": 2}) != pretrained_path(params)
    assert set(pretraining.KEYS) <= set(DEFAULTS)


def test_the_multiplier_and_its_log_are_one_param():
    assert resolve({"logit_scale_exp": 100})["logit_scale_init"] == 4.6052
    assert resolve({"logit_scale_exp": 14.285}) == resolve({"logit_scale_init": 2.6592})
    assert resolve({"min_box_area": 0.5}) == resolve({})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"forwards": 0}, r"params\.forwards: 0 can't be used; give a whole number above 0"),
        ({"lr": "fast"}, r"params\.lr: 'fast' can't be used; give a number of at least 0"),
        ({"logit_scale_exp": -1}, r"params\.logit_scale_exp: -1 can't be used; give a number above 0"),
        ({"box_filter": "all"}, r"params\.box_filter: 'all' can't be used; give none or valid"),
        ({"eval_images": 2}, r"params\.eval_images: 2 can't be used; give at least 16"),
    ],
)
def test_values_that_cannot_be_used_are_named_with_the_remedy(params, message):
    with pytest.raises(BadInput, match=message):
        resolve(params)
