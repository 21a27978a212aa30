"""Held-out evaluation: the same valid regions for every arm, and its arithmetic that of a plain loop."""

import numpy as np
import pytest
import torch

from ablate.targets.region_clip import evaluate as evaluation
from ablate.targets.region_clip import start as starting
from ablate.targets.region_clip.boxes import valid
from ablate.targets.region_clip.evaluate import evaluate, held_out
from ablate.targets.region_clip.loop import make_model
from ablate.targets.region_clip.model import RegionCLIP
from ablate.targets.region_clip.scenes import make_scenes
from ablate.targets.region_clip.start import load_start
from tests.targets.small import CPU, settled

PARAMS = settled(eval_images=32, precision="fp32")


def test_held_out_regions_are_valid_the_same_each_time_and_apart_from_all_training():
    data = held_out(PARAMS)
    evaluation._held_out.cache_clear()
    assert torch.equal(data.images, held_out(PARAMS).images)
    assert data.groups.shape[1] == 32
    boxes = data.boxes.double()
    assert valid(data.boxes.numpy()).all()
    assert torch.equal(data.small, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) < 0.01)
    assert data.small.any()
    seen = [make_scenes(64, 0).images, make_scenes(64, 0, stream=starting.STREAM).images]
    held = {image.numpy().tobytes() for image in data.images}
    assert held.isdisjoint(image.tobytes() for images in seen for image in images)


def test_whatever_the_arm_filters_it_is_held_to_the_same_regions():
    arms = [{}, {"box_filter": "valid", "min_box_area": 0.03}, {"invalid_rate": 0.9}, {"bank_warmup": 0, "logit_scale_init": 4.6}]
    assert len({id(held_out({**PARAMS, **arm})) for arm in arms}) == 1


def test_evaluation_equals_a_plain_loop():
    model, data = make_model(PARAMS, CPU), held_out(PARAMS)
    found = evaluate(model, data)
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
    data = held_out(PARAMS)

    class Oracle(RegionCLIP):
        """Embeds each region and text by its expression alone, so that only identical ones are confused."""

        def texts(self, ids):
            return torch.nn.functional.one_hot(ids, 40).flatten(1).float()

        done = 0

        def encode(self, images, pooling, whole=True):
            mine = range(self.done, self.done + len(pooling.weights))
            self.done = mine.stop
            return self.texts(data.texts[data.text[list(mine)]]), None

    assert evaluate(Oracle(load_start(PARAMS), 1.0), data)["eval/region_top1"] == 1.0


def test_neither_the_spread_nor_the_scale_of_an_arm_changes_how_it_is_judged():
    clip, data = load_start(PARAMS), held_out(PARAMS)
    assert evaluate(RegionCLIP(clip, 2.0, 0.1), data) == evaluate(RegionCLIP(clip, 4.6, 1.0), data)
