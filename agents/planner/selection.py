"""Choosing a procedure by the requester's words: local, deterministic, and unsure rather than wrong.

Each ``like`` line is an example. From how like a message is to all of them (`Likeness`), kernel ridge regression,
solved once when the selector is made, says for every procedure how far the message is one of its own: about 1 where
its examples are, 0 far from all. A long message is read as its most telling sentences.

The score is how probably the choice is right: the probability that the message fits the best procedure at all, times
the probability that it fits that one rather than the next. Their few constants were fitted on customers' messages to a
bank, with 4 to 60 procedures of 5 to 100 lines each, three in ten messages fitting none
(docs/choosing-a-procedure.md). A message that no procedure fits goes to the one with ``otherwise: true``, if there is
one, unless that one's ``unlike`` lines fit it; a message that two fit goes to neither. The words choose *which* written
procedure runs, never what it may do.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.planner.procedure import Procedure
from agents.planner.selection_likeness import Likeness, language_of, size

MAX_TEXT = 8_000
"""Characters of a message that are looked at."""
MAX_SENTENCES = 100
"""Sentences of a message that are looked at."""
PASSAGE = 25
"""A message of more words than this is read as its most telling sentences, until they are as long as this."""
THRESHOLD = 0.5
"""From this score on a procedure is chosen."""
_TELLING = 0.5
"""A sentence that says less than this share of what the most telling one says is left out."""
_RIDGE = 0.1
"""How far the regression may miss an example, to go by many rather than by one."""
_FIT, _FIT_DENSITY, _FIT_BASE = 10.4, -0.94, -1.1
_LEAD = 5.3
_FEWEST = 5
"""Lines per procedure: with fewer, the score is made as with so many."""
_DIGITS = 5
"""Values are rounded, so that machines which add in another order agree."""
_BLOCK = 512
_SENTENCE = re.compile(r"[.!?。！？;；\n]+")


NEAREST = 3
"""Procedures that `ProcedureSelector.nearest` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The choice, or why there is none."""

    procedure: Procedure | None
    score: float
    """How probably the best procedure is the right one, from 0 to 1."""
    margin: float
    """How far it is ahead of the next one, on a scale on which its own examples are at about 1."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examples:
    """Lines that say when a procedure is meant, or when not even the one for the rest is (then it is None)."""

    name: str
    procedure: Procedure | None
    lines: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    """Lines that only sound like it."""


