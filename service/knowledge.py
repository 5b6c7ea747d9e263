"""The library of a deployment: where its index is kept, and who may read what."""

from __future__ import annotations

from pathlib import Path

from agents.embedding import embed
from agents.knowledge import Library, PassageIndex
from agents.knowledge.embeddings import Embedded
from agents.knowledge.index import Shelf
from agents.knowledge.sqlite import SqliteShelf
from service.database import Database
from service.deployment import Deployment, State


def open_library(deployment: Deployment, state: State, database: Database) -> Library | None:
    """The deployment's articles with an index that is up to date; None where it has none.

    The index is beside the app database: a file in the state folder for SQLite, a schema of its own in Postgres.

    Raises:
        InvalidDocument: an article changed and its version did not.
        EmbeddingsUnavailable: the settings ask for embeddings, and their files are missing.
    """
    return _library(deployment, _shelf(deployment, state, database)) if deployment.articles else None


def library_in(folder: Path, deployment: Deployment) -> Library | None:
    """As `open_library`, with a new index in ``folder``: for rehearsals, which leave the state alone."""
    return _library(deployment, SqliteShelf(folder / "knowledge.db")) if deployment.articles else None


def _library(deployment: Deployment, shelf: Shelf) -> Library:
    settings = deployment.settings.knowledge
    meanings = Embedded(embed) if settings.embeddings else None
    index = PassageIndex(shelf, meanings)
    index.refresh(deployment.articles)
    return Library(index=index, groups=settings.audiences, base_language=settings.base_language)


def _shelf(deployment: Deployment, state: State, database: Database) -> Shelf:
    if database.engine.dialect.name == "postgresql":
        from agents.knowledge.postgres import PostgresShelf

        return PostgresShelf(database.engine, tenant=deployment.settings.tenant)
    return SqliteShelf(state.folder / "knowledge.db")
