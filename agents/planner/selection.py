"""Choosing a procedure by the requester's words: local, deterministic, and unsure rather than wrong.

Each ``like`` line is an example. A message is looked at sentence by sentence; a procedure scores by how close the best
of these come to its examples (to their centre above all), by cosine over weighted words, word beginnings and letter
groups (character pairs for Chinese, so no segmenter is needed). A sentence closer to an ``unlike`` line does not count.
A message that no procedure fits goes to the one with ``otherwise: true``, if there is one, unless an ``unlike`` line of
that one fits it; a message that two procedures fit goes to none. The words choose *which* written procedure runs, never
what it may do.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.language import FUNCTION_WORDS, detect_language
from agents.planner.procedure import Procedure

MAX_TEXT = 8_000
"""Characters of a message that are looked at."""
THRESHOLD = 0.16
MARGIN = 0.05
_CENTRE = 0.8
"""Share of the centre of all examples in a score; the rest is the closest single example's."""
_LETTERS = 0.5
"""Weight of a group of letters against a whole word."""
_SENTENCE = re.compile(r"[.!?。！？;；\n]+")
_WORD = re.compile(r"[^\W\d_]{2,}|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LANGUAGES = frozenset({"zh", *FUNCTION_WORDS})
_STOP = frozenset().union(*FUNCTION_WORDS.values())

_Vector = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The choice, or why there is none."""

    procedure: Procedure | None
    score: float
    """How like the examples of the best procedure; below 2, and rarely above 1."""
    margin: float
    """How far the next one is behind."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examples:
    """One procedure's examples as vectors."""

    procedure: Procedure
    like: Sequence[_Vector]
    unlike: Sequence[_Vector]
    centres: Sequence[_Vector]
    """One per language that the examples are in."""

    def score(self, text: _Vector) -> float:
        closest = max(_cosine(text, line) for line in self.like)
        if any(_cosine(text, line) > closest for line in self.unlike):
            return 0.0
        return _CENTRE * max(_cosine(text, centre) for centre in self.centres) + (1 - _CENTRE) * closest


class ProcedureSelector:
    """Selects among the procedures of one tenant."""

    def __init__(
        self, procedures: Iterable[Procedure], *, threshold: float = THRESHOLD, margin: float = MARGIN
    ) -> None:
        """Abstains below ``threshold`` (score) or ``margin`` (lead over the next procedure)."""
        self._threshold = threshold
        self._margin = margin
        everything = tuple(procedures)
        self._otherwise = next((one for one in everything if one.triggers.otherwise), None)
        procedures = tuple(one for one in everything if one.triggers.like)
        lines = [line for one in procedures for line in one.triggers.like]
        seen = Counter(feature for line in lines for feature in _features(line))
        groups = [{feature for line in one.triggers.like for feature in _features(line)} for one in procedures]
        spread = Counter(feature for group in groups for feature in group)
        others = max(len(procedures) - 1, 1)
        self._unseen = math.log(1 + max(len(lines), 1))
        self._weights = {
            feature: math.log(1 + len(lines) / count) * (1 - 0.8 * (spread[feature] - 1) / others)
            for feature, count in seen.items()
        }
        self._examples = [self._examples_of(one) for one in procedures]

    def select(self, text: str) -> Selection:
        """The procedure for a message, or none with the reason."""
        vectors = [vector for part in _parts(text[:MAX_TEXT]) if (vector := self._vector(part))]
        if not vectors:
            return Selection(procedure=None, score=0.0, margin=0.0, reason="the message has no words to go by")
        if not self._examples:
            return self._none_fits(vectors, 0.0, 0.0)
        scores = sorted(
            ((_together([one.score(vector) for vector in vectors]), one.procedure) for one in self._examples),
            key=lambda pair: -pair[0],
        )
        score, best = scores[0]
        margin = score - scores[1][0] if len(scores) > 1 else score
        if score < self._threshold:
            return self._none_fits(vectors, score, margin)
        if margin < self._margin:
            reason = f"it could be {best.name} or {scores[1][1].name}"
            return Selection(procedure=None, score=score, margin=margin, reason=reason)
        return Selection(procedure=best, score=score, margin=margin, reason=f"it is like the examples of {best.name}")

    def _none_fits(self, vectors: Sequence[_Vector], score: float, margin: float) -> Selection:
        last, reason = self._otherwise, "no procedure is like this message"
        if last is None:
            return Selection(procedure=None, score=score, margin=margin, reason=reason)
        lines = [self._vector(line) for line in last.triggers.unlike]
        if any(_cosine(vector, line) >= self._threshold for vector in vectors for line in lines):
            reason = f"{reason}, and it is like what {last.name} is not for"
            return Selection(procedure=None, score=score, margin=margin, reason=reason)
        return Selection(procedure=last, score=score, margin=margin, reason=f"{reason}; {last.name} is for such")

    def _examples_of(self, procedure: Procedure) -> _Examples:
        like = [self._vector(line) for line in procedure.triggers.like]
        groups: dict[str, list[_Vector]] = {}
        for line, vector in zip(procedure.triggers.like, like, strict=True):
            groups.setdefault(detect_language(line, among=_LANGUAGES), []).append(vector)
        return _Examples(
            procedure=procedure,
            like=like,
            unlike=[self._vector(line) for line in procedure.triggers.unlike],
            centres=[_sum(vectors) for vectors in groups.values()],
        )

    def _vector(self, text: str) -> _Vector:
        return _unit(
            {feature: weight * self._weights.get(feature, self._unseen) for feature, weight in _features(text).items()}
        )


def _parts(text: str) -> list[str]:
    """The sentences that have words."""
    return [part for part in _SENTENCE.split(text) if _WORD.search(part)]


def _together(scores: list[float]) -> float:
    """One score of several sentences: the best counts whole, each further one half as much as the one before."""
    best = sorted(scores, reverse=True)[:4]
    return sum(score * 0.5**place for place, score in enumerate(best))


def _features(text: str) -> _Vector:
    features: _Vector = {}
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _HAN.match(word):
            features.update((word[index : index + 2], 1.0) for index in range(max(len(word) - 1, 1)))
        elif word not in _STOP:
            features[f"={word}"] = 1.0
            if len(word) > 4:
                features[f"^{word[:5]}"] = 1.0
            padded = f" {word} "
            features.update((f"~{padded[index : index + 4]}", _LETTERS) for index in range(len(padded) - 3))
    return features


def _sum(vectors: Iterable[_Vector]) -> _Vector:
    total: _Vector = {}
    for vector in vectors:
        for feature, weight in vector.items():
            total[feature] = total.get(feature, 0.0) + weight
    return _unit(total)


def _unit(vector: _Vector) -> _Vector:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {feature: weight / length for feature, weight in vector.items()} if length else {}


def _cosine(one: _Vector, other: _Vector) -> float:
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other.get(feature, 0.0) for feature, weight in one.items())
