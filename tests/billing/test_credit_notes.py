"""Credit notes: an invoiced charge given back once, to the cent, saying why."""

from billing import ledger
from billing.credit_notes import list_credit_notes
from billing.invoice import find_invoice, issue
from billing.outcome import find_outcome
from billing.periods import month
from billing.reconcile import reconcile
from billing.reversal import proof_undone, requester_returned
from evaluators.verdict import Finding
from tests.billing.books import DAY, START, TENANT, Books, claim, contract, looked

NOW = START + 32 * DAY


def invoiced(books: Books) -> None:
    books.settled(claim(1))
    books.settled(claim(2))
    with books.write() as session:
        issue(
            session,
            tenant=TENANT,
            signed_contract=contract(),
            period=month("2026-10", "Europe/Berlin"),
            now=NOW,
        )


def test_a_reversal_after_the_invoice_is_credited_once(books: Books) -> None:
    invoiced(books)
    for _ in range(2):
        with books.write() as session:
            requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=NOW, now=NOW)
    with books.write() as session:
        (note,) = list_credit_notes(session, tenant=TENANT)
        assert (note.number, note.invoice, note.line, note.outcome_id) == (
            "CN-0001",
            "INV-0001",
            1,
            "claim-1",
        )
        assert (note.code, note.amount.minor, note.customer) == ("same_subject_reopened", 99, "acme")
        assert "came back" in note.reason
        balances = ledger.balances(ledger.entries(session, tenant=TENANT))
        assert balances["assets:receivable:acme", "USD"] == 99
        assert balances["revenue:refund_issued", "USD"] == -99
        assert find_outcome(session, tenant=TENANT, outcome_id="claim-1").state == "reversed"
        assert find_invoice(session, tenant=TENANT, number="INV-0001").total.minor == 198
        found = reconcile(session, tenant=TENANT)
        assert (found.ok, found.charged, found.ledger, found.invoiced) == (
            True,
            {"USD": 99},
            {"USD": 99},
            {"USD": 99},
        )


def test_numbers_have_no_gaps(books: Books) -> None:
    invoiced(books)
    with books.write() as session:
        requester_returned(session, tenant=TENANT, ticket_id="ticket-2", written_at=NOW, now=NOW)
        proof_undone(session, tenant=TENANT, outcome_id="claim-1", still_stands=looked(Finding.FAILED), now=NOW)
    with books.write() as session:
        notes = list_credit_notes(session, tenant=TENANT)
    assert [(note.number, note.outcome_id, note.code) for note in notes] == [
        ("CN-0001", "claim-2", "same_subject_reopened"),
        ("CN-0002", "claim-1", "proof_undone"),
    ]
