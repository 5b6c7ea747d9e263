"""The app database: one engine, short transactions, migrations.

SQLite by default: write-ahead log, synchronous=FULL, every transaction begins as a writer, so two of them never
deadlock half-way; those that only read (`reading`) hold up nobody. Postgres when the URL says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import Session

PRAGMAS = (
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
)


def connect(url: str) -> sa.Engine:
    """An engine for ``url``, with SQLite set up so that what is committed stays."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
    return engine


def connect_for_engine(url: str) -> sa.Engine | None:
    """Connections to the durable runtime's own SQLite database; None for others, which the runtime makes itself."""
    engine = sa.create_engine(url)
    if engine.dialect.name != "sqlite":
        return None

    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        _pragmas(connection)

    sa.event.listen(engine, "connect", set_up)
    return engine


def _set_up(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    _pragmas(connection)


def _pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("postgresql_readonly", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """The app database of one deployment."""

    def __init__(self, url: str) -> None:
        """Connect to ``url``; nothing is created before `upgrade`."""
        self.engine = connect(url)

    def upgrade(self) -> None:
        """Bring the tables to this version, in one transaction on SQLite and Postgres."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One view of everything as it stands now; others go on writing meanwhile. Nothing is written here."""
        options: dict[str, Any] = {"postgresql_readonly": True}
        if self.engine.dialect.name != "sqlite":  # there, what a transaction sees stays as it is
            options["isolation_level"] = "REPEATABLE READ"
        with Session(self.engine.execution_options(**options)) as session:
            yield session

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()
