"""Reconciliation names every difference between outcomes, ledger and invoices."""

import pytest

from billing.invoice import issue
from billing.periods import month
from billing.reconcile import reconcile
from billing.reversal import requester_returned
from tests.billing.books import DAY, START, TENANT, Books, claim, contract

NOW = START + 32 * DAY


@pytest.fixture
def full(books: Books) -> Books:
    """Two charges invoiced, one of them credited, and one waiting."""
    books.settled(claim(1))
    books.settled(claim(2))
    with books.write() as session:
        october = month("2026-10", "Europe/Berlin")
        issue(session, tenant=TENANT, signed_contract=contract(), period=october, now=NOW)
        requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=NOW, now=NOW)
    books.claim(claim(3))
    books.verify(claim(3))
    books.settle("claim-3", now=NOW)
    with books.engine.begin() as connection:
        for table in ("transitions", "entries", "postings", "invoices", "credit_notes"):
            connection.exec_driver_sql(f"DROP TRIGGER billing_{table}_no_update")
            connection.exec_driver_sql(f"DROP TRIGGER billing_{table}_no_delete")
    return books


def test_untouched_books_agree(full: Books) -> None:
    with full.write() as session:
        found = reconcile(session, tenant=TENANT)
    assert found.differences == ()
    assert (found.charged, found.ledger) == ({"USD": 198}, {"USD": 198})
    assert (found.invoiced, found.not_invoiced) == ({"USD": 99}, {"USD": 99})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "UPDATE billing_outcomes SET price_minor = 98 WHERE id = 'claim-2'",
            "charged outcomes and the ledger's",
        ),
        (
            "UPDATE billing_outcomes SET state = 'settled', reversed_at = NULL WHERE id = 'claim-1'",
            "reverse:claim-1",
        ),
        ("UPDATE billing_outcomes SET invoice = NULL WHERE id = 'claim-2'", "claim-2 says invoice None"),
        ("DELETE FROM billing_outcomes WHERE id = 'claim-3'", "settle:claim-3) has nothing behind it"),
        (
            "UPDATE billing_postings SET minor = minor * 2 WHERE seq = 1",
            "entry 1 (settle:claim-1) was altered",
        ),
        ("DELETE FROM billing_entries WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM billing_entries WHERE seq = 5", "5 entries were posted and 4 are in the ledger"),
        ("DELETE FROM billing_invoices", "claim-2 says invoice INV-0001, the invoices say None"),
        (
            "UPDATE billing_invoices SET document = replace(document, '\"minor\":198', '\"minor\":199')",
            "re-rating",
        ),
        ("DELETE FROM billing_credit_notes", "credit note is missing"),
        (
            "UPDATE billing_credit_notes SET document = replace(document, 'CN-0001', 'CN-0002')",
            "gap at CN-0001",
        ),
        (
            "UPDATE billing_credit_notes SET document = replace(document, '\"minor\":99', '\"minor\":98')",
            "receivables",
        ),
        ("UPDATE billing_charges SET live = true", "claim-1 holds an Episode it should not"),
        ("UPDATE billing_charges SET live = false", "claim-2 holds no Episode"),
    ],
)
def test_every_damage_is_named(full: Books, damage: str, says: str) -> None:
    full.execute(damage)
    with full.write() as session:
        found = reconcile(session, tenant=TENANT)
    assert not found.ok
    assert says in "\n".join(found.differences)
