"""Articles as the evaluators read them: from the files as they are now, and with the readers that the settings name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.clock import ManualClock
from evaluators import KnowledgeSource, SourceUnavailable, UnknownSource
from evaluators.sources.knowledge import FIELDS

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
TEXT = """---
version: 3
audience: partners
valid_until: 2026-07-02
---
# Discount

Dealers get 35 percent.

## Abroad

Not for orders from abroad.
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def source(tmp_path: Path, clock: ManualClock) -> KnowledgeSource:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "discount.md").write_text(TEXT)
    (tmp_path / "free.md").write_text("---\nid: open\n---\nWords.\n")
    groups = {"partners": ["dealer.example", "bob@mail.example"], "staff": ["acme.example"]}
    return KnowledgeSource(name="articles", folder=tmp_path, groups=groups, clock=clock)


async def test_a_record_says_what_may_be_quoted_to_whom_and_until_when(source: KnowledgeSource) -> None:
    record = await source.read("article", "discount")
    assert record is not None
    assert set(record) == FIELDS
    assert len(str(record.pop("sha256"))) == 64
    assert record == {
        "id": "discount",
        "title": "Discount",
        "version": "3",
        "language": "en",
        "audience": ["partners"],
        "public": False,
        "readers": ["bob@mail.example", "dealer.example"],
        "valid_from": None,
        "valid_until": "2026-07-02",
        "valid": True,
        "statements": ["Dealers get 35 percent.", "Abroad: Not for orders from abroad."],
    }
    free = await source.read("article", "open")
    assert free is not None
    assert (free["public"], free["readers"]) == (True, [])


async def test_every_look_is_a_fresh_one(source: KnowledgeSource, tmp_path: Path, clock: ManualClock) -> None:
    first = await source.read("article", "discount")
    clock.advance(timedelta(days=2))
    later = await source.read("article", "discount")
    assert first is not None
    assert later is not None
    assert (first["valid"], later["valid"]) == (True, False)
    path = tmp_path / "deep" / "discount.md"
    path.write_text(TEXT.replace("35", "40"))
    changed = await source.read("article", "discount")
    assert changed is not None
    assert changed["statements"] != first["statements"]
    path.rename(tmp_path / "discount.md")
    assert await source.read("article", "discount") is not None
    (tmp_path / "discount.md").write_text(TEXT.replace("version: 3", "version: 3\nid: other"))
    assert await source.read("article", "discount") is None
    (tmp_path / "discount.md").unlink()
    assert await source.read("article", "other") is None


async def test_what_cannot_be_read_is_no_answer(source: KnowledgeSource, tmp_path: Path) -> None:
    assert await source.read("article", "../free") is None
    with pytest.raises(UnknownSource, match=r"articles\.order"):
        await source.read("order", "discount")
    (tmp_path / "deep" / "discount.md").write_bytes(b"\xff\xff")
    with pytest.raises(SourceUnavailable, match=r"discount\.md"):
        await source.read("article", "discount")
