"""How like each of the known lines a text is: from 0, nothing in common, to 1, the same.

Two views of a text, and a weighted sum of both. Its words and groups of four letters (characters and their pairs for
Chinese, so no segmenter is needed), rare ones counting more, tell names and terms in any language. Its meaning
(`agents.embedding`) finds other words for the same thing. Texts of one language are alike in meaning just for that, so
the mean of the language's lines is taken off first.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.embedding import Vectors, embed, unit
from agents.language import FUNCTION_WORDS, detect_language

MEANING = 2 / 3
"""Weight of the meaning; the rest is that of the words."""
_LETTERS = 0.5
"""Weight of a group of letters against a whole word."""
_SHARED = 0.8
"""How much less a word weighs that every topic has."""
_MEAN_OF = 10
"""A language's own mean counts whole from many more lines than this; before, the mean of all lines stands in."""
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]{2,}|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LANGUAGES = frozenset({"zh", *FUNCTION_WORDS})


class Likeness:
    """Compares texts with ``lines``; ``topics`` says what each of them is about."""

    def __init__(self, lines: Sequence[str], topics: Sequence[int]) -> None:
        features = [_features(line) for line in lines]
        seen = Counter(feature for each in features for feature in each)
        own = {(feature, topic) for each, topic in zip(features, topics, strict=True) for feature in each}
        spread = Counter(feature for feature, _ in own)
        count = len(set(topics))
        self._lines = len(lines)
        self._rarity = {
            feature: (1 + math.log((1 + len(lines)) / (1 + times)))
            * (1 - _SHARED * (spread[feature] - 1) / max(count - 1, 1))
            for feature, times in seen.items()
        }
        self._unseen = 1 + math.log(1 + len(lines))
        self._postings = self._index(features)
        spoken = [language_of(line) for line in lines]
        meanings = embed(lines)
        self._all = meanings.mean(axis=0) * (1 - 1 / count)
        self._means = {
            language: self._mean(meanings[[each == language for each in spoken]], count) for language in set(spoken)
        }
        self._meanings = self._without_mean(meanings, spoken)

    def to(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        """How like each line each text is, shape (texts, lines); ``languages`` are those of the texts."""
        rows = self._without_mean(embed(texts), languages)
        meaning = np.vecdot(rows[:, np.newaxis], self._meanings)  # in one thread: for one text the others cost more
        words = np.stack([self._words(_features(text)) for text in texts])
        return MEANING * _sharpened(meaning) + (1 - MEANING) * _sharpened(words)

    def _index(self, features: Sequence[Counter[str]]) -> dict[str, tuple[NDArray[np.intp], Vectors]]:
        """By feature, the lines that have it and what it weighs in each."""
        postings: dict[str, tuple[list[int], list[float]]] = {}
        for line, each in enumerate(features):
            for feature, weight in self._weighted(each).items():
                lines, weights = postings.setdefault(feature, ([], []))
                lines.append(line)
                weights.append(weight)
        return {
            feature: (np.array(lines, np.intp), np.array(weights, np.float32))
            for feature, (lines, weights) in postings.items()
        }

    def _weighted(self, features: Counter[str]) -> dict[str, float]:
        """The weight of each feature; their squares sum to 1."""
        weights = {
            feature: (1 + math.log(count)) * self._rarity.get(feature, self._unseen) * _weight(feature)
            for feature, count in features.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {feature: weight / length for feature, weight in weights.items()}

    def _words(self, features: Counter[str]) -> Vectors:
        """The cosine with each line, by words and letters."""
        found = [
            (self._postings[feature], weight)
            for feature, weight in self._weighted(features).items()
            if feature in self._postings
        ]
        if not found:
            return np.zeros(self._lines, np.float32)
        lines = np.concatenate([lines for (lines, _), _ in found])
        weights = np.concatenate([weights * np.float32(weight) for (_, weights), weight in found])
        return np.bincount(lines, weights, self._lines).astype(np.float32)

    def _mean(self, meanings: Vectors, topics: int) -> Vectors:
        own: Vectors = meanings.sum(axis=0) * (1 - 1 / topics)
        mean: Vectors = (own + _MEAN_OF * self._all) / (len(meanings) + _MEAN_OF)
        return mean

    def _without_mean(self, meanings: Vectors, languages: Sequence[str]) -> Vectors:
        return unit(meanings - np.stack([self._means.get(language, self._all) for language in languages]))


def language_of(text: str) -> str:
    """The language of ``text``, for comparing it with others; English if the words do not tell."""
    return detect_language(text, among=_LANGUAGES)


def size(text: str) -> int:
    """How many words ``text`` has; two Chinese characters count as one."""
    return sum(-(-len(run) // 2) if _HAN.match(run) else 1 for run in _WORD.findall(text))


def _features(text: str) -> Counter[str]:
    """Words as ``=word``, groups of letters and single Chinese characters as ``~abcd``, with how often they occur."""
    features: Counter[str] = Counter()
    for run in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _HAN.match(run):
            features.update(f"~{character}" for character in run)
            features.update(f"={run[index : index + 2]}" for index in range(len(run) - 1))
        else:
            features[f"={run}"] += 1
            padded = f" {run} "
            features.update(f"~{padded[index : index + 4]}" for index in range(len(padded) - 3))
    return features


def _weight(feature: str) -> float:
    return _LETTERS if feature[0] == "~" else 1.0


def _sharpened(cosines: Vectors) -> Vectors:
    """Cosines so that great likeness counts more than the sum of small ones: 0 stays 0, and 1 stays 1."""
    sharpened: Vectors = np.divide(np.expm1(cosines), math.e - 1, dtype=np.float32)
    return sharpened
