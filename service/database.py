"""The app database: one engine, short transactions, migrations.

SQLite by default: write-ahead log, synchronous=FULL, every transaction begins as a writer, so two of them never
deadlock half-way; those that only read (`reading`) hold up nobody. Postgres when the URL says so.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import Session

from service.deployment import State
from service.errors import DatabaseDamaged, NoState
from service.settings import Settings

PRAGMAS = (
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
)
_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def connect(url: str) -> sa.Engine:
    """An engine for ``url``, with SQLite set up so that what is committed stays."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        _keep_private_and_say_what_is_damaged(engine)
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
    return engine


def connect_for_engine(url: str) -> sa.Engine | None:
    """Connections to the durable runtime's own SQLite database; None for others, which the runtime makes itself.

    Raises:
        DatabaseDamaged: the file is damaged, as far as its first page shows; the runtime would print a traceback.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name != "sqlite":
        return None

    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        _pragmas(connection)

    _keep_private_and_say_what_is_damaged(engine)
    sa.event.listen(engine, "connect", set_up)
    with engine.connect():
        return engine


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for others, and for what is no URL."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        return None
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _keep_private_and_say_what_is_damaged(engine: sa.Engine) -> None:
    file = database_file(str(engine.url))
    if file is None:
        return

    def create(*_: Any) -> None:  # SQLite's own files beside it get the same mode
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))

    def explain(context: sa.engine.ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", 0) or 0
        if code & 0xFF in _DAMAGED:
            raise DatabaseDamaged(str(file), str(context.original_exception)) from None

    sa.event.listen(engine, "do_connect", create)
    sa.event.listen(engine, "handle_error", explain)


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


def open_database(state: State, settings: Settings) -> Database:
    """The app database of ``state``, brought to this version; made if there is none yet.

    Raises:
        NoState: it is gone, and what the engine remembers is not.
        DatabaseDamaged: its file is damaged.
    """
    forgotten = forgotten_work(state, settings)
    if forgotten:
        raise NoState(forgotten)
    database = Database(state.database_url(settings.database))
    try:
        database.upgrade()
    except BaseException:
        database.close()
        raise
    return database


def forgotten_work(state: State, settings: Settings) -> str:
    """What to do about an app database that is gone while the engine's, which belongs to it, is there; else empty.

    The engine would take every ticket that it remembers for done.
    """
    app, engine = database_file(state.database_url(settings.database)), database_file(state.engine_url())
    if settings.runtime != "durable" or app is None or engine is None or _holds_something(app):
        return ""
    if not _holds_something(engine):
        return ""
    return (
        f"{app} is gone or empty, and {engine}, which remembers the work on its tickets, is not: restore both from one "
        f"backup; or, to begin anew with nothing of what was done, remove {engine} too (and {engine.name}-wal, -shm)"
    )


def _holds_something(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
