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
from ablate.targets.region_clip.boxes import valid
from ablate.targets.region_clip.data import training_scenes, windows
from ablate.targets.region_clip.evaluate import evaluate, held_out
from ablate.targets.region_clip.loop import _optimizer, _step
from ablate.targets.region_clip.model import RegionCLIP, contrastive_loss, normalise_pixels
from ablate.targets.region_clip.pretrain import load_pretrained, pretrain, pretrained_path
from ablate.targets.region_clip.scenes import make_scenes

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
    assert (seen["logits_i2t/max"].max() > 14.5) == (fix == "logit_scale")
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
    runs = [Run(0), Run(0), Run(1)]
    first, again, other = (train(SMALL, run) for run in runs)
    assert first == again != other
    assert runs[0].points == runs[1].points != runs[2].points


def test_arms_of_a_seed_see_the_same_images_in_the_same_order(off, each):
    assert np.array_equal(off["train/valid_boxes"], each["logit_scale"]["train/valid_boxes"])
    assert off["image_norm/mean"][0] == each["logit_scale"]["image_norm/mean"][0]
    assert off["eval/region_top1"][0] == each["bbox_filter"]["eval/region_top1"][0]


def test_everything_logged_is_declared(off, each):
    logged = set(off) | set(each["memory_bank"])
    assert logged == {name for name, metric in METRICS.items() if metric.step}
    final = set(train({**SMALL, "bank_warmup": 0}, Run(0)))
    assert final == {name for name, metric in METRICS.items() if metric.final}


def test_a_step_over_a_window_moves_by_the_mean_gradient_of_its_micro_batches_one_by_one():
    params = resolve({**SMALL, "bank_warmup": 2})
    scenes, cpu = training_scenes(32, 0, 0.2), torch.device("cpu")
    whole = RegionCLIP(load_pretrained(params), 2.6592)
    apart, before = copy.deepcopy(whole), copy.deepcopy(whole)
    window = next(windows(scenes, 4, 8, "none", 0.0, cpu))
    run = Run(0)
    _step(whole, torch.optim.SGD(whole.parameters(), lr=1.0), MemoryBank(16, 2, whole.dim), window, range(8), 0, 8, run)

    images, texts, losses = torch.zeros(0, whole.dim), torch.zeros(0, whole.dim), []
    for forward, batch in enumerate(windows(scenes, 4, 1, "none", 0.0, cpu)):
        region, text = apart.regions(batch.images, batch.boxes, batch.image), apart.texts(batch.expressions)
        scale = apart.region_logit_scale.exp()
        i2t, t2i = scale * region @ torch.cat([text, texts]).T, scale * text @ torch.cat([region, images]).T
        loss = contrastive_loss(i2t, t2i)
        (loss / 8).backward()
        losses.append(loss.item())
        if forward >= 2:
            images = torch.cat([images, region.detach()])[-16:]
            texts = torch.cat([texts, text.detach()])[-16:]

    assert [v for n, _, v in run.points if n == "train/region_loss"] == pytest.approx(losses, rel=1e-4)
    moved = 0
    for (name, now), then, theirs in zip(whole.named_parameters(), before.parameters(), apart.parameters(), strict=True):
        if theirs.grad is not None:
            assert torch.allclose(then - now, theirs.grad, atol=1e-5, rtol=1e-3), name
            moved += bool(theirs.grad.abs().max() > 0)
    assert moved > 50


