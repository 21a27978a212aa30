"""What is trained: the small CLIP, ViT-B/16 or a tiny one, some windows of made scenes, and the arms of the three fixes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel

from ablate.targets.region_clip.data import Window, training_set, windows
from ablate.targets.region_clip.settings import SMALL, SMALL_IMAGE, resolve

#: Windows that a program is verified on, and that its time is taken over again and again.
WINDOWS = 8
ACCUMULATION = 8
#: Optimizer steps of a run of studies/three_fixes.yaml: 400 forwards in windows of 8.
STEPS_A_RUN = 50
#: Patches along a side of ViT-B/16's images.
VIT_SIDE = 14

Params = Mapping[str, Any]
SHARED: Params = {
    "forwards": WINDOWS * ACCUMULATION,
    "batch_size": 4,
    "gradient_accumulation": ACCUMULATION,
    "bank_warmup": 12,  # within the second window, so that what is verified has the bank off, starting, filling and full
    "pretrain_steps": 0,
    "probes": "off",
    "lr": 1e-4,
}
#: What a scale's name stands for, as the table has it.
TITLES = {"tiny": "tiny CLIP, 64 px", "small": "small CLIP, 64 px", "vit": "ViT-B/16, 224 px"}
SIZES: Mapping[str, Params] = {
    "tiny": {"hidden_size": 32, "vision_layers": 2, "text_layers": 1, "patch_size": 16, "bank_size": 16},
    "small": {},
    "vit": {},
}
#: The three fixes, off and on; a bank that starts after the last forward never does.
FIXES: tuple[tuple[Params, Params], ...] = (
    ({"logit_scale_init": 2.6592}, {"logit_scale_init": 4.6052}),
    ({"box_filter": "none"}, {"box_filter": "valid", "min_box_area": 0.01}),
    ({"bank_warmup": 10**9}, {"bank_warmup": 12}),
)


@dataclass(frozen=True)
class Setting:
    """One training: resolved params, a seed, and where."""

    params: Params
    device: torch.device
    seed: int = 0

    @property
    def side(self) -> int:
        """Patches along a side of its images."""
        return SMALL_IMAGE // self.params["patch_size"] if self.params["model"] == SMALL else VIT_SIDE

    def windows(self, accumulation: int = ACCUMULATION, device: torch.device | None = None) -> list[Window]:
        """The training's windows of so many micro-batches, already on the device."""
        rule = self.params["box_filter"], self.params["min_box_area"]
        data = training_set(self.params, self.seed)
        return list(windows(data, self.params["batch_size"], accumulation, *rule, self.side, device or self.device))


def setting(scale: str, precision: str, device: str, folder: Path, **changes: Any) -> Setting:
    """A training of a scale (see `TITLES`); a folder keeps ViT-B/16's random weights between calls."""
    model = {"model": str(_vit(folder))} if scale == "vit" else {}
    return Setting(resolve({**SHARED, **SIZES[scale], **model, "precision": precision, **changes}), torch.device(device))


def arms(of: Setting, count: int) -> list[Setting]:
    """The first so many of the three fixes' eight arms by seeds, all of the first seed before those of the next."""
    seeds = -(-count // 2 ** len(FIXES))
    each = [
        replace(of, params=resolve({**of.params, **{key: value for fix in arm for key, value in fix.items()}}), seed=seed)
        for seed in range(seeds)
        for arm in itertools.product(*FIXES)
    ]
    return each[:count]


def _vit(folder: Path) -> Path:
    """A CLIPModel of ViT-B/16's sizes with random weights."""
    path = folder / "vit"
    if not path.exists():
        torch.manual_seed(0)
        part = folder / "vit.part"
        CLIPModel(CLIPConfig(vision_config={"image_size": 224, "patch_size": 16})).save_pretrained(part)
        part.rename(path)
    return path
