"""Small trainings, saved models and data sets of files, for the tests of the region target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from ablate.run import Run
from ablate.targets.region_clip import resolve, train
from ablate.targets.region_clip.scenes import make_scenes

CPU = torch.device("cpu")
SMALL = {"forwards": 96, "pretrain_steps": 4, "pretrain_batch": 8, "eval_images": 16, "bank_warmup": 96}
FIXES: dict[str, dict[str, Any]] = {
    "logit_scale": {"logit_scale_init": 4.6052},
    "bbox_filter": {"box_filter": "valid", "min_box_area": 0.01},
    "memory_bank": {"bank_warmup": 50},
}


def settled(**changes: Any) -> dict[str, Any]:
    """Resolved params of a small training."""
    return resolve({**SMALL, **changes})


def trained(seed: int = 0, **changes: Any) -> tuple[dict[str, float], Run]:
    """Final metrics and run of a small training."""
    run = Run(seed)
    return dict(train({**SMALL, **changes}, run)), run


def probes(**changes: Any) -> dict[str, NDArray[np.float64]]:
    """What a small training logs, by metric."""
    return by_metric(trained(**changes)[1])


def by_metric(run: Run) -> dict[str, NDArray[np.float64]]:
    """A run's points, by metric, in their order."""
    names = {name for name, _, _ in run.points}
    return {name: np.array([value for n, _, value in run.points if n == name]) for name in names}


def write_photos(folder: Path, count: int, name: str = "train.json", boxes: int = 3) -> list[dict[str, Any]]:
    """A FineHARD file of real image files, some PNG and some JPEG of uneven size; returns its rows."""
    scenes = make_scenes(count, seed=5, box_counts=(0,) * (boxes - 1) + (1,), size=96)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for i, texts in enumerate(scenes.expressions):
        file = f"images/{Path(name).stem}-{i:03d}.{'png' if i % 2 else 'jpg'}"
        Image.fromarray(scenes.images[i].transpose(1, 2, 0)).resize((96 + i, 80)).save(folder / file)
        regions = [
            {"bbox": [*map(float, box), 1.0], "short_expr": text.rpartition(" ")[2], "long_expr": text}
            for box, text in zip(scenes.boxes[i], texts, strict=False)
        ]
        caption = {"caption": scenes.captions[i], "short_caption": texts[0]}
        rows.append({"f_path": file, **caption, "bbox_info": regions})
    (folder / name).write_text(json.dumps(rows), encoding="utf-8")
    return rows


def save_clip(folder: Path, image: int = 224, patch: int = 16, **text: Any) -> CLIPModel:
    """A CLIPModel with random weights, as `save_pretrained` leaves it; no tokenizer beside it."""
    torch.manual_seed(3)
    shared = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = {"vocab_size": 400, "eos_token_id": 399, "bos_token_id": 398, "pad_token_id": 0, **text}
    vision = {"image_size": image, "patch_size": patch}
    clip = CLIPModel(CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=24)).eval()
    clip.save_pretrained(folder)
    return clip
