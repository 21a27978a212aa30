"""The arithmetic of a step: accumulation, the two losses and their weights, the bank's options, frozen towers, master weights."""

import copy

import pytest
import torch
from torch.nn import functional

from ablate.run import Run
from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.data import training_set, windows
from ablate.targets.region_clip.loop import make_bank, make_model
from ablate.targets.region_clip.model import contrastive_loss
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.trainer import Trainer
from tests.targets.small import CPU, by_metric, probes, settled

#: Patches along a side of the small model's images.
SIDE = 8


class Descent:
    """Plain gradient descent of rate 1, so that a step is the gradient."""

    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def step(self):
        for weight in self.model.parameters():
            if weight.grad is not None:
                weight -= weight.grad
        return torch.zeros(())


def trainer(params, model, run=None):
    bank = make_bank(params, model.dim, CPU)
    return Trainer(params, model, Descent(model), bank, Probes(run or Run(0), "all"))


def window_of(params, accumulation=8):
    return windows(training_set(params, 0), params["batch_size"], accumulation, "none", 0.0, SIDE, CPU)


def spelt(texts):
    """Token ids of each text, repeated ones too."""
    return texts.ids[texts.place.cpu()]


def test_a_step_over_a_window_moves_by_the_mean_gradient_of_its_micro_batches_one_by_one():
    params = settled(precision="fp32", bank_warmup=2, bank_size=16, invalid_rate=0.2, forwards=8)
    whole, run = make_model(params, CPU), Run(0)
    apart, before = copy.deepcopy(whole), copy.deepcopy(whole)
    trainer(params, whole, run).step(next(window_of(params)), range(8), 0)

    images, texts, losses, globals_ = torch.zeros(0, whole.dim), torch.zeros(0, whole.dim), [], []
    for forward, batch in enumerate(window_of(params, 1)):
        region, text = apart.regions(batch.images, batch.boxes, batch.image), apart.texts(spelt(batch.expressions))
        scale = apart.spread * apart.region_logit_scale.exp()
        loss = contrastive_loss(scale * region @ torch.cat([text, texts]).T, scale * text @ torch.cat([region, images]).T)
        features = apart.clip.vision_model(pixel_values=apart.pixel_values(batch.images)).pooler_output
        image = functional.normalize(apart.clip.visual_projection(features), dim=-1)
        logits = apart.clip.logit_scale.exp() * image @ apart.texts(spelt(batch.captions)).T
        both = contrastive_loss(logits, logits.T)
        ((0.1 * loss + both) / 8).backward()
        losses.append(loss.item())
        globals_.append(both.item())
        if forward >= 2:
            images = torch.cat([images, region.detach()])[-16:]
            texts = torch.cat([texts, text.detach()])[-16:]

    seen = by_metric(run)
    assert seen["train/region_loss"] == pytest.approx(losses, rel=1e-4)
    assert seen["train/global_loss"] == pytest.approx(globals_, rel=1e-3, abs=1e-5)
    moved = 0
    for (name, now), then, theirs in zip(whole.named_parameters(), before.parameters(), apart.parameters(), strict=True):
        if theirs.grad is not None:
            assert torch.allclose(then - now, theirs.grad, atol=2e-5, rtol=1e-3), name
            moved += bool(theirs.grad.abs().max() > 0)
    assert moved > 50


def test_image_features_equal_clips_own():
    params = settled(precision="fp32")
    model, window = make_model(params, CPU), next(window_of(params))
    _, ours = model.encode(window.images, window.pooling)
    features = model.clip.vision_model(pixel_values=model.pixel_values(window.images)).pooler_output
    expected = functional.normalize(model.clip.visual_projection(features), dim=-1)
    assert torch.allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("end", [30, 2])
def test_text_features_equal_clips_own_though_what_follows_the_end_is_left_out(end):
    params = settled(precision="fp32")
    model, window = make_model(params, CPU), next(window_of(params))
    ids = window.expressions.ids
    model.clip.text_model.eos_token_id = end  # 2: as models were saved before transformers 4.31; then the highest id counts
    assert (ids == 30).any(1).all() and ids.max() == 30
    features = model.clip.text_projection(model.clip.text_model(input_ids=ids).pooler_output)
    assert torch.allclose(model.texts(ids), functional.normalize(features, dim=-1), atol=1e-6)
    padded = functional.pad(ids, (0, 13 - ids.shape[1]))
    assert torch.equal(model.texts(padded), model.texts(ids))


@pytest.mark.parametrize(("key", "silent"), [("global_weight", "train/global_loss"), ("region_weight", None)])
def test_a_loss_of_weight_0_teaches_nothing(key, silent):
    params = settled(precision="fp32", forwards=8, **{key: 0.0})
    model = make_model(params, CPU)
    loss = trainer(params, model).loss(next(window_of(params)), range(8), 0)
    loss.backward()
    learns = {"global_weight": model.region_logit_scale, "region_weight": model.clip.logit_scale}[key]
    idle = {"global_weight": model.clip.logit_scale, "region_weight": model.region_logit_scale}[key]
    assert learns.grad.abs() > 0
    assert idle.grad is None or idle.grad == 0
    if silent:
        assert silent not in probes(forwards=8, **{key: 0.0})


def test_the_weights_scale_the_gradient():
    grads = []
    for weight in (1.0, 0.1):
        params = settled(precision="fp32", forwards=8, global_weight=0.0, region_weight=weight)
        model = make_model(params, CPU)
        trainer(params, model).loss(next(window_of(params)), range(8), 0).backward()
        grads.append(model.region_logit_scale.grad.item())
    assert grads[1] == pytest.approx(0.1 * grads[0], rel=1e-4)


