"""Sources: what a record is once it is read, and the dictionary among them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.clock import ManualClock
from evaluators import MemorySource
from evaluators.sources.source import acceptable_key, with_age, without_age
from tests.evaluators.judging import NOW

FIELDS = ("delivered_at", "placed_at")


@pytest.mark.parametrize(
    ("record", "age"),
    [
        ({"delivered_at": "2026-06-30T12:00:00+00:00", "placed_at": "2026-01-01"}, 1),
        ({"delivered_at": "2026-06-30T12:00:01+00:00"}, 0),
        ({"delivered_at": None, "placed_at": "2026-06-01"}, 30),
        ({"delivered_at": "soon", "placed_at": "2026-06-30T14:00:00+02:00"}, 1),
        ({"delivered_at": 5, "placed_at": "2026-06-29T12:00:00.000Z"}, 2),
        ({"placed_at": "2026-07-02T12:00:00Z"}, -1),
    ],
)
def test_age_in_whole_days(record: dict[str, object], age: int) -> None:
    aged = with_age(record, FIELDS, NOW)  # type: ignore[arg-type]
    assert aged == {**record, "age_days": age}
    assert without_age(aged) == record


def test_no_date_no_age() -> None:
    assert with_age({"placed_at": None}, FIELDS, NOW) == {"placed_at": None}
    assert with_age({"placed_at": "2026-06-01"}, (), NOW) == {"placed_at": "2026-06-01"}


@given(st.text(max_size=70))
def test_only_plain_keys_are_acceptable(key: str) -> None:
    plain = 1 <= len(key) <= 64 and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)
    assert acceptable_key(key) is plain


@pytest.mark.parametrize("key", ["", "a\n", "../x", "a/b", "a%2fb", "a b", "a" * 65, "\uff11"])
def test_keys_that_are_not(key: str) -> None:
    assert not acceptable_key(key)


async def test_a_dictionary_gives_fresh_copies() -> None:
    clock = ManualClock(datetime(2026, 7, 1, tzinfo=UTC))
    source = MemorySource(clock=clock, age_from=("placed_at",))
    record = {"id": "1", "placed_at": "2026-06-01", "items": [{"sku": "mug"}]}
    source.put("order", "1", record)  # type: ignore[arg-type]
    record["items"] = []
    read = await source.read("order", "1")
    assert read == {"id": "1", "placed_at": "2026-06-01", "items": [{"sku": "mug"}], "age_days": 30}
    read["items"] = []
    assert await source.read("order", "1") != read
    assert await source.read("customer", "1") is None
    assert await source.read("order", "../1") is None
    source.remove("order", "1")
    assert await source.read("order", "1") is None


def test_a_dictionary_takes_no_floats() -> None:
    with pytest.raises(TypeError, match="float"):
        MemorySource().put("order", "1", {"total": 1.5})
