"""Made scenes: repeatable, and as the diagnosis found its data."""

import numpy as np
import pytest

from ablate.targets.region_clip.boxes import keep, valid
from ablate.targets.region_clip.scenes import BOX_COUNTS, make_scenes


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(4000, seed=3, invalid_rate=0.067)


def test_the_same_seed_repeats_and_another_differs():
    first, again, other = make_scenes(20, 1), make_scenes(20, 1), make_scenes(20, 2)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.images, other.images)


def test_breaking_boxes_changes_nothing_but_those_boxes():
    clean, broken = make_scenes(200, 1), make_scenes(200, 1, invalid_rate=0.3)
    assert np.array_equal(clean.images, broken.images)
    assert clean.expressions == broken.expressions
    changed = (clean.boxes != broken.boxes).any(-1)
    annotated = keep(broken.boxes, broken.counts, "none", 0)
    assert np.array_equal(changed, annotated & ~valid(broken.boxes))


def test_forwards_of_four_images_hold_as_many_boxes_as_the_diagnosis_logged(scenes):
    per_forward = scenes.counts.reshape(-1, 4).sum(1)
    share = np.array([(per_forward == boxes).mean() for boxes in (4, 5, 6, 7)])
    reported = np.array([114, 11, 6, 3]) / 134
    assert np.all(np.abs(share - reported) < 4 * np.sqrt(reported * (1 - reported) / len(per_forward)))


def test_a_quarter_of_forwards_has_a_broken_box(scenes):
    annotated = keep(scenes.boxes, scenes.counts, "none", 0)
    broken = (annotated & ~valid(scenes.boxes)).any(1).reshape(-1, 4).any(1).mean()
    assert abs(broken - 34 / 134) < 4 * np.sqrt(0.19 / 1000)


def test_a_third_of_valid_boxes_is_below_one_percent(scenes):
    annotated = keep(scenes.boxes, scenes.counts, "valid", 0)
    small = ~keep(scenes.boxes, scenes.counts, "valid", 0.01)[annotated]
    assert small.mean() == pytest.approx(1 / 3, abs=0.04)


def test_hundreds_of_distinct_expressions(scenes):
    assert len({text for texts in scenes.expressions for text in texts}) > 800
    assert [len(texts) for texts in scenes.expressions] == scenes.counts.tolist()


def test_the_rule_of_the_diagnosis():
    boxes = [
        [0, 0, 1, 1],
        [0.1, 0.1, 0.2, 0.2],
        [0.1, 0.1, 0.19, 0.2],
        [0, 0, 0, 1],
        [0.5, 0, 1.01, 1],
        [np.nan, 0, 1, 1],
        [-0.1, 0, 1, 1],
    ]
    assert valid(np.array(boxes), 0.0099).tolist() == [True, True, False, False, False, False, False]


def test_probabilities_of_box_counts_add_up():
    assert sum(BOX_COUNTS) == pytest.approx(1, abs=1e-3)


def test_scenes_of_another_size_hold_the_same_objects():
    small, large = make_scenes(40, 1), make_scenes(40, 1, size=224)
    assert large.images.shape == (40, 3, 224, 224)
    assert small.expressions == large.expressions
    assert np.array_equal(small.boxes, large.boxes)
    shrunk = large.images.reshape(40, 3, 32, 7, 32, 7).mean((3, 5)), small.images.reshape(40, 3, 32, 2, 32, 2).mean((3, 5))
    assert np.corrcoef(shrunk[0].ravel(), shrunk[1].ravel())[0, 1] > 0.9
