"""What words mean, as vectors: 256 numbers a text, near for texts that say similar things in other words.

The vectors are those that the package wordllama brings in its wheel (16 MB; made for English, of use for others). They
are read from there with two small libraries. Nothing is downloaded, and wordllama itself, which sets up logging and a
network client when it is imported, is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.errors import EmbeddingsUnavailable

DIMENSIONS = 256
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_INSTALL = "pip install 'wordllama>=0.4.0.post1,<0.5'"

Vectors = NDArray[np.float32]
_TINY = np.float32(1e-12)


def embed(texts: Sequence[str]) -> Vectors:
    """One row per text, shape (len(texts), `DIMENSIONS`), of length 1; a row of zeros for a text without words.

    Raises:
        EmbeddingsUnavailable: wordllama is not installed, or in a version without these files.
    """
    vectors = _Bundled.load()
    rows = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in zip(rows, texts, strict=True):
        row[:] = vectors.mean(text)
    return unit(rows)


def unit(rows: Vectors) -> Vectors:
    """``rows``, each divided by its length; zeros stay zeros."""
    found: Vectors = np.divide(rows, np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY), dtype=np.float32)
    return found


class _Bundled:
    """The tokenizer and the table of vectors, read once per process."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.model._resize_cache(0)  # it would keep every text it has seen, up to 10,000 of them
        self._table: NDArray[np.float16] = load_file(folder / _WEIGHTS)["embedding.weight"]

    @staticmethod
    @cache
    def load() -> _Bundled:
        spec = find_spec("wordllama")
        for folder in map(Path, spec.submodule_search_locations or ()) if spec else ():
            if (folder / _WEIGHTS).is_file() and (folder / _TOKENIZER).is_file():
                return _Bundled(folder)
        raise EmbeddingsUnavailable(f"no {_WEIGHTS} of the package wordllama here; install it again: {_INSTALL}")

    def mean(self, text: str) -> Vectors:
        """The mean of the vectors of the text's word pieces."""
        pieces = self._tokenizer.encode(text, add_special_tokens=False).ids
        if not pieces:
            return np.zeros(DIMENSIONS, np.float32)
        mean: Vectors = self._table[pieces].astype(np.float32).mean(axis=0)
        return mean
