"""The start of every arm: a small CLIP trained on image-caption pairs of made scenes, once, and cached by what made it."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import filelock
import platformdirs
import torch
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPModel
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from ablate.targets.region_clip.model import build_clip, contrastive_loss, normalise_pixels
from ablate.targets.region_clip.scenes import Scenes, make_scenes

#: Raise when this file, the scenes or the model change what pretraining gives.
VERSION = 1
#: The stream of scenes that pretraining alone sees.
STREAM = 1000
#: Two threads, whatever the machine has: the count changes the order of sums, so it is part of what made the weights.
THREADS = 2
KEYS = ("hidden_size", "vision_layers", "text_layers", "patch_size", "pretrain_steps", "pretrain_batch", "pretrain_lr")
#: Distinct scenes, each seen several times.
SCENES = 4096


def cache_folder() -> Path:
    """Where made weights are kept: $ABLATE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("ABLATE_CACHE") or platformdirs.user_cache_dir("ablate"))


def pretrained_path(params: Mapping[str, Any]) -> Path:
    """The folder of the weights that these params call for, by a hash of all that made them."""
    made_of = {key: params[key] for key in KEYS} | {"version": VERSION, "torch": torch.__version__}
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / f"region_clip-{digest}"


def ensure_pretrained(params: Mapping[str, Any]) -> Path:
    """Pretrain unless it has been done; of several processes one does it and the others wait. Returns the folder."""
    path = pretrained_path(params)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.exists():
            part = path.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            with _no_bars():
                pretrain(params).save_pretrained(part)
            part.rename(path)
    return path


@lru_cache(maxsize=2)
def _weights(path: Path) -> CLIPModel:
    with _no_bars():
        return CLIPModel.from_pretrained(path)


def load_pretrained(params: Mapping[str, Any]) -> CLIPModel:
    """A fresh copy of the pretrained CLIP; read from disk once a process."""
    return copy.deepcopy(_weights(ensure_pretrained(params)))


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers' progress bars, of models that load in milliseconds, out of the study's own display."""
    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bar()


def pretrain(params: Mapping[str, Any]) -> CLIPModel:
    """Train a small CLIP from scratch on pairs of scene and caption (symmetric InfoNCE, cosine learning rate).

    Deterministic: everything is drawn from fixed seeds. The caller's random state and thread count are put back.
    """
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    try:
        clip = build_clip(*(params[key] for key in KEYS[:4]))
        _fit(clip, make_scenes(SCENES, seed=0, stream=STREAM), params)
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
    clip.eval()
    return clip


def _fit(clip: CLIPModel, scenes: Scenes, params: Mapping[str, Any]) -> None:
    steps, batch = params["pretrain_steps"], params["pretrain_batch"]
    images, captions = torch.from_numpy(scenes.images), torch.from_numpy(scenes.captions)
    optimizer = torch.optim.AdamW(clip.parameters(), lr=params["pretrain_lr"], weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, params["pretrain_lr"], total_steps=steps + 1, pct_start=0.1)
    generator = torch.Generator().manual_seed(0)
    order = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(1 + steps * batch // len(images))])
    clip.train()
    for step in range(steps):
        chosen = order[step * batch : (step + 1) * batch]
        image = clip.visual_projection(clip.vision_model(pixel_values=normalise_pixels(images[chosen])).pooler_output)
        text = clip.text_projection(clip.text_model(input_ids=captions[chosen]).pooler_output)
        logits = clip.logit_scale.exp() * functional.normalize(image, dim=-1) @ functional.normalize(text, dim=-1).T
        loss = contrastive_loss(logits, logits.T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
