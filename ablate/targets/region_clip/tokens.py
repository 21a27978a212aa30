"""Texts to token ids: the made scenes' own words, a tokenizer trained on a data set's texts, or the one saved with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ablate.errors import BadInput
from ablate.shown import one_line, shown

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Trained

Ints = NDArray[np.int64]

WORDS = [
    *("a", "and", "tiny", "small", "large"),
    *("red", "green", "blue", "yellow", "purple", "orange", "cyan", "pink", "white", "brown"),
    *("plain", "striped", "barred", "dotted", "checked"),
    *("circle", "square", "triangle", "diamond", "cross", "ring", "bow", "crescent"),
]
#: Ids of a trained tokenizer, at most.
VOCABULARY = 2048


@dataclass(frozen=True)
class Marks:
    """The ids that a CLIP text tower must know: begin, end (where it pools), padding; and how many ids there are."""

    begin: int
    end: int
    pad: int
    size: int


class Tokenizer(Protocol):
    """Texts in, token ids out.

    Attributes:
        marks: its special ids; None where they are the model's own.
    """

    marks: Marks | None

    def __call__(self, texts: Sequence[str], words: int) -> Ints:
        """Token ids between begin and end, cut to `words` and padded to the longest, [texts, at most words]."""
        ...


class SceneTokenizer:
    """One id a word, of the scenes' vocabulary. The end has the highest id, since CLIP pools there."""

    marks: Marks | None = Marks(begin=1, end=len(WORDS) + 2, pad=0, size=len(WORDS) + 3)

    def __init__(self) -> None:
        self._ids = {word: index + 2 for index, word in enumerate(WORDS)}

    def __call__(self, texts: Sequence[str], words: int) -> Ints:
        """See `Tokenizer`.

        Raises:
            KeyError: if a word is not in the vocabulary.
        """
        return _framed([[self._ids[word] for word in text.split()] for text in texts], words, self.marks)


class TrainedTokenizer:
    """Byte pairs learnt from a data set's texts, for a model that comes without a tokenizer.

    Args:
        texts: what it learns from; the same texts give the same ids.
        size: ids at most; the highest three are padding, begin and end.
    """

    def __init__(self, texts: Sequence[str], size: int = VOCABULARY) -> None:
        self.marks: Marks | None = Marks(begin=size - 2, end=size - 1, pad=size - 3, size=size)
        self._trained = _train(texts, size - 3)

    def __call__(self, texts: Sequence[str], words: int) -> Ints:
        """See `Tokenizer`."""
        return _framed([found.ids for found in self._trained.encode_batch(list(texts))], words, self.marks)


class SavedTokenizer:
    """The tokenizer that lies with a saved model."""

    marks: Marks | None = None

    def __init__(self, name: str) -> None:
        from transformers import AutoTokenizer

        try:
            self._saved: Any = AutoTokenizer.from_pretrained(name, trust_remote_code=False)  # else it would ask on the terminal
        except Exception as error:  # a broken tokenizer raises KeyError, OSError, ValueError and the tokenizers' own
            why = one_line(f"{type(error).__name__}: {error}", 160)
            raise BadInput(f"params.model: the tokenizer of {shown(name)} can't be loaded ({why}); give one that can") from None

    def __call__(self, texts: Sequence[str], words: int) -> Ints:
        """See `Tokenizer`."""
        found = self._saved(list(texts), max_length=words, padding="longest", truncation=True)
        return np.asarray(found.input_ids, np.int64)


def has_tokenizer(model: str) -> bool:
    """Whether a model's folder holds a tokenizer; a hub name is taken to have one."""
    folder = Path(model)
    return not folder.is_dir() or any((folder / name).exists() for name in ("tokenizer.json", "vocab.json"))


def _framed(rows: Sequence[Sequence[int]], words: int, marks: Marks | None) -> Ints:
    assert marks is not None
    longest = min(words, 2 + max((len(row) for row in rows), default=0))
    ids = np.full((len(rows), longest), marks.pad, np.int64)
    for line, row in zip(ids, rows, strict=True):
        kept = [marks.begin, *row[: longest - 2], marks.end]
        line[: len(kept)] = kept
    return ids


def _train(texts: Sequence[str], size: int) -> Trained:
    from tokenizers import Tokenizer as Trained
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    trained = Trained(models.BPE(unk_token="?"))
    trained.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["?"], limit_alphabet=max(1, size // 4), show_progress=False)
    trained.train_from_iterator(texts, trainer)
    return trained
