"""Fixtures of the billing tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.books import Books


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """An empty database of books in a file."""
    opened = Books(tmp_path)
    yield opened
    opened.close()
