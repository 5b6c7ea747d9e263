"""The index in Postgres: tsvector and GIN over the same words as in SQLite, ranked by BM25 on top of ts_rank.

Words are handed over as finished lexemes, so neither the server's language settings nor its locale decide what is
found. The schema ``settle_knowledge`` is derived from the articles and no matter of migrations: dropping it loses
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from agents.knowledge.article import Article
from agents.knowledge.index import HEADING_WEIGHT, TITLE_WEIGHT, Passage, Reader, Standing, View, standing_of
from agents.knowledge.sqlite import SCHEMA, passage_of, spread

_TABLES = """
CREATE SCHEMA settle_knowledge;
CREATE TABLE settle_knowledge.made (tenant text PRIMARY KEY, generation text, schema integer, usual float8);
CREATE TABLE settle_knowledge.article (
    tenant text, id text, version text, title text, language text, valid_from date, valid_until date,
    audience text[], sha256 text, words_sha256 text, PRIMARY KEY (tenant, id)
);
CREATE TABLE settle_knowledge.passage (
    tenant text, number integer, article text, heading text, text text, words tsvector, PRIMARY KEY (tenant, number)
);
CREATE INDEX passage_words ON settle_knowledge.passage USING gin (words);
CREATE TABLE settle_knowledge.word (tenant text, word text, passages integer, PRIMARY KEY (tenant, word));
CREATE VIEW settle_knowledge.quotable AS
    SELECT tenant, number, article.id AS article, version, title, language, heading, text, words,
           valid_from, valid_until, audience
    FROM settle_knowledge.passage JOIN settle_knowledge.article USING (tenant)
    WHERE article.id = passage.article;
"""
_STANDING = "SELECT id, version, sha256, words_sha256 FROM settle_knowledge.article WHERE tenant = :tenant"
_CLEAR = (
    "DELETE FROM settle_knowledge.made WHERE tenant = :tenant",
    "DELETE FROM settle_knowledge.article WHERE tenant = :tenant",
    "DELETE FROM settle_knowledge.passage WHERE tenant = :tenant",
    "DELETE FROM settle_knowledge.word WHERE tenant = :tenant",
)
_MADE = "SELECT 1 FROM settle_knowledge.made WHERE tenant = :tenant"
_MAKE = "INSERT INTO settle_knowledge.made VALUES (:tenant, :generation, :schema, :usual)"
_ARTICLE = """
INSERT INTO settle_knowledge.article VALUES (
    :tenant, :id, :version, :title, :language, :valid_from, :valid_until, CAST(:audience AS text[]),
    :sha256, :words_sha256
)
"""
_PASSAGE = """
INSERT INTO settle_knowledge.passage VALUES (:tenant, :number, :article, :heading, :text, CAST(:words AS tsvector))
"""
_WORD = "INSERT INTO settle_knowledge.word VALUES (:tenant, :word, :passages)"
_MARKS = [1 / TITLE_WEIGHT, 1 / TITLE_WEIGHT, HEADING_WEIGHT / TITLE_WEIGHT, 1.0]
"""Weights of lexemes marked D, C, B and A."""
_ONCE = 0.607927 / TITLE_WEIGHT
"""What ts_rank makes of a word that stands once in a text (6 / π², times its weight): the unit of its frequency."""
MAX_COLUMN = 5_000
"""Words of one column that are kept; Postgres knows some 16,000 places in a text."""
_LOCK = 7_325_201
"""Advisory lock: one process at a time makes an index."""


class PostgresShelf:
    """A `Shelf` in the schema ``settle_knowledge``, with rows of one tenant among those of others."""

    def __init__(self, engine: sa.Engine, *, tenant: str) -> None:
        self._engine = engine
        self._tenant = tenant

    def standing(self) -> Mapping[str, Standing] | None:
        """Every article that the index holds; None if there is no index or one of another schema."""
        with self._engine.connect() as connection:
            mine = {"tenant": self._tenant}
            if not _current(connection) or not connection.execute(sa.text(_MADE), mine).all():
                return None
            rows = connection.execute(sa.text(_STANDING), mine)
            return {row[0]: Standing(version=row[1], sha256=row[2], words_sha256=row[3]) for row in rows}

    def replace(self, articles: Sequence[Article]) -> None:
        """Make the tenant's part of the index anew, in one transaction."""
        with self._engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if not _current(connection):
                connection.execute(sa.text("DROP SCHEMA IF EXISTS settle_knowledge CASCADE"))
                for statement in filter(str.strip, _TABLES.split(";")):
                    connection.execute(sa.text(statement))
            for statement in _CLEAR:
                connection.execute(sa.text(statement), {"tenant": self._tenant})
            self._fill(connection, articles)

    @contextmanager
    def view(self) -> Iterator[View]:
        """What stands now: one transaction that sees nothing of what others do meanwhile."""
        with self._engine.connect() as connection:
            yield _PostgresView(connection.execution_options(isolation_level="REPEATABLE READ"), self._tenant)

    def _fill(self, connection: sa.Connection, articles: Sequence[Article]) -> None:
        kept: list[dict[str, Any]] = []
        passages: list[dict[str, Any]] = []
        seen: Counter[str] = Counter()
        for article in articles:
            held = standing_of(article)
            kept.append(
                {
                    "id": article.id,
                    "version": article.version,
                    "title": article.title,
                    "language": article.language,
                    "valid_from": article.valid_from or date.min,
                    "valid_until": article.valid_until or date.max,
                    "audience": sorted(article.audience),
                    "sha256": held.sha256,
                    "words_sha256": held.words_sha256,
                }
            )
            for statement, *columns in spread(article):
                seen.update({word for column in columns for word in column})
                passages.append(
                    {
                        "number": len(passages) + 1,
                        "article": article.id,
                        "heading": statement.heading,
                        "text": statement.text,
                        "words": _lexemes(columns),
                    }
                )
        words = [{"word": word, "passages": count} for word, count in seen.items()]
        made = [{"generation": uuid4().hex, "schema": SCHEMA, "usual": max(seen.total() / max(len(passages), 1), 1)}]
        for insert, rows in ((_MAKE, made), (_ARTICLE, kept), (_PASSAGE, passages), (_WORD, words)):
            if rows:
                connection.execute(sa.text(insert), [{"tenant": self._tenant, **row} for row in rows])


