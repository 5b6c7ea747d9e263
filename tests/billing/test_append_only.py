"""The database refuses to change what was written, whichever way it is asked."""

import pytest
from sqlalchemy.exc import DatabaseError

from billing import ledger
from billing.append_only import statements
from billing.invoice import issue
from billing.periods import month
from billing.reversal import requester_returned
from billing.tables import CreditNoteRow, InvoiceRow
from tests.billing.books import DAY, START, TENANT, Books, claim, contract

TABLES = ["contracts", "transitions", "entries", "postings", "invoices", "credit_notes"]


@pytest.fixture
def full(books: Books) -> Books:
    """Books with at least one row in every append-only table."""
    books.settled(claim(1))
    books.settled(claim(2))
    with books.write() as session:
        now = START + 32 * DAY
        october = month("2026-10", "Europe/Berlin")
        issue(session, tenant=TENANT, signed_contract=contract(), period=october, now=now)
        requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=now, now=now)
    return books


def rows(books: Books, table: str) -> list[tuple[object, ...]]:
    with books.engine.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM billing_{table}")]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_{0} SET tenant = 'x'",
        "UPDATE OR REPLACE billing_{0} SET tenant = 'x'",
        "DELETE FROM billing_{0}",
        "INSERT OR REPLACE INTO billing_{0} SELECT * FROM billing_{0}",
        "REPLACE INTO billing_{0} SELECT * FROM billing_{0}",
        "INSERT INTO billing_{0} SELECT * FROM billing_{0} WHERE true ON CONFLICT DO UPDATE SET tenant = 'x'",
    ],
)
def test_no_row_is_changed_deleted_or_replaced(full: Books, table: str, statement: str) -> None:
    before = rows(full, table)
    assert before
    with pytest.raises(DatabaseError, match="append-only"):
        full.execute(statement.format(table))
    assert rows(full, table) == before


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_a_row_is_not_replaced_by_its_second_key(full: Books, recursive: str) -> None:
    with full.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive}")
        for table, columns in (
            ("entries", "tenant, 99, source, at, prev_hash, hash"),
            ("invoices", "tenant, 99, contract, period, document"),
            ("credit_notes", "tenant, 99, outcome_id, invoice, document"),
        ):
            with pytest.raises(DatabaseError, match=r"append-only|sum to zero"):
                connection.exec_driver_sql(
                    f"INSERT OR REPLACE INTO billing_{table} SELECT {columns} FROM billing_{table}"
                )


def test_no_hidden_rowid_lets_a_row_be_replaced(full: Books) -> None:
    for table in TABLES:
        with pytest.raises(DatabaseError, match="no such column"):
            full.execute(f"SELECT rowid FROM billing_{table}")


def test_an_entry_that_does_not_balance_is_refused(full: Books) -> None:
    entry = "INSERT INTO billing_entries VALUES ('acme', 50, 'x', '2026-10-01 00:00:00', '', '')"
    with pytest.raises(DatabaseError, match="sum to zero"):
        full.execute(entry)
    full.execute("INSERT INTO billing_postings VALUES ('acme', 50, 1, 'a', 5, 'USD')")
    full.execute("INSERT INTO billing_postings VALUES ('acme', 50, 2, 'b', -5, 'EUR')")
    with pytest.raises(DatabaseError, match="sum to zero"):
        full.execute(entry)
    full.execute("INSERT INTO billing_postings VALUES ('acme', 50, 3, 'b', -5, 'USD')")
    full.execute("INSERT INTO billing_postings VALUES ('acme', 50, 4, 'a', 5, 'EUR')")
    full.execute(entry)


def test_no_posting_joins_an_entry_later(full: Books) -> None:
    with pytest.raises(DatabaseError, match="written already"):
        full.execute("INSERT INTO billing_postings VALUES ('acme', 1, 9, 'a', 0, 'USD')")


def test_posting_goes_on_with_the_triggers_in_place(full: Books) -> None:
    full.claim(claim(3))
    full.verify(claim(3), now=START + 33 * DAY)
    full.settle("claim-3", now=START + 36 * DAY)
    with full.write() as session:
        assert ledger.verify_chain(ledger.entries(session, tenant=TENANT)) == ()
        assert session.get(InvoiceRow, (TENANT, 1)) is not None
        assert session.get(CreditNoteRow, (TENANT, 1)) is not None


def test_other_databases_are_refused() -> None:
    assert len(statements("postgresql")) > len(TABLES)
    with pytest.raises(ValueError, match="mysql"):
        statements("mysql")
