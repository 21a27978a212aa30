"""RoI Align against torchvision's (golden values kept beside this file, and live where it is installed) and a plain loop."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.targets.region_clip.roi import roi_align
from tests.targets.make_roi_golden import torchvision_roi

GOLDEN = [
    (torch.tensor(maps["features"], dtype=torch.float32), group)
    for maps in json.loads(Path(__file__).with_name("roi_golden.json").read_text(encoding="utf-8"))["maps"]
    for group in maps["groups"]
]
CASES = pytest.mark.parametrize(
    ("features", "case"), GOLDEN, ids=[f"{case['group']} on {f.shape[2]}x{f.shape[3]}".replace(" ", "-") for f, case in GOLDEN]
)


def pooled_and_gradient(align, features, boxes, image, weights):
    features = features.clone().requires_grad_()
    pooled = align(features, boxes, image)
    return pooled.detach(), *torch.autograd.grad((pooled * weights).sum(), features)


def arguments(features, case):
    boxes, weights = (torch.tensor(case[name], dtype=torch.float32) for name in ("boxes", "weights"))
    return features, boxes, torch.tensor(case["image"]), weights


@CASES
def test_equals_torchvisions_golden_values_and_gradients(features, case):
    pooled, gradient = pooled_and_gradient(roi_align, *arguments(features, case))
    expected = torch.tensor(case["pooled"], dtype=torch.float32)
    assert (pooled - expected).abs().max() < 1e-5
    assert (gradient - torch.tensor(case["gradient"], dtype=torch.float32)).abs().max() < 1e-5
    if case["group"] in ("wholly outside", "degenerate"):
        assert torch.equal(pooled == 0, expected == 0)
        assert (expected == 0).all(1).sum() >= 6


def scene(seed, images, boxes, rows=8, columns=8):
    rng = torch.Generator().manual_seed(seed)
    corners = torch.rand(boxes, 2, 2, generator=rng).sort(1).values.flatten(1)
    features = torch.randn(images, 3, rows, columns, generator=rng)
    weights = torch.randn(boxes, 3, generator=rng)
    return features, corners, torch.randint(images, (boxes,), generator=rng), weights


edge = st.one_of(
    st.floats(-2, 3, width=32),
    st.floats(-10, 10, width=32),
    st.builds(lambda parts, k: float(np.float32(k / parts)), st.sampled_from([3, 5, 6, 7, 8, 9, 14, 24]), st.integers(-24, 48)),
)


@st.composite
def box_lists(draw):
    """Boxes of any size and place. Both axes or neither are reversed: torchvision fails for one reversed by over a cell."""
    boxes = []
    for x1, y1, x2, y2 in draw(st.lists(st.tuples(edge, edge, edge, edge), min_size=1, max_size=6)):
        box = [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]
        boxes.append(box[2:] + box[:2] if draw(st.integers(0, 7)) == 0 else box)
    return torch.tensor(boxes)


@settings(deadline=None, max_examples=300)
@given(box_lists(), st.sampled_from([(8, 8), (14, 14), (5, 9), (1, 7)]), st.integers(0, 2**16))
def test_equals_torchvision_live(boxes, size, seed):
    pytest.importorskip("torchvision.ops")
    features, _, image, weights = scene(seed, 2, len(boxes), *size)
    ours = pooled_and_gradient(roi_align, features, boxes, image, weights)
    theirs = pooled_and_gradient(torchvision_roi, features, boxes, image, weights)
    assert (ours[0] - theirs[0]).abs().max() < 1e-5
    assert (ours[1] - theirs[1]).abs().max() < 1e-5
    assert torch.equal((ours[0] == 0).all(1), (theirs[0] == 0).all(1))


def bilinear(plane, y, x):
    rows, columns = plane.shape
    if y < -1 or y > rows or x < -1 or x > columns:
        return 0.0
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(int(y), rows - 1), min(int(x), columns - 1)
    bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    dy = 0.0 if top == rows - 1 else y - top
    dx = 0.0 if left == columns - 1 else x - left
    upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
    lower = plane[bottom, left] * (1 - dx) + plane[bottom, right] * dx
    return float(upper * (1 - dy) + lower * dy)


def positions(low, high, size):
    """One axis' samples, by torchvision's float32 arithmetic."""
    start, end = np.float32(low) * np.float32(size) - np.float32(0.5), np.float32(high) * np.float32(size) - np.float32(0.5)
    count = max(0, math.ceil(end - start))
    return [start + np.float32(i + 0.5) * (end - start) / np.float32(count) for i in range(count)]


def plain_loop(plane, box):
    rows, columns = plane.shape
    down, across = positions(box[1], box[3], rows), positions(box[0], box[2], columns)
    samples = [bilinear(plane, float(y), float(x)) for y in down for x in across]
    return sum(samples) / len(samples) if samples else 0.0


@settings(deadline=None, max_examples=300)
@given(st.tuples(edge, edge, edge, edge), st.integers(0, 2**16))
def test_equals_a_plain_loop_for_boxes_inside_outside_tiny_huge_and_swapped(box, seed):
    plane = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed))
    ours = roi_align(plane[None, None], torch.tensor([box]), torch.tensor([0])).item()
    assert ours == pytest.approx(plain_loop(plane.double(), box), abs=1e-5)


def test_a_box_far_wider_than_the_map_takes_the_same_memory_and_equals_the_loop():
    plane = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    box = (-30.0, -20.0, 25.0, 22.0)
    ours = roi_align(plane[None, None], torch.tensor([box]), torch.tensor([0])).item()
    assert ours == pytest.approx(plain_loop(plane.double(), box), abs=1e-6)


def test_a_length_that_is_whole_in_float32_takes_no_sample_more():
    features, box = torch.arange(8.0).expand(1, 1, 8, 8), (-2 / 3, 0.0, 1 / 3, 1.0)
    assert len(positions(box[0], box[2], 8)) == 8
    assert math.ceil(8 * (float(np.float32(1 / 3)) - float(np.float32(-2 / 3)))) == 9
    assert roi_align(features, torch.tensor([box]), torch.tensor([0])).item() == pytest.approx(plain_loop(features[0, 0], box))


@pytest.mark.parametrize(
    "box",
    [
        (0.5, 0.1, 0.5, 0.9),
        (0.1, 0.5, 0.9, 0.5),
        (0.0, 0.0, 1e-9, 1.0),
        (0.8, 0.8, 0.2, 0.2),
        (0.8, 0.2, 0.2, 0.8),
        (0.2, 0.8, 0.8, 0.2),
        (1.3, 1.3, 1.6, 1.6),
        (-0.9, 0, -0.4, 1),
        (1.0626, 0, 1.0627, 1),
        (0, -3, 1, -2),
    ],
)
def test_boxes_without_length_reversed_or_wholly_outside_pool_to_exact_zero_without_gradient(box):
    features = torch.rand(1, 3, 8, 8, requires_grad=True)
    pooled = roi_align(features, torch.tensor([box]), torch.tensor([0]))
    pooled.sum().backward()
    assert pooled.abs().max() == 0
    assert features.grad.abs().max() == 0


def test_a_box_outside_by_less_than_half_a_cell_takes_the_cells_at_the_edge():
    features = torch.arange(8.0).expand(1, 1, 8, 8)
    assert roi_align(features, torch.tensor([(1.06, 0.0, 1.0605, 1.0)]), torch.tensor([0])).item() == pytest.approx(7)


def test_a_batch_equals_one_box_at_a_time():
    features, boxes, image, weights = scene(1, 4, 35)
    pooled, gradient = pooled_and_gradient(roi_align, features, boxes, image, weights)
    parts = [pooled_and_gradient(roi_align, features, *(t[i : i + 1] for t in (boxes, image, weights))) for i in range(35)]
    assert torch.allclose(pooled, torch.cat([part[0] for part in parts]), atol=1e-6)
    assert torch.allclose(gradient, torch.stack([part[1] for part in parts]).sum(0), atol=1e-5)


def test_boxes_in_another_order_pool_to_the_same_in_that_order():
    features, boxes, image, weights = scene(2, 4, 35)
    order = torch.randperm(35, generator=torch.Generator().manual_seed(0))
    pooled, gradient = pooled_and_gradient(roi_align, features, boxes, image, weights)
    permuted, same = pooled_and_gradient(roi_align, features, boxes[order], image[order], weights[order])
    assert torch.allclose(permuted, pooled[order], atol=1e-6)
    assert torch.allclose(same, gradient, atol=1e-5)


def test_no_boxes_give_no_rows_and_no_gradient():
    features, boxes, image, weights = scene(3, 2, 0)
    pooled, gradient = pooled_and_gradient(roi_align, features, boxes, image, weights)
    assert pooled.shape == (0, 3)
    assert gradient.abs().max() == 0


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_calls_are_bit_identical_forward_and_backward_however_many_threads_share_a_map():
    rng = torch.Generator().manual_seed(0)
    features, (boxes, image, _) = torch.randn(2, 256, 8, 8, generator=rng), scene(4, 2, 200)[1:]
    weights = torch.randn(200, 256, generator=rng)
    first = pooled_and_gradient(roi_align, features, boxes, image, weights)
    for _ in range(10):
        again = pooled_and_gradient(roi_align, features, boxes, image, weights)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_gradient_is_that_of_the_weights():
    features = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    boxes, image = torch.tensor([[0.1, 0.2, 0.7, 0.6], [0.4, 0.4, 1.2, 0.9]]), torch.tensor([1, 0])
    assert torch.autograd.gradcheck(lambda f: roi_align(f, boxes, image), (features,), atol=1e-6)
