"""Evidence: blobs under their sha256, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import EvidenceStore, FileEvidenceStore, MemoryEvidenceStore, Money
from agents.canonical import canonical_json, fingerprint, plain, sha256_hex
from agents.errors import EvidenceMissing
from agents.evidence import put_json

STORES: list[Callable[[Path], EvidenceStore]] = [FileEvidenceStore, lambda path: MemoryEvidenceStore()]


@pytest.mark.parametrize("make", STORES)
def test_what_is_put_is_got_under_its_hash(make: Callable[[Path], EvidenceStore], tmp_path: Path) -> None:
    store = make(tmp_path / "evidence")
    first = store.put(b"\x00pic", media_type="image/png", label="before")
    assert first.sha256 == sha256_hex(b"\x00pic")
    assert store.put(b"\x00pic", media_type="image/png", label="again").sha256 == first.sha256
    assert store.get(first.sha256) == b"\x00pic"
    for name in ("0" * 64, "", "../../etc/passwd", "A" * 64):
        with pytest.raises(EvidenceMissing):
            store.get(name)


def test_an_altered_or_removed_file_is_missing(tmp_path: Path) -> None:
    store = FileEvidenceStore(tmp_path)
    kept = store.put(b"a", media_type="text/plain", label="x")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(b"b")
    with pytest.raises(EvidenceMissing, match="altered"):
        store.get(kept.sha256)
    path.unlink()
    with pytest.raises(EvidenceMissing, match="nothing"):
        store.get(kept.sha256)


def test_json_is_canonical() -> None:
    store = MemoryEvidenceStore()
    assert put_json(store, {"b": 1, "a": "ü"}, label="x") == put_json(store, {"a": "ü", "b": 1}, label="x")


class Colour(StrEnum):
    """A text enum."""

    RED = "red"


@dataclass
class Point:
    """A dataclass."""

    x: int


def test_plain_data() -> None:
    value = {
        "c": Colour.RED,
        "p": Point(1),
        "m": Money(minor=1, currency="USD"),
        "d": Decimal("1.10"),
        "t": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1),
        "s": {2, 1},
        "tuple": (1, None, True),
    }
    assert plain(value) == {
        "c": "red",
        "p": {"x": 1},
        "m": {"minor": 1, "currency": "USD"},
        "d": "1.10",
        "t": "2026-01-01T00:00:00+00:00",
        "day": "2026-01-01",
        "s": [1, 2],
        "tuple": [1, None, True],
    }


@pytest.mark.parametrize("value", [1.0, datetime(2026, 1, 1), object(), [1.5], Point, b"x"])  # noqa: DTZ001
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_data_has_equal_bytes_and_other_data_others(one: object, two: object) -> None:
    assert (fingerprint(one) == fingerprint(two)) == (repr(_sorted(one)) == repr(_sorted(two)))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(item) for item in value] + ["list"] if isinstance(value, list) else value
