"""Where the line between a source and no source is drawn: measured on questions with and without an answer."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.embedding import embed
from agents.knowledge import Library, PassageIndex, read_articles
from agents.knowledge.embeddings import Embedded
from agents.knowledge.sqlite import SqliteShelf

TESTS = Path(__file__).parents[2]
QUESTIONS = [
    json.loads(line)
    for line in (TESTS / "service" / "help_centre_questions.jsonl").read_text(encoding="utf-8").splitlines()
]
NOW = datetime(2026, 7, 1, tzinfo=UTC)
Answers = Callable[[str, str], str | None]


@pytest.fixture(params=[False, True], ids=["words", "words and meaning"])
def answers(request: pytest.FixtureRequest, tmp_path: Path) -> Answers:
    """Question and language to the article that is quoted."""
    articles, _ = read_articles(TESTS / "service" / "help_centre" / "knowledge")
    index = PassageIndex(SqliteShelf(tmp_path / "k.db"), Embedded(embed) if request.param else None)
    index.refresh(articles)
    library = Library(index=index)

    def ask(question: str, language: str) -> str | None:
        hits = library.find(question, email="ann@example.com", language=language, at=NOW, limit=20)
        return max(hits, key=lambda hit: hit.relevance).passage.article if hits else None

    return ask


def test_what_is_answered_is_answered_from_the_right_article(answers: Answers) -> None:
    """The figures in docs/knowledge.md."""
    asked = [(one["article"], answers(one["question"], one["language"])) for one in QUESTIONS]
    answered = [(wanted, got) for wanted, got in asked if wanted is not None and got is not None]
    assert len(answered) >= 28
    assert all(wanted == got for wanted, got in answered)
    assert sum(wanted is None and got is not None for wanted, got in asked) <= 1


def test_questions_to_a_bank_are_hardly_ever_answered_by_a_shop(answers: Answers) -> None:
    data = Path(os.environ.get("SETTLE_SHARED_DATA", TESTS.parent.parent / "shared" / "data"))
    if not (data / "banking77").is_dir():
        pytest.skip("no banking77 data beside the project")
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    asked = random.Random(1).sample(rows, 500)
    assert sum(answers(row["text"], "en") is not None for row in asked) < 50