@pytest.mark.parametrize(("frozen", "moving"), [("train_vision", "text"), ("train_text", "vision")])
def test_a_frozen_tower_stays_and_the_other_learns(frozen, moving):
    params = settled(forwards=8, **{frozen: False})
    model = make_model(params, CPU)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    optimizer = Optimizer(model, 0.1, 0.0)
    bank = make_bank(params, model.dim, CPU)
    Trainer(params, model, optimizer, bank, Probes(Run(0), "off")).step(next(window_of(params)), range(8), 0)
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert any(moving in name for name in moved)
    assert not any(frozen.removeprefix("train_") in name.replace("visual", "vision") for name in moved)


def test_both_towers_may_be_frozen_and_the_scales_still_learn():
    seen = probes(forwards=16, train_vision=False, train_text=False, precision="fp32", lr=0.01)
    assert seen["logit_scale/log"][-1] != seen["logit_scale/log"][0]


def test_bf16_weights_keep_float32_masters_so_that_small_steps_add_up():
    params = settled()
    model = make_model(params, CPU)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    optimizer, weight = Optimizer(model, 1e-4, 0.0), model.region_logit_scale
    for _ in range(200):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert weight.item() == pytest.approx(2.65625 - 200 * 1e-4, abs=0.008)  # half of bf16's distance between neighbours there
    plain = torch.tensor(2.65625, dtype=torch.bfloat16)
    for _ in range(200):
        plain -= 1e-4
    assert plain.item() == 2.65625  # without masters nothing is learnt


def test_float32_weights_are_updated_in_place_by_plain_adamw():
    params = settled(precision="fp32")
    model, other = make_model(params, CPU), make_model(params, CPU)
    ours, theirs = Optimizer(model, 1e-3, 0.0), torch.optim.AdamW(other.parameters(), lr=1e-3, weight_decay=0.0)
    for weight, twin in zip(model.parameters(), other.parameters(), strict=True):
        weight.grad, twin.grad = torch.full_like(weight, 0.5), torch.full_like(twin, 0.5)
    norm = ours.step()
    theirs.step()
    assert norm == pytest.approx(0.5 * sum(weight.numel() for weight in model.parameters()) ** 0.5, rel=1e-4)
    assert all(torch.equal(weight, twin) for weight, twin in zip(model.parameters(), other.parameters(), strict=True))
    assert all(weight.grad is None for weight in model.parameters())


def test_weight_decay_is_for_matrices_alone():
    params = settled()
    optimizer = Optimizer(make_model(params, CPU), 0.1, 0.3)
    matrices, others = optimizer.flats
    assert (matrices.decay, others.decay) == (0.3, 0.0)
    assert min(weight.ndim for weight in matrices.weights) == 2
    assert max(weight.ndim for weight in others.weights) <= 1
    assert len(matrices.weights) + len(others.weights) == len(list(make_model(params, CPU).parameters()))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_without_a_gradient_stay_as_they_are_as_torchs_adamw_leaves_them(precision):
    params = settled(precision=precision)
    model, other = make_model(params, CPU), make_model(params, CPU)
    masters = [weight.detach().float().requires_grad_() for weight in other.parameters()]
    groups = [[m for m in masters if m.ndim > 1], [m for m in masters if m.ndim <= 1]]
    theirs = torch.optim.AdamW([{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0.0}], lr=1e-2)
    ours, rng = Optimizer(model, 1e-2, 0.1), torch.Generator().manual_seed(0)
    for step in range(4):
        theirs.zero_grad()
        for i, (weight, master) in enumerate(zip(model.parameters(), masters, strict=True)):
            if (i + step) % 3 and i % 5:  # some never have one, some now and then
                weight.grad = torch.randn(weight.shape, generator=rng).to(weight.dtype)
                master.grad = weight.grad.float()
        ours.step()
        theirs.step()
    for weight, master in zip(model.parameters(), masters, strict=True):
        assert torch.allclose(weight.float(), master.to(weight.dtype).float(), rtol=1e-2 if precision == "bf16" else 1e-6)
    assert torch.equal(model.region_logit_scale, other.region_logit_scale)  # the first
    assert len(ours.flats) > 4


def test_a_bank_that_takes_pairs_before_the_loss_holds_the_batch_against_itself():
    after, before = (probes(forwards=16, bank_warmup=0, bank_enqueue=when) for when in ("after", "before"))
    boxes = after["train/valid_boxes"]
    assert after["train/candidates"][:3].tolist() == [boxes[0], boxes[:1].sum() + boxes[1], boxes[:2].sum() + boxes[2]]
    assert before["train/candidates"][0] == 2 * boxes[0]
    assert before["train/region_loss"][0] > after["train/region_loss"][0]


def test_a_bank_may_skip_zero_vectors_and_keep_one_side():
    kept, skipped = (probes(bank_warmup=0, forwards=24, invalid_rate=0.3, bank_zeros=how) for how in ("enqueue", "skip"))
    assert kept["bank/ptr"][-1] == kept["train/valid_boxes"].sum()
    assert skipped["bank/ptr"][-1] == (skipped["train/valid_boxes"] - skipped["image_norm/zeros"]).sum()
    image = probes(bank_warmup=0, forwards=24, bank_side="image")
    assert np_equal(image["train/candidates"], image["train/valid_boxes"])
    assert image["bank/ptr"][-1] > 0


def np_equal(a, b):
    return a.tolist() == b.tolist()


def test_a_bank_of_one_side_serves_that_side_alone():
    bank = MemoryBank(4, 0, 1, side="text")
    bank.enqueue(0, torch.ones(2, 1), torch.ones(2, 1))
    images, texts = bank.negatives(1)
    assert (len(images), len(texts)) == (0, 2)