def test_weight_decay_is_for_matrices_alone():
    model = RegionCLIP(load_pretrained(resolve(SMALL)), 2.6592)
    decayed, others = _optimizer(model, 0.1, 0.3).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert min(p.ndim for p in decayed["params"]) == 2
    assert any(p is model.region_logit_scale for p in others["params"])
    assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_dense_features_are_the_last_layers_value_path_without_attention():
    clip = load_pretrained(resolve(SMALL)).double()
    model, images = RegionCLIP(clip, 1.0).double(), torch.from_numpy(training_scenes(3, 5, 0.0).images)
    weights = dict(clip.vision_model.named_parameters())

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    states = clip.vision_model(pixel_values=normalise_pixels(images).double(), output_hidden_states=True).hidden_states
    h, last = states[-2], f"encoder.layers.{DEFAULTS['vision_layers'] - 1}"
    h = h + linear(linear(norm(h, f"{last}.layer_norm1"), f"{last}.self_attn.v_proj"), f"{last}.self_attn.out_proj")
    up = linear(norm(h, f"{last}.layer_norm2"), f"{last}.mlp.fc1")
    h = h + linear(up * torch.sigmoid(1.702 * up), f"{last}.mlp.fc2")
    h = norm(h, "post_layernorm") @ clip.visual_projection.weight.T
    expected = h[:, 1:].reshape(3, 8, 8, -1).permute(0, 3, 1, 2)
    model.clip.vision_model.embeddings.double()
    ours = model.dense_features(images)
    assert torch.allclose(ours, expected.to(ours.dtype), atol=1e-5)


def test_a_filter_that_drops_every_box_of_a_forward_does_not_stop_the_training():
    seen = probes(box_filter="valid", min_box_area=0.15)
    assert (seen["train/valid_boxes"] == 0).any()
    assert np.isfinite(seen["eval/region_top1"]).all()


def test_held_out_regions_are_valid_the_same_each_time_and_apart_from_all_training():
    data = held_out(32)
    held_out.cache_clear()
    assert torch.equal(data.images, held_out(32).images)
    assert data.groups.shape[1] == 32
    boxes = data.boxes.double()
    assert valid(data.boxes.numpy()).all()
    assert torch.equal(data.small, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) < 0.01)
    assert data.small.any()
    seen = [make_scenes(64, 0).images, make_scenes(64, 0, stream=pretraining.STREAM).images]
    held = {image.numpy().tobytes() for image in data.images}
    assert held.isdisjoint(image.tobytes() for images in seen for image in images)


def test_evaluation_equals_a_plain_loop():
    model, data = RegionCLIP(load_pretrained(resolve(SMALL)), 2.0), held_out(32)
    found = evaluate(model, 32)
    with torch.no_grad():
        regions, texts = model.regions(data.images, data.boxes, data.image), model.texts(data.texts)[data.text]
    right, losses = {True: [], False: []}, {}
    for group in data.groups.tolist():
        cosine = [[float(regions[i] @ texts[j]) for j in group] for i in group]
        for i, row in zip(group, cosine, strict=True):
            guess = group[max(range(32), key=row.__getitem__)]
            right[bool(data.small[i])].append(int(data.text[guess] == data.text[i]))
        for scale in torch.logspace(0, np.log10(200), 24).tolist():
            logits = scale * torch.tensor(cosine)
            target = torch.arange(32)
            both = [torch.nn.functional.cross_entropy(m, target).item() for m in (logits, logits.T)]
            losses.setdefault(scale, []).append(sum(both) / 2)
    assert found["eval/region_top1"] == pytest.approx(np.mean(right[True] + right[False]))
    assert found["eval/region_top1_small"] == pytest.approx(np.mean(right[True]))
    assert found["eval/region_top1_large"] == pytest.approx(np.mean(right[False]))
    assert found["eval/region_loss"] == pytest.approx(min(np.mean(each) for each in losses.values()) / np.log(32), rel=1e-4)


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
        ({"forwards": 0}, r"params\.forwards: 0 can't be used; give a whole number of at least 1"),
        ({"bank_warmup": 50.5}, r"params\.bank_warmup: 50\.5 can't be used; give a whole number of at least 0"),
        ({"lr": "fast"}, r"params\.lr: 'fast' can't be used; give a number of at least 0"),
        ({"logit_scale_exp": -1}, r"params\.logit_scale_exp: -1 can't be used; give a number above 0"),
        ({"box_filter": "all"}, r"params\.box_filter: 'all' can't be used; give none or valid"),
        ({"eval_images": 2}, r"params\.eval_images: 2 can't be used; give at least 16"),
    ],
)
def test_values_that_cannot_be_used_are_named_with_the_remedy(params, message):
    with pytest.raises(BadInput, match=message):
        resolve(params)
