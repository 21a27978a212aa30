"""RoI Align against a plain loop over samples, written from torchvision's `roi_align` (aligned, 1 x 1, sampling_ratio -1)."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.targets.region_clip.roi import roi_align


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


def plain_loop(plane, box):
    rows, columns = plane.shape
    x1, y1, x2, y2 = box[0] * columns - 0.5, box[1] * rows - 0.5, box[2] * columns - 0.5, box[3] * rows - 0.5
    down, across = max(0, math.ceil(y2 - y1)), max(0, math.ceil(x2 - x1))
    samples = [
        bilinear(plane, y1 + (i + 0.5) * (y2 - y1) / down, x1 + (j + 0.5) * (x2 - x1) / across)
        for i in range(down)
        for j in range(across)
    ]
    return sum(samples) / len(samples) if samples else 0.0


edge = st.floats(-2, 3, width=32)


@settings(deadline=None, max_examples=300)
@given(st.tuples(edge, edge, edge, edge), st.integers(0, 2**16))
def test_equals_a_plain_loop_for_boxes_inside_outside_tiny_huge_and_swapped(box, seed):
    plane = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed))
    ours = roi_align(plane[None, None], torch.tensor([box]), torch.tensor([0])).item()
    assert ours == pytest.approx(plain_loop(plane.double(), torch.tensor(box).double().tolist()), abs=1e-5)


def test_a_box_far_wider_than_the_map_takes_the_same_memory_and_equals_the_loop():
    plane = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    box = (-30.0, -20.0, 25.0, 22.0)
    ours = roi_align(plane[None, None], torch.tensor([box]), torch.tensor([0])).item()
    assert ours == pytest.approx(plain_loop(plane.double(), box), abs=1e-6)


@pytest.mark.parametrize(
    "box", [(0.5, 0.1, 0.5, 0.9), (0.1, 0.5, 0.9, 0.5), (0.8, 0.8, 0.2, 0.2), (1.3, 1.3, 1.6, 1.6), (-0.9, 0, -0.4, 1)]
)
def test_boxes_without_area_or_wholly_outside_pool_to_exact_zero_without_gradient(box):
    features = torch.rand(1, 3, 8, 8, requires_grad=True)
    pooled = roi_align(features, torch.tensor([box]), torch.tensor([0]))
    pooled.sum().backward()
    assert pooled.abs().max() == 0
    assert features.grad.abs().max() == 0


def test_gradient_is_that_of_the_weights():
    features = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    boxes, image = torch.tensor([[0.1, 0.2, 0.7, 0.6], [0.4, 0.4, 1.2, 0.9]]), torch.tensor([1, 0])
    assert torch.autograd.gradcheck(lambda f: roi_align(f, boxes, image), (features,), atol=1e-6)