class _PostgresView:
    def __init__(self, connection: sa.Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    @property
    def generation(self) -> str:
        return str(self._rows("SELECT generation FROM settle_knowledge.made WHERE tenant = :tenant")[0][0])

    def frequencies(self, words: Collection[str]) -> tuple[int, Mapping[str, int]]:
        total = self._rows("SELECT count(*) FROM settle_knowledge.passage WHERE tenant = :tenant")[0][0]
        found = self._rows(
            "SELECT word, passages FROM settle_knowledge.word WHERE tenant = :tenant AND word = ANY(:words)",
            words=sorted(words),
        )
        return int(total), {row[0]: row[1] for row in found}

    def best(self, weights: Mapping[str, float], reader: Reader, limit: int) -> Sequence[int]:
        if not weights:
            return []
        lexemes = [f"'{word}'" for word in weights]
        found = self._rows(
            """
            SELECT number FROM settle_knowledge.quotable
            WHERE tenant = :tenant AND words @@ CAST(:any AS tsquery)
              AND language = :language AND :day BETWEEN valid_from AND valid_until
              AND audience && CAST(:audience AS text[])
            ORDER BY (
                SELECT sum(weight * often / (often + 1.2 * (0.25 + 0.75 * length(words) / CAST(:usual AS float8))))
                FROM unnest(CAST(:lexemes AS text[]), CAST(:weights AS float8[])) AS asked (lexeme, weight),
                    LATERAL (
                        SELECT ts_rank(CAST(:marks AS real[]), words, CAST(lexeme AS tsquery)) / :once AS often
                    ) AS counted
            ) DESC, number
            LIMIT :limit
            """,
            any=" | ".join(lexemes),
            lexemes=lexemes,
            weights=list(weights.values()),
            marks=_MARKS,
            once=_ONCE,
            usual=self._rows("SELECT usual FROM settle_knowledge.made WHERE tenant = :tenant")[0][0],
            limit=limit,
            **_values(reader),
        )
        return [row[0] for row in found]

    def open_to(self, reader: Reader) -> Sequence[int]:
        found = self._rows(
            """
            SELECT number FROM settle_knowledge.quotable
            WHERE tenant = :tenant AND language = :language AND :day BETWEEN valid_from AND valid_until
              AND audience && CAST(:audience AS text[])
            ORDER BY number
            """,
            **_values(reader),
        )
        return [row[0] for row in found]

    def passages(self, numbers: Collection[int] | None = None) -> Mapping[int, Passage]:
        found = self._rows(
            """
            SELECT number, article, version, title, language, heading, text FROM settle_knowledge.quotable
            WHERE tenant = :tenant
              AND (CAST(:numbers AS integer[]) IS NULL OR number = ANY(CAST(:numbers AS integer[])))
            ORDER BY number
            """,
            numbers=None if numbers is None else list(numbers),
        )
        return {row[0]: passage_of(row) for row in found}

    def _rows(self, query: str, **values: Any) -> Sequence[Sequence[Any]]:
        return self._connection.execute(sa.text(query), {"tenant": self._tenant, **values}).fetchall()


def _current(connection: sa.Connection) -> bool:
    """True if the tables are there and of this `SCHEMA`."""
    there = connection.execute(sa.text("SELECT to_regclass('settle_knowledge.made')")).scalar()
    if there is None:
        return False
    others = sa.text("SELECT count(*) FROM settle_knowledge.made WHERE schema <> :schema")
    return connection.execute(others, {"schema": SCHEMA}).scalar() == 0


def _values(reader: Reader) -> dict[str, Any]:
    return {"language": reader.language, "day": reader.day, "audience": sorted(reader.audience)}


def _lexemes(columns: Sequence[Sequence[str]]) -> str:
    """The words of title, heading and text as a tsvector is written, marked A, B and D, each with its place."""
    marked = [(word, mark) for column, mark in zip(columns, "AB ", strict=True) for word in column[:MAX_COLUMN]]
    return " ".join(f"'{word}':{place}{mark.strip()}" for place, (word, mark) in enumerate(marked, 1))
