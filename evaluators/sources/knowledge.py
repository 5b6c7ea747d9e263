"""Articles as records: read from their files on every look, never from the agent's index."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import JsonValue

from agents.clock import Clock
from agents.errors import InvalidDocument
from agents.knowledge import PUBLIC, Article, Groups, article_files, read_article, readers
from evaluators.errors import SourceUnavailable, UnknownSource
from evaluators.sources.source import acceptable_key

ARTICLE = "article"
"""The one kind of record."""
FIELDS = frozenset(
    {
        *("id", "title", "version", "sha256", "language", "audience", "public", "readers"),
        *("valid_from", "valid_until", "valid", "statements"),
    }
)
"""What such a record holds."""


class KnowledgeSource:
    """A folder of articles as a system of record.

    A record holds ``id``, ``title``, ``version``, ``sha256`` (of the words), ``language``; ``audience`` (its groups),
    ``public`` (true if everybody may read it) and ``readers`` (the mail domains and addresses that may); ``valid_from``
    and ``valid_until`` (ISO dates or null) and ``valid`` (on the day of the reading); ``statements``: every statement
    as it may be quoted.
    """

    def __init__(self, *, name: str, folder: Path, groups: Groups, clock: Clock) -> None:
        """``groups`` says who belongs to which audience; ``name`` is what contracts call the source."""
        self.name = name
        self._folder = folder
        self._groups = groups
        self._clock = clock
        self._places: dict[str, Path] = {}
        """Where articles were last seen: only a hint where to look first."""

    async def read(self, kind: str, key: str) -> dict[str, JsonValue] | None:
        """The article with the id ``key`` as its file has it now; None without one.

        Raises:
            SourceUnavailable: a file that may be the article cannot be used.
            UnknownSource: ``kind`` is not ``article``.
        """
        if kind != ARTICLE:
            raise UnknownSource(f"{self.name}.{kind}", (f"{self.name}.{ARTICLE}",))
        if not acceptable_key(key):
            return None
        try:
            article = await asyncio.to_thread(self._find, key)
        except InvalidDocument as error:
            raise SourceUnavailable(self.name, str(error.problems[0])) from None
        return None if article is None else self._record(article)

    def _find(self, key: str) -> Article | None:
        place = self._places.get(key)
        if place is not None and place.exists():
            article = read_article(place)
            if article.id == key:
                return article
        for path in article_files(self._folder):
            article = read_article(path)
            self._places[article.id] = path
            if article.id == key:
                return article
        return None

    def _record(self, article: Article) -> dict[str, JsonValue]:
        return {
            "id": article.id,
            "title": article.title,
            "version": article.version,
            "sha256": article.sha256,
            "language": article.language,
            "audience": list[JsonValue](sorted(article.audience)),
            "public": PUBLIC in article.audience,
            "readers": list[JsonValue](readers(article.audience, self._groups)),
            "valid_from": article.valid_from.isoformat() if article.valid_from else None,
            "valid_until": article.valid_until.isoformat() if article.valid_until else None,
            "valid": article.valid_at(self._clock.now()),
            "statements": [statement.quote for statement in article.statements],
        }