class ProcedureSelector:
    """Selects among the procedures of one tenant."""

    def __init__(self, procedures: Iterable[Procedure], *, threshold: float = THRESHOLD) -> None:
        """Chooses none below ``threshold``, a score from 0 to 1.

        Raises:
            EmbeddingsUnavailable: the word vectors are not where the package wordllama puts them.
        """
        everything = tuple(procedures)
        self.procedures = everything
        """All that can be chosen."""
        self._threshold = threshold
        self._otherwise = next((one for one in everything if one.triggers.otherwise), None)
        self._examples = [examples for one in everything for examples in _examples(one)]
        lines = [line for one in self._examples for line in one.lines]
        unlike = [line for one in self._examples for line in one.unlike]
        self._spoken = Counter(language_of(line) for line in lines)
        if lines:
            owners = _owners([one.lines for one in self._examples])
            sounds_like = _owners([one.unlike for one in self._examples])
            self._likeness = Likeness([*lines, *unlike], [*owners.tolist(), *sounds_like.tolist()])
            self._weights = self._learn(lines, unlike)

    def select(self, text: str) -> Selection:
        """The procedure for a message, or none with the reason."""
        read = self._read(text)
        if read is None:
            return Selection(procedure=None, score=0.0, margin=0.0, reason="the message has no words to go by")
        if not self._examples:
            return self._none_fits(0.0, 0.0)
        language, values = read
        order = np.argsort(-values, kind="stable")
        best, first = self._examples[order[0]], float(values[order[0]])
        second = float(values[order[1]]) if len(order) > 1 else 0.0
        margin = round(first - second, _DIGITS)
        fit, lead = self._fit(first, language), _logistic(_LEAD * margin)
        score = round(fit * lead, _DIGITS)
        if score >= self._threshold:
            reason = f"it is like {'the examples of ' if best.procedure else ''}{best.name}"
            return Selection(procedure=best.procedure, score=score, margin=margin, reason=reason)
        together = self._fit(first + second, language)
        if second > 0 and together >= self._threshold and lead < together:
            names = " or ".join(self._examples[place].name for place in order[:2])
            return Selection(procedure=None, score=score, margin=margin, reason=f"it could be {names}")
        return self._none_fits(score, margin)

    def nearest(self, text: str) -> tuple[tuple[str, float], ...]:
        """Names of the likeliest procedures, each with how probably a message of that likeness fits it alone."""
        read = self._read(text)
        if read is None or not self._examples:
            return ()
        language, values = read
        order = np.argsort(-values, kind="stable")[:NEAREST].tolist()
        named = [(self._examples[place], float(values[place])) for place in order]
        return tuple((one.name, round(self._fit(value, language), _DIGITS)) for one, value in named if one.procedure)

    def _read(self, text: str) -> tuple[str, NDArray[np.float32]] | None:
        """The language of a message, and how far it is one of each procedure's own; None if it has no words."""
        text = text[:MAX_TEXT]
        sentences = [part for part in _SENTENCE.split(text) if size(part)][:MAX_SENTENCES]
        if not sentences:
            return None
        language = language_of(text)
        if not self._examples:
            return language, np.zeros(0, np.float32)
        return language, self._values([self._telling(text, sentences, language)], language)[0]

    def _learn(self, lines: Sequence[str], unlike: Sequence[str]) -> NDArray[np.float32]:
        """What each line adds to the value of each procedure, shape (procedures, lines)."""
        known = [*lines, *unlike]
        kernel = np.empty((len(known), len(known)), np.float32)
        for start in range(0, len(known), _BLOCK):
            block = known[start : start + _BLOCK]
            kernel[start : start + _BLOCK] = self._likeness.to(block, [language_of(line) for line in block])
        kernel[np.diag_indices(len(known))] += _RIDGE
        targets = np.zeros((len(known), len(self._examples)), np.float32)
        targets[np.arange(len(lines)), _owners([one.lines for one in self._examples])] = 1
        if unlike:  # 0 for the procedure that they only sound like, and no news for the others
            first = slice(0, len(lines))
            targets[len(lines) :] = kernel[len(lines) :, first] @ np.linalg.solve(kernel[first, first], targets[first])
            targets[np.arange(len(lines), len(known)), _owners([one.unlike for one in self._examples])] = 0
        return np.ascontiguousarray(np.linalg.solve(kernel, targets).T)

    def _values(self, texts: Sequence[str], language: str) -> NDArray[np.float32]:
        """How far each text is one of each procedure's own, shape (texts, procedures)."""
        likeness = self._likeness.to(texts, [language] * len(texts))
        values: NDArray[np.float32] = np.vecdot(likeness[:, np.newaxis], self._weights)
        return np.round(values, _DIGITS)

    def _telling(self, text: str, sentences: Sequence[str], language: str) -> str:
        """The text, or if it is long those of its sentences that are most like examples, in their order."""
        if size(text) <= PASSAGE:
            return text
        values = self._values(sentences, language).max(axis=1)
        taken: list[int] = []
        length = 0
        for place in np.argsort(-values, kind="stable").tolist():
            if length >= PASSAGE or values[place] < _TELLING * values.max():
                break
            taken.append(place)
            length += size(sentences[place])
        return ". ".join(sentences[place] for place in sorted(taken))

    def _fit(self, value: float, language: str) -> float:
        """The probability that a message of this value fits: the more examples there are, the nearer one should be."""
        lines = self._spoken[language] or self._spoken.total()
        density = max(lines / len(self._examples), _FEWEST)
        return _logistic(_FIT * value + _FIT_DENSITY * math.log(density) + _FIT_BASE)

    def _none_fits(self, score: float, margin: float) -> Selection:
        reason = "no procedure is like this message"
        if self._otherwise is not None:
            reason = f"{reason}; {self._otherwise.name} is for such"
        return Selection(procedure=self._otherwise, score=score, margin=margin, reason=reason)


def _examples(procedure: Procedure) -> Iterator[_Examples]:
    triggers = procedure.triggers
    name, unlike = procedure.name, () if triggers.otherwise else triggers.unlike
    if triggers.like:
        yield _Examples(name=name, procedure=procedure, lines=triggers.like, unlike=unlike)
    if triggers.otherwise and triggers.unlike:
        yield _Examples(name=f"what {name} is not for", procedure=None, lines=triggers.unlike)


def _owners(lines: Sequence[Sequence[str]]) -> NDArray[np.intp]:
    """For each line in turn, the place of the group it is in."""
    return np.repeat(np.arange(len(lines)), [len(group) for group in lines])


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
