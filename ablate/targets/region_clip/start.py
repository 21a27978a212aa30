"""The start of every arm: a saved CLIP, or a small one trained on image-caption pairs once and cached by what made it."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from transformers.models.clip.modeling_clip import CLIPModel
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from ablate.errors import BadInput
from ablate.shown import one_line, shown
from ablate.targets.region_clip.data import encode_all
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.model import RegionCLIP, build_clip, contrastive_loss
from ablate.targets.region_clip.photos import pixels
from ablate.targets.region_clip.scenes import make_scenes
from ablate.targets.region_clip.settings import SMALL
from ablate.targets.region_clip.source import Source, fingerprint, split, usable

#: Raise when this file, the scenes or the model change what pretraining gives.
VERSION = 3
#: The stream of scenes that pretraining alone sees.
STREAM = 1000
#: Two threads, whatever the machine has: the count changes the order of sums, so it is part of what made the weights.
THREADS = 2
KEYS = ("hidden_size", "vision_layers", "text_layers", "patch_size", "pretrain_steps", "pretrain_batch", "pretrain_lr")
#: Distinct images, each seen several times.
IMAGES = 4096
#: The multiplier of the logits: CLIP starts at 1/0.07 and learns to raise it until it is clipped at 100 (Radford et al. 2021,
#: sec. 2.5). Here, where training is too short to learn that, it is raised over the first part of the steps.
FIRST_SCALE, LAST_SCALE, RAISED_OVER = 1 / 0.07, 100.0, 0.3


def cache_folder() -> Path:
    """Where made weights are kept: $ABLATE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("ABLATE_CACHE") or platformdirs.user_cache_dir("ablate"))


def start_path(params: Mapping[str, Any]) -> Path:
    """The folder of the weights that these params call for: the saved model's, or one named by a hash of all that makes them."""
    if params["model"] != SMALL:
        return Path(params["model"])
    made_of = {key: params[key] for key in KEYS} | {"version": VERSION, "torch": torch.__version__}
    source = Source.of(params)
    if not source.made:
        made_of["data"] = fingerprint(source, contents=IMAGES)
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / f"region_clip-{digest}"


def ensure_start(params: Mapping[str, Any]) -> Path:
    """Pretrain unless it has been done; of several processes one does it and the others wait. Returns the folder."""
    path = start_path(params)
    if params["model"] != SMALL or path.exists():
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
def _weights(name: str) -> CLIPModel:
    with _no_bars():
        try:
            return CLIPModel.from_pretrained(name, dtype=torch.float32, weights_only=True, trust_remote_code=False)
        except pickle.UnpicklingError:
            raise BadInput(
                f"params.model: {shown(name)} can't be loaded (its weights are a pickle that holds more than numbers, and could "
                "run code); give a model saved as safetensors"
            ) from None
        except (OSError, ValueError, RuntimeError) as error:
            why = one_line(str(error), 200)
            raise BadInput(
                f"params.model: {shown(name)} can't be loaded ({why}); give a saved CLIPModel's folder or hub name"
            ) from None


def load_start(params: Mapping[str, Any]) -> CLIPModel:
    """A fresh float32 copy of the start; read from disk once a process."""
    clip = copy.deepcopy(_weights(str(ensure_start(params))))
    marks = inputs_of(params).tokenizer.marks
    if marks is not None:  # a tokenizer of ours: the text tower pools at its end mark, whatever the model was saved with
        clip.text_model.eos_token_id = marks.end
    return clip


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
    """Train a small CLIP from scratch on pairs of image and caption (symmetric InfoNCE, one-cycle learning rate).

    Deterministic: everything is drawn from fixed seeds. The caller's random state and thread count are put back.
    """
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    try:
        inputs = inputs_of(params)
        marks = inputs.tokenizer.marks
        assert marks is not None
        hidden, vision, text, patch = (params[key] for key in KEYS[:4])
        clip = build_clip(hidden, vision, text, patch, marks, inputs.words)
        _fit(RegionCLIP(clip, 0.0, pixels=inputs.pixels), *_pairs(params), params)
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
    clip.eval()
    return clip


def _pairs(params: Mapping[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images, [n, 3, size, size], and the token ids of their captions, [n, texts an image, words]."""
    inputs, source = inputs_of(params), Source.of(params)
    if source.made:
        scenes = make_scenes(IMAGES, seed=0, stream=STREAM, size=inputs.size)
        return scenes.images, encode_all(inputs.tokenizer, scenes.captions, inputs.words)[:, None]
    rows = usable(split(source).train[:IMAGES], inputs.size)[0]
    images = np.stack([pixels(row.image, inputs.size) for row in rows])
    captions = [text for row in rows for text in (row.caption, row.short_caption)]
    return images, encode_all(inputs.tokenizer, captions, inputs.words).reshape(len(rows), 2, -1)


def _fit(model: RegionCLIP, images: NDArray[np.uint8], captions: NDArray[np.int64], params: Mapping[str, Any]) -> None:
    steps, batch, clip = params["pretrain_steps"], min(params["pretrain_batch"], len(images)), model.clip
    pictures, texts = torch.from_numpy(images), torch.from_numpy(captions)
    optimizer = torch.optim.AdamW(clip.parameters(), lr=params["pretrain_lr"], weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, params["pretrain_lr"], total_steps=steps + 1, pct_start=0.1)
    generator = torch.Generator().manual_seed(0)
    order = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(1 + steps * batch // len(images))])
    clip.train()
    for step in range(steps):
        chosen = order[step * batch : (step + 1) * batch]
        kind = torch.randint(texts.shape[1], (batch,), generator=generator)
        _set_scale(clip, step / steps)
        logits = clip.logit_scale.exp() * model.images(pictures[chosen]) @ model.texts(texts[chosen, kind]).T
        loss = contrastive_loss(logits, logits.T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    _set_scale(clip, 1.0)


@torch.no_grad()
def _set_scale(clip: CLIPModel, done: float) -> None:
    """The logit scale when this share of the steps is done: log-linear from first to last, then constant."""
    share = min(1.0, done / RAISED_OVER)
    clip.logit_scale.fill_((1 - share) * math.log(FIRST_SCALE) + share * math.log(LAST_SCALE))
