"""Finding what may be quoted, among what this reader may see today.

    question ──► words ──► Shelf (SQLite FTS5 or Postgres) ──► passages, ranked ──► relevance ──► Hits
                            only this audience, language, day

An index is derived from the articles: losing it loses nothing, and `refresh` makes it anew when a file has changed.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol

from agents.errors import InvalidDocument, Problem
from agents.knowledge.article import Article, Statement
from agents.knowledge.words import tokens

MAX_QUESTION = 4_000
"""Characters of a question that are looked at."""
MAX_WORDS = 16
"""Words of a question that are looked up: its rarest."""
COMMON = 0.1
"""Words in more than this share of the passages, and in more than `FEW`, are looked up only where all are such."""
FEW = 500
CANDIDATES = 20
"""Passages of each ranking that are looked at, at least."""
TITLE_WEIGHT, HEADING_WEIGHT = 4.0, 2.0
"""Of a word in a title or a heading, against one in the text."""
FUSION = 60
"""The constant of reciprocal rank fusion: a passage scores 1 / (FUSION + rank) in each ranking."""
_SENTENCE = re.compile(r"[.!?。！？;；\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One statement of an article, with all that a citation needs."""

    number: int
    """Its place in the index."""
    article: str
    version: str
    title: str
    language: str
    statement: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that was found."""

    passage: Passage
    relevance: float
    """How much of the question it is about, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom, in which language and when something is looked for. Nothing else is ever ranked."""

    audience: frozenset[str]
    language: str
    day: date
    """UTC"""


class KnowledgeIndex(Protocol):
    """Searches the articles of one tenant. Safe to use from several threads and processes."""

    def refresh(self, articles: Sequence[Article]) -> bool:
        """Make the index anew if it is not of exactly these articles; True if it was made.

        Raises:
            InvalidDocument: an article's words changed and the version that its author gave it did not.
        """
        ...

    def search(
        self, question: str, *, audience: Collection[str], language: str, at: datetime, limit: int
    ) -> Sequence[Hit]:
        """The passages closest to ``question`` that these groups may read in this language at that time, best first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the index holds of one article."""

    version: str
    sha256: str
    """Of everything about it, its fields and its words."""
    words_sha256: str


class View(Protocol):
    """One index as it stands at one moment, whatever is done to it meanwhile."""

    @property
    def generation(self) -> str:
        """Another one each time the index is made."""
        ...

    def frequencies(self, words: Collection[str]) -> tuple[int, Mapping[str, int]]:
        """(number of passages, in how many each of ``words`` stands); words that stand in none are left out."""
        ...

    def best(self, weights: Mapping[str, float], reader: Reader, limit: int) -> Sequence[int]:
        """The numbers of the passages for ``reader`` that hold any of the words, best first."""
        ...

    def open_to(self, reader: Reader) -> Sequence[int]:
        """The numbers of all passages for ``reader``, in order."""
        ...

    def passages(self, numbers: Collection[int] | None = None) -> Mapping[int, Passage]:
        """The passages with these numbers; None for all, in order."""
        ...


class Shelf(Protocol):
    """Where passages are kept and looked up by their words: the half of an index that differs between databases."""

    def standing(self) -> Mapping[str, Standing] | None:
        """Every article that the index holds, by id; None if there is no usable index."""
        ...

    def replace(self, articles: Sequence[Article]) -> None:
        """Put ``articles`` in the place of all that is there, at once for every reader; a crash leaves the old ones."""
        ...

    def view(self) -> AbstractContextManager[View]:
        """What stands now."""
        ...


class Meanings(Protocol):
    """A second ranking, by meaning instead of words."""

    def prepare(self, view: View) -> None:
        """Do now what the first search would have to wait for."""
        ...

    def closest(self, question: str, view: View, reader: Reader, limit: int) -> Mapping[int, float]:
        """The numbers of the passages for ``reader`` closest to ``question``, best first, each with its relevance."""
        ...


class PassageIndex:
    """A `KnowledgeIndex`: passages by their words, and by their meaning where there is a second ranking."""

    def __init__(self, shelf: Shelf, meanings: Meanings | None = None) -> None:
        self._shelf = shelf
        self._meanings = meanings

    def refresh(self, articles: Sequence[Article]) -> bool:
        """Make the index anew if it is not of exactly these articles; `InvalidDocument` as the protocol says."""
        held = self._shelf.standing()
        wanted = {article.id: standing_of(article) for article in articles}
        if wanted == held:
            self._prepare()
            return False
        problems = [
            Problem(
                file=article.file,
                line=None,
                field="version",
                message=f"the words changed and the version is still {article.version}: answers cite it. Raise it",
            )
            for article in articles
            if article.numbered
            and (was := (held or {}).get(article.id)) is not None
            and was.version == article.version
            and was.words_sha256 != article.sha256
        ]
        if problems:
            raise InvalidDocument(problems)
        self._shelf.replace(articles)
        self._prepare()
        return True

    def _prepare(self) -> None:
        if self._meanings is not None:
            with self._shelf.view() as view:
                self._meanings.prepare(view)

    def search(
        self, question: str, *, audience: Collection[str], language: str, at: datetime, limit: int
    ) -> Sequence[Hit]:
        """The passages closest to ``question``, best first."""
        reader = Reader(audience=frozenset(audience), language=language, day=at.astimezone(UTC).date())
        most = max(limit, CANDIDATES)
        with self._shelf.view() as view:
            asked = Question(question, view)
            by_words = view.best(asked.rarest(MAX_WORDS), reader, most)
            by_meaning: Mapping[int, float] = {}
            if self._meanings is not None:
                by_meaning = self._meanings.closest(question[:MAX_QUESTION], view, reader, most)
            order = _fused(by_words, list(by_meaning))[:limit]
            found = view.passages(order)
        return [
            Hit(passage=found[number], relevance=max(asked.relevance(found[number]), by_meaning.get(number, 0.0)))
            for number in order
        ]


class Question:
    """A question as sentences of words, each word weighing the more the fewer passages hold it."""

    def __init__(self, text: str, view: View) -> None:
        sentences = (frozenset(tokens(part)) for part in _SENTENCE.split(text[:MAX_QUESTION]))
        self._sentences = [words for words in sentences if words]
        words: frozenset[str] = frozenset().union(*self._sentences)
        self._total, self._known = view.frequencies(words)
        self._weights = {word: _rarity(self._known.get(word, 0), self._total) for word in words}

    def rarest(self, most: int) -> dict[str, float]:
        """Those words that stand in any passage, with their weights, the rarest first."""
        found = sorted(self._known, key=lambda word: (-self._weights[word], word))[:most]
        rare = [word for word in found if self._known[word] <= max(self._total * COMMON, FEW)]
        return {word: self._weights[word] for word in rare or found}

    def relevance(self, passage: Passage) -> float:
        """The share of the weight of the question's words that ``passage`` has, in the sentence where it is largest.

        A sentence counts at least half as heavy as the heaviest, so that a remark of one word decides nothing.
        """
        statement = passage.statement
        there = frozenset(tokens(f"{passage.title}\n{statement.heading}\n{statement.text}"))
        least = max(map(self._weight, self._sentences), default=0.0) / 2
        shares = (self._weight(words & there) / max(self._weight(words), least) for words in self._sentences)
        return max(shares, default=0.0)

    def _weight(self, words: Collection[str]) -> float:
        return sum(self._weights[word] for word in words)


def _fused(*rankings: Sequence[int]) -> list[int]:
    """Several rankings as one, by reciprocal rank."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] += 1 / (FUSION + rank)
    return sorted(scores, key=lambda number: (-scores[number], number))


def _rarity(seen: int, total: int) -> float:
    """The weight of a word that stands in ``seen`` of ``total`` passages, as BM25 has it."""
    return math.log(1 + (total - seen + 0.5) / (seen + 0.5))


def standing_of(article: Article) -> Standing:
    """What an index that holds ``article`` says of it."""
    return Standing(version=article.version, sha256=article.whole_sha256, words_sha256=article.sha256)
