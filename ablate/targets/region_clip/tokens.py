"""The scenes' tokenizer: one id a word, of a vocabulary that is written down here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORDS = [
    "a",
    "and",
    "tiny",
    "small",
    "large",
    "red",
    "green",
    "blue",
    "yellow",
    "purple",
    "orange",
    "cyan",
    "pink",
    "white",
    "brown",
    "plain",
    "striped",
    "barred",
    "dotted",
    "checked",
    "circle",
    "square",
    "triangle",
    "diamond",
    "cross",
    "ring",
    "bow",
    "crescent",
]
PAD, BOS = 0, 1
#: The highest id, since CLIP pools the text at the highest id.
EOS = len(WORDS) + 2
VOCABULARY = EOS + 1
#: Token ids of a box's expression (five words) and of an image's caption (two expressions and an "and").
MAX_EXPRESSION, MAX_CAPTION = 7, 13

_IDS = {word: index + 2 for index, word in enumerate(WORDS)}


def encode(text: str, length: int) -> NDArray[np.int64]:
    """Token ids between begin and end marks, padded with zeros to `length`.

    Raises:
        KeyError: if a word is not in the vocabulary.
        ValueError: if the text is too long.
    """
    ids = [BOS, *(_IDS[word] for word in text.split()), EOS]
    if len(ids) > length:
        raise ValueError(f"{text!r} takes {len(ids)} tokens, more than {length}")
    return np.asarray(ids + [PAD] * (length - len(ids)), np.int64)
