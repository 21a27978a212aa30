"""What a model takes: its tokenizer, its longest text, the side of its images and their pixel statistics. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.shown import one_line, shown
from ablate.targets.region_clip.settings import SMALL, SMALL_IMAGE
from ablate.targets.region_clip.source import Source, split
from ablate.targets.region_clip.tokens import WORDS, SavedTokenizer, SceneTokenizer, Tokenizer, TrainedTokenizer, has_tokenizer

#: Mean and deviation of each colour channel: of the made scenes (about), and of CLIP's own images (Radford et al. 2021).
SCENE_PIXELS = ((0.47, 0.47, 0.47), (0.25, 0.25, 0.25))
CLIP_PIXELS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
Pixels = tuple[tuple[float, ...], tuple[float, ...]]
#: The small model's longest text, tokens: a scene's caption is two expressions and an "and".
SCENE_WORDS, PHOTO_WORDS = 13, 32
#: What CLIP models take where their configuration doesn't say.
CLIP_IMAGE, CLIP_WORDS, CLIP_IDS = 224, 77, 49408


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes:
        words: the longest text, tokens.
        size: side of the images, pixels.
        pixels: mean and deviation of the images' channels.
    """

    tokenizer: Tokenizer
    words: int
    size: int
    pixels: Pixels


def inputs_of(params: Mapping[str, Any]) -> Inputs:
    """Of resolved params."""
    return _inputs(params["model"], Source.of(params))


@lru_cache(maxsize=2)
def _inputs(model: str, source: Source) -> Inputs:
    if model == SMALL and source.made:
        return Inputs(SceneTokenizer(), SCENE_WORDS, SMALL_IMAGE, SCENE_PIXELS)
    if model == SMALL:
        return Inputs(TrainedTokenizer(_texts(source)), PHOTO_WORDS, SMALL_IMAGE, CLIP_PIXELS)
    _refuse_dropout(model)  # of a hub name it is only known here
    words = min(_setting(model, "text_config", "max_position_embeddings", CLIP_WORDS), CLIP_WORDS)
    tokenizer: Tokenizer
    if has_tokenizer(model):
        tokenizer = SavedTokenizer(model)
    else:
        tokenizer = TrainedTokenizer(_texts(source), _setting(model, "text_config", "vocab_size", CLIP_IDS))
    return Inputs(tokenizer, words, image_size(model), _pixels(model, source))


def image_size(model: str) -> int:
    """Side of a model's images, pixels."""
    if model == SMALL:
        return SMALL_IMAGE
    return _setting(model, "vision_config", "image_size", CLIP_IMAGE)


def check_model(model: str) -> None:
    """See that a local folder holds a CLIPModel; whether a hub has a name is only known once it is asked.

    Raises:
        BadInput: if it doesn't.
    """
    if model == SMALL or not Path(model).exists():
        if model != SMALL and (model.startswith((".", "/", "~")) or model.count("/") > 1):
            raise BadInput(
                f"params.model: no folder {shown(model)}; give one that CLIPModel.save_pretrained wrote, or a hub name"
            )
        return
    kind = _config(model).get("model_type")
    if kind != "clip":
        raise BadInput(
            f"params.model: {shown(model)} holds no CLIPModel (model_type is {shown(kind)}); give a folder that has one"
        )
    if image_size(model) % _setting(model, "vision_config", "patch_size", 32):
        raise BadInput(f"params.model: {shown(model)} cuts its images into uneven patches; give a model whose patch_size fits")
    _refuse_dropout(model)


def _refuse_dropout(model: str) -> None:
    """The towers' attention is computed without dropout, so a model that asks for it would not be trained as it says.

    Raises:
        BadInput: if it does.
    """
    for part in ("text_config", "vision_config"):
        value = _value(model, part, "attention_dropout", 0)
        if value != 0:
            raise BadInput(
                f"params.model: {shown(model)} has {part}.attention_dropout {shown(value)} in config.json, but the region "
                "training drops nothing; set it to 0 there, or give a model that has 0"
            )


def model_fingerprint(model: str) -> str:
    """What identifies a saved model: its configuration, and the names, sizes (bytes) and times (ns) of its files. Empty for the
    small model, which is made here, and for a hub name."""
    if model == SMALL or not Path(model).is_dir():
        return ""
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(Path(model).iterdir())]
    return hashlib.sha256(repr((_config(model), files)).encode()).hexdigest()


def _setting(model: str, part: str, key: str, default: int) -> int:
    """A whole number above 0 of a model's configuration.

    Raises:
        BadInput: if it is something else.
    """
    value = _value(model, part, key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadInput(f"params.model: {shown(model)} has {part}.{key} {shown(value)} in config.json; give a saved CLIPModel")
    return value


def _value(model: str, part: str, key: str, default: int) -> Any:
    """What a model's configuration says of a key; of a part that is no mapping, the part, which is no use for anything."""
    parts = _config(model).get(part) or {}
    return parts.get(key, default) if isinstance(parts, dict) else parts


def _config(model: str) -> dict[str, Any]:
    """A model's config.json: of a local folder, or of the hub through its cache."""
    folder = Path(model)
    try:
        if folder.exists():
            if not (folder / "config.json").is_file():
                raise OSError("it has no such file")
            text = (folder / "config.json").read_text(encoding="utf-8")
        else:
            from transformers.utils.hub import cached_file

            text = Path(str(cached_file(model, "config.json"))).read_text(encoding="utf-8")
        config = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        why = one_line(str(error).partition("\n")[0], 120)
        raise BadInput(
            f"params.model: {shown(model)} has no usable config.json ({why}); give a saved CLIPModel by --set model=FOLDER"
        ) from None
    return config if isinstance(config, dict) else {}


def _pixels(model: str, source: Source) -> Pixels:
    """What a saved model's own image processor says, else the data's."""
    path = Path(model) / "preprocessor_config.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        mean, deviation = (tuple(float(part) for part in saved[key]) for key in ("image_mean", "image_std"))
        if len(mean) != 3 or len(deviation) != 3 or not all(0 < part < 1e6 for part in deviation):
            raise ValueError("not three channels")
        return mean, deviation
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return SCENE_PIXELS if source.made and not path.exists() else CLIP_PIXELS


def _texts(source: Source) -> list[str]:
    """What a tokenizer learns from."""
    if source.made:
        return WORDS
    rows = split(source).train
    captions = [text for row in rows for text in (row.caption, row.short_caption)]
    return captions + [text for row in rows for region in row.regions for text in (region.short, region.long)]
