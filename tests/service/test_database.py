"""The app database: migrations give exactly the tables that the packages declare, and transactions hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from agents import tables
from agents.task import Task
from agents.ticket import Requester
from billing import tables as billing_tables
from evaluators import tables as evaluator_tables
from service import satisfaction
from service import tables as service_tables
from service.database import Database
from service.helpdesks import tables as helpdesk_tables

DECLARED = (tables, service_tables, helpdesk_tables, billing_tables, evaluator_tables, satisfaction)
TASK = Task(
    tenant="acme",
    id="T-1:task-1",
    ticket_id="T-1",
    requester=Requester(email="ada@example.com"),
    language="en",
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'app.db'}")
    made.upgrade()
    return made


def test_migrations_make_exactly_the_declared_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        tables.save_task(session, TASK)
    database.upgrade()
    with database.transaction() as session:
        assert tables.tasks(session, "acme") == [TASK]


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            tables.save_task(session, TASK)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with database.transaction() as session:
        assert tables.tasks(session, "acme") == []


def test_what_is_committed_survives_a_power_cut_as_far_as_sqlite_can_tell(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_ledger_refuses_changes_in_the_migrated_database(database: Database) -> None:
    with database.engine.begin() as connection:
        values = "('acme', 1, 'x', '2026-01-01 00:00:00', '', '')"
        with pytest.raises(sa.exc.DBAPIError, match="postings"):
            connection.exec_driver_sql(f"INSERT INTO billing_entries VALUES {values}")
