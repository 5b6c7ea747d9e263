"""The index as a SQLite file of its own, with FTS5. A new index is a new file that takes the place of the old one."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.knowledge.article import Article, Statement
from agents.knowledge.index import HEADING_WEIGHT, TITLE_WEIGHT, Passage, Reader, Standing, View, standing_of
from agents.knowledge.words import tokens

SCHEMA = 2
"""Changes with the tables and with what counts as a word: an index of another number is made anew."""
ALWAYS, FOR_EVER = "0001-01-01", "9999-12-31"
_TABLES = """
CREATE TABLE article (
    id TEXT PRIMARY KEY, version TEXT, title TEXT, language TEXT, sha256 TEXT, words_sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE passage (number INTEGER PRIMARY KEY, article TEXT, heading TEXT, text TEXT);
CREATE TABLE scope (
    number INTEGER PRIMARY KEY, language TEXT, valid_from TEXT, valid_until TEXT, audience TEXT,
    UNIQUE (language, valid_from, valid_until, audience)
);
CREATE TABLE place (number INTEGER PRIMARY KEY, scope INTEGER);
CREATE TABLE made (generation TEXT);
CREATE VIEW quotable AS
    SELECT number, article.id AS article, version, title, language, heading, text
    FROM passage JOIN article ON article.id = passage.article;
CREATE TABLE word (word TEXT PRIMARY KEY, passages INTEGER) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(title, heading, text, content='', tokenize='unicode61 remove_diacritics 0');
"""


class SqliteShelf:
    """A `Shelf` in the file ``path``. Every call opens it afresh, so a new file is seen by the next call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def standing(self) -> Mapping[str, Standing] | None:
        """Every article that the index holds; None if the file is missing, broken or of another schema."""
        try:
            with self._connection() as connection:
                if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA,):
                    return None
                rows = connection.execute("SELECT id, version, sha256, words_sha256 FROM article").fetchall()
        except sqlite3.DatabaseError:
            return None
        return {key: Standing(version=version, sha256=whole, words_sha256=words) for key, version, whole, words in rows}

    def replace(self, articles: Sequence[Article]) -> None:
        """Write a new file and put it in the place of the old one; a crash on the way leaves the old one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        os.close(handle)
        try:
            with closing(sqlite3.connect(name)) as connection:
                connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
                with connection:
                    _fill(connection, articles)
                    connection.execute(f"PRAGMA user_version={SCHEMA}")
            with Path(name).open("rb") as file:
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def view(self) -> Iterator[View]:
        """What stands now; one connection to one file, which stays readable when another takes its place."""
        with self._connection() as connection:
            yield _SqliteView(connection)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield connection


class _SqliteView:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def generation(self) -> str:
        return str(self._connection.execute("SELECT generation FROM made").fetchone()[0])

    def frequencies(self, words: Collection[str]) -> tuple[int, Mapping[str, int]]:
        total = self._connection.execute("SELECT count(*) FROM passage").fetchone()[0]
        found = self._connection.execute(
            "SELECT word, passages FROM word WHERE word IN (SELECT value FROM json_each(?))",
            [json.dumps(sorted(words))],
        )
        return total, dict(found.fetchall())

    def best(self, weights: Mapping[str, float], reader: Reader, limit: int) -> Sequence[int]:
        if not weights:
            return []
        found = self._connection.execute(
            """
            SELECT place.number FROM words JOIN place ON place.number = words.rowid
            WHERE words MATCH :words AND place.scope IN (SELECT value FROM json_each(:scopes))
            ORDER BY bm25(words, :title, :heading, 1.0), place.number LIMIT :limit
            """,
            {
                "scopes": self._scopes(reader),
                "words": " OR ".join(f'"{word}"' for word in weights),
                "title": TITLE_WEIGHT,
                "heading": HEADING_WEIGHT,
                "limit": limit,
            },
        )
        return [row[0] for row in found]

    def open_to(self, reader: Reader) -> Sequence[int]:
        found = self._connection.execute(
            "SELECT number FROM place WHERE scope IN (SELECT value FROM json_each(?)) ORDER BY number",
            [self._scopes(reader)],
        )
        return [row[0] for row in found]

    def passages(self, numbers: Collection[int] | None = None) -> Mapping[int, Passage]:
        found = self._connection.execute(
            """
            SELECT number, article, version, title, language, heading, text FROM quotable
            WHERE :numbers IS NULL OR number IN (SELECT value FROM json_each(:numbers)) ORDER BY number
            """,
            {"numbers": None if numbers is None else json.dumps(list(numbers))},
        )
        return {row[0]: passage_of(row) for row in found}

    def _scopes(self, reader: Reader) -> str:
        """The scopes that ``reader`` may see, as JSON."""
        found = self._connection.execute(
            """
            SELECT number FROM scope
            WHERE language = :language AND :day BETWEEN valid_from AND valid_until
              AND EXISTS (SELECT 1 FROM json_each(scope.audience) WHERE value IN (SELECT value FROM json_each(:own)))
            """,
            {"language": reader.language, "day": reader.day.isoformat(), "own": json.dumps(sorted(reader.audience))},
        )
        return json.dumps([row[0] for row in found])


def spread(article: Article) -> Iterator[tuple[Statement, list[str], list[str], list[str]]]:
    """Each statement of ``article`` with the words of its title, its heading and its text."""
    title = tokens(article.title)
    for statement in article.statements:
        yield statement, title, tokens(statement.heading), tokens(statement.text)


def _fill(connection: sqlite3.Connection, articles: Sequence[Article]) -> None:
    seen: Counter[str] = Counter()
    scopes: dict[tuple[str, ...], int] = {}
    number = 0
    for article in articles:
        held = standing_of(article)
        days = (str(article.valid_from or ALWAYS), str(article.valid_until or FOR_EVER))
        values = (article.id, article.version, article.title, article.language, held.sha256, held.words_sha256)
        connection.execute("INSERT INTO article VALUES (?, ?, ?, ?, ?, ?)", values)
        readers = (article.language, *days, json.dumps(sorted(article.audience)))
        scope = scopes.setdefault(readers, len(scopes) + 1)
        for statement, *columns in spread(article):
            number += 1
            connection.execute(
                "INSERT INTO passage VALUES (?, ?, ?, ?)", (number, article.id, statement.heading, statement.text)
            )
            connection.execute(
                "INSERT INTO words (rowid, title, heading, text) VALUES (?, ?, ?, ?)", (number, *map(" ".join, columns))
            )
            connection.execute("INSERT INTO place VALUES (?, ?)", (number, scope))
            seen.update({word for column in columns for word in column})
    connection.executemany("INSERT INTO scope VALUES (?, ?, ?, ?, ?)", [(n, *each) for each, n in scopes.items()])
    connection.executemany("INSERT INTO word VALUES (?, ?)", seen.items())
    connection.execute("INSERT INTO made VALUES (?)", [uuid4().hex])
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def passage_of(row: Sequence[Any]) -> Passage:
    """The passage in a row of number, article, version, title, language, heading, text."""
    number, article, version, title, language, heading, text = row
    return Passage(
        number=number,
        article=article,
        version=version,
        title=title,
        language=language,
        statement=Statement(heading=heading, text=text),
    )
