"""The database refuses to change what was written: DDL for triggers on the append-only tables.

SQLite: UPDATE, DELETE, and any INSERT whose key is taken (REPLACE deletes rows without firing delete
triggers, so the insert itself is refused). Postgres: UPDATE, DELETE and TRUNCATE. Both: a journal entry whose
postings do not sum to zero, and a posting that comes after its entry.
"""

from __future__ import annotations

from collections.abc import Iterator

_TABLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "billing_contracts": (("tenant", "reference"),),
    "billing_transitions": (("tenant", "outcome_id", "n"),),
    "billing_entries": (("tenant", "seq"), ("tenant", "source")),
    "billing_postings": (("tenant", "seq", "n"),),
    "billing_invoices": (("tenant", "number"), ("tenant", "contract", "period")),
    "billing_credit_notes": (("tenant", "number"), ("tenant", "outcome_id")),
}
"""Every append-only table with each of its unique keys."""

_POSTINGS_OF_NEW = "SELECT 1 FROM billing_postings p WHERE p.tenant = NEW.tenant AND p.seq = NEW.seq"
_UNBALANCED = (
    f"NOT EXISTS ({_POSTINGS_OF_NEW}) OR EXISTS ({_POSTINGS_OF_NEW} GROUP BY p.currency HAVING SUM(p.minor) <> 0)"
)
_ENTRY_EXISTS = "EXISTS (SELECT 1 FROM billing_entries e WHERE e.tenant = NEW.tenant AND e.seq = NEW.seq)"
_UNBALANCED_MESSAGE = "billing_entries: an entry has postings that sum to zero per currency"
_LATE_MESSAGE = "billing_postings is append-only: the entry is written already"
_ERRCODE = "USING ERRCODE = 'integrity_constraint_violation'"


def statements(dialect_name: str) -> tuple[str, ...]:
    """The DDL for ``sqlite`` or ``postgresql``: execute it once, in order, after the tables were created."""
    match dialect_name:
        case "sqlite":
            return tuple(_sqlite())
        case "postgresql":
            return tuple(_postgresql())
    raise ValueError(f"append-only triggers exist for sqlite and postgresql, not for {dialect_name}")


def _sqlite() -> Iterator[str]:
    for table, keys in _TABLES.items():
        for action in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {action} refused'); END"
            )
        taken = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(f'{name} = NEW.{name}' for name in key)})"  # noqa: S608
            for key in keys
        )
        yield (
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: this key is taken'); END"
        )
    yield (
        f"CREATE TRIGGER billing_entries_balanced BEFORE INSERT ON billing_entries WHEN {_UNBALANCED} "
        f"BEGIN SELECT RAISE(ABORT, '{_UNBALANCED_MESSAGE}'); END"
    )
    yield (
        f"CREATE TRIGGER billing_postings_first BEFORE INSERT ON billing_postings WHEN {_ENTRY_EXISTS} "
        f"BEGIN SELECT RAISE(ABORT, '{_LATE_MESSAGE}'); END"
    )


def _postgresql() -> Iterator[str]:
    yield (
        "CREATE FUNCTION billing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP {_ERRCODE}; END $$"
    )
    for table in _TABLES:
        for action in ("UPDATE", "DELETE", "TRUNCATE"):
            yield (
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only()"
            )
    for table, condition, message, trigger in (
        ("billing_entries", _UNBALANCED, _UNBALANCED_MESSAGE, "billing_entries_balanced"),
        ("billing_postings", _ENTRY_EXISTS, _LATE_MESSAGE, "billing_postings_first"),
    ):
        yield (
            f"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION '{message}' {_ERRCODE}; END IF; RETURN NEW; END $$"
        )
        yield f"CREATE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {trigger}()"
