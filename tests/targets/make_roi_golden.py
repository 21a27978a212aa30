"""Writes `roi_golden.json`: boxes, torchvision's pooled values and gradients. Run once; the tests only read the file.

In an environment of its own, as torchvision is none of the project's dependencies (made with Python 3.11):

    pip install torch==2.14.1 torchvision==0.29.1
    python tests/targets/make_roi_golden.py

The same versions write the same file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SEED = 20
BOXES = 8
#: Images, channels, rows, columns.
MAPS = ((2, 2, 8, 8), (1, 2, 14, 14), (2, 2, 5, 9))


def torchvision_roi(features: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
    """torchvision's `roi_align` called as FG-CLIP calls it: fractions times the map's size in float32, one value a box."""
    from torchvision.ops import roi_align

    rows, columns = features.shape[-2:]
    cells = boxes * torch.tensor([columns, rows, columns, rows], dtype=torch.float32)
    return roi_align(features, torch.cat([image[:, None].float(), cells], 1), (1, 1), 1.0, -1, True)[..., 0, 0]


def draw_boxes(rng: torch.Generator) -> dict[str, Tensor]:
    """Named groups of boxes, x1, y1, x2, y2 as fractions, [8, 4] each."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(BOXES, 2, generator=rng)

    def thirds_sevenths_and_eighths() -> Tensor:
        parts = torch.tensor([3, 3, 3, 7, 7, 8, 8, 8])[:, None]
        first = torch.randint(-3, 3, (BOXES, 2), generator=rng)
        return torch.cat([first / parts, (first + torch.randint(1, 8, (BOXES, 2), generator=rng)) / parts], 1)

    def moved(corner: Tensor, size: Tensor) -> Tensor:
        return torch.cat([corner, corner + size], 1)

    inside = torch.cat([uniform(0, 0.5), uniform(0.5, 1)], 1)
    outside_to = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]]).repeat(2, 1)
    outside = moved(uniform(0, 0.4) + 1.4 * outside_to, uniform(0.1, 0.3))
    outside[6] = torch.tensor([1.01, 0.2, 1.03, 0.7])  # within half a cell of the map, so it takes the cells at the edge
    outside[7] = torch.tensor([0.2, -0.03, 0.7, -0.01])
    degenerate = inside.clone()
    degenerate[:2, 2] = degenerate[:2, 0]  # no width
    degenerate[2:4, 3] = degenerate[2:4, 1]  # no height
    degenerate[4:6] = degenerate[4:6, [2, 3, 0, 1]]  # reversed
    degenerate[6, 3] = degenerate[6, 1] - 0.05  # reversed on one axis by less than a cell: torchvision fails for more
    degenerate[7] = torch.tensor([0, 0, 1e-9, 1])  # a width that rounds to none
    return {
        "random": inside,
        "tiny": moved(uniform(0, 0.98), uniform(0.0005, 0.02)),
        "huge": moved(uniform(-9, -1), uniform(5, 18)),
        "partly outside": moved(uniform(0, 0.4) + 0.7 * outside_to, uniform(0.5, 0.8)),
        "wholly outside": outside,
        "degenerate": degenerate,
        "whole lengths": thirds_sevenths_and_eighths(),
    }


def entry(name: str, features: Tensor, boxes: Tensor, rng: torch.Generator) -> dict[str, object]:
    """One group on one set of maps: what goes in, and what torchvision makes of it."""
    image = torch.randint(len(features), (BOXES,), generator=rng)
    weights = torch.randint(-8, 9, (BOXES, features.shape[1]), generator=rng) / 8
    features = features.clone().requires_grad_()
    pooled = torchvision_roi(features, boxes, image)
    (gradient,) = torch.autograd.grad((pooled * weights).sum(), features)
    given = {"boxes": exactly(boxes), "image": exactly(image), "weights": exactly(weights)}
    return {"group": name} | given | {"pooled": rounded(pooled), "gradient": rounded(gradient)}


def exactly(values: Tensor) -> list[Any]:
    """Nested lists of as many digits as a float32 needs."""
    return nested([float(f"{value:.9g}") for value in values.flatten().tolist()], values.shape)


def rounded(values: Tensor) -> list[Any]:
    """Nested lists, good to 5e-7."""
    return nested([round(value, 6) for value in values.flatten().tolist()], values.shape)


def nested(flat: list[float], shape: torch.Size) -> list[Any]:
    lists: list[Any] = [int(value) if value == int(value) else value for value in flat]
    for size in reversed(shape[1:]):
        lists = [lists[i : i + size] for i in range(0, len(lists), size)]
    return lists


def main() -> None:
    import torchvision

    rng = torch.Generator().manual_seed(SEED)
    versions = f"torch {torch.__version__} torchvision {torchvision.__version__} seed {SEED}"
    lines = [f'{{"made_with": "{versions}", "maps": [']
    for shape in MAPS:
        features = torch.randint(-16, 17, shape, generator=rng) / 8
        lines.append(f'{{"features": {json.dumps(exactly(features))}, "groups": [')
        groups = [json.dumps(entry(name, features, boxes, rng)) for name, boxes in draw_boxes(rng).items()]
        lines += [",\n".join(groups), "]},"]
    text = "\n".join(lines).removesuffix(",") + "\n]}\n"
    Path(__file__).with_name("roi_golden.json").write_text(text.replace(", ", ","), encoding="utf-8")


if __name__ == "__main__":
    main()
