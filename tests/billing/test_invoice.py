"""Invoices: the right month, the right lines, once, and equal to the ledger."""

from datetime import UTC, datetime

import pytest

from agents.money import Money
from billing import ledger
from billing.counters import INVOICE, last_number
from billing.errors import (
    ContractNotInForce,
    InvoiceMismatch,
    InvoiceNotFound,
    PeriodClosed,
    PeriodNotOver,
)
from billing.invoice import Invoice, find_invoice, invoices, issue, periods_to_invoice
from billing.outcome import find_outcome
from billing.periods import month
from billing.reconcile import reconcile
from billing.reversal import requester_returned
from tests.billing.books import CONTRACT, DAY, HOUR, START, TENANT, Books, claim, contract, drafted, signed

OCTOBER = month("2026-10", "Europe/Berlin")
NOVEMBER = month("2026-11", "Europe/Berlin")
NEXT_DAY = OCTOBER.end + DAY


def issued(books: Books, now: datetime = NEXT_DAY, **changes: object) -> Invoice | None:
    asked = {"tenant": TENANT, "signed_contract": contract(), "period": OCTOBER, "now": now, **changes}
    with books.write() as session:
        return issue(session, **asked)  # type: ignore[arg-type]


def charge(books: Books, n: int, settled_at: datetime, outcome_type: str = "refund_issued") -> None:
    about = claim(n, outcome_type=outcome_type)
    books.claim(about)
    books.verify(about)
    books.settle(about.id, now=settled_at)


def test_an_invoice_has_a_line_per_type_and_the_ledgers_total(books: Books) -> None:
    for n in range(3):
        charge(books, n, START + 5 * DAY)
    charge(books, 3, START + 6 * DAY, "order_status_told")
    invoice = issued(books)
    assert invoice is not None
    assert (invoice.number, invoice.purchase_order, invoice.period) == ("INV-0001", "PO-4711", "2026-10")
    assert [(line.outcome_type, line.quantity, line.amount.minor) for line in invoice.lines] == [
        ("order_status_told", 1, 29),
        ("refund_issued", 3, 297),
    ]
    assert [line.evidence_class for line in invoice.lines] == ["grounded", "effect_verified"]
    assert invoice.total == Money(minor=326, currency="USD")
    assert "within 30d of its settlement" in invoice.terms[0]
    assert "within 60d" in invoice.terms[1]
    assert "credit" in invoice.terms[1]
    with books.write() as session:
        balances = ledger.balances(ledger.entries(session, tenant=TENANT))
        assert balances["assets:receivable:acme", "USD"] == 326
        assert balances["assets:contract", "USD"] == 0
        outcome = find_outcome(session, tenant=TENANT, outcome_id="claim-1")
        assert (outcome.state, outcome.invoice) == ("invoiced", "INV-0001")
        assert reconcile(session, tenant=TENANT).ok


def test_asked_again_it_is_the_same_invoice(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    once = issued(books)
    assert issued(books, NEXT_DAY + DAY) == once
    with books.write() as session:
        assert invoices(session, tenant=TENANT) == (once,)
        assert find_invoice(session, tenant=TENANT, number="INV-0001") == once
        assert last_number(session, TENANT, INVOICE) == 1


def test_a_charge_belongs_to_the_month_of_the_contracts_time_zone(books: Books) -> None:
    charge(books, 1, datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC))
    charge(books, 2, datetime(2026, 10, 31, 23, tzinfo=UTC))
    october, november = issued(books), issued(books, NOVEMBER.end, period=NOVEMBER)
    assert october is not None
    assert november is not None
    assert october.lines[0].outcomes == ("claim-1",)
    assert november.lines[0].outcomes == ("claim-2",)
    assert november.number == "INV-0002"


def test_a_period_without_charges_uses_no_number(books: Books) -> None:
    assert issued(books) is None
    charge(books, 1, NEXT_DAY)
    later = issued(books, NOVEMBER.end, period=NOVEMBER)
    assert later is not None
    assert later.number == "INV-0001"


def test_a_period_is_invoiced_after_its_end(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    with pytest.raises(PeriodNotOver):
        issued(books, OCTOBER.end - HOUR)
    with pytest.raises(InvoiceMismatch, match="Europe/Berlin"):
        issued(books, period=month("2026-10", "UTC"))


def test_nothing_settles_into_an_invoiced_period(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    issued(books)
    with pytest.raises(PeriodClosed):
        charge(books, 2, START + 5 * DAY)
    books.settle("claim-2", now=NEXT_DAY)
    with books.write() as session:
        assert reconcile(session, tenant=TENANT).ok


def test_a_reversal_before_the_invoice_is_listed_and_costs_nothing(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    charge(books, 2, START + 5 * DAY)
    at = START + 8 * DAY
    with books.write() as session:
        requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=at, now=at)
    invoice = issued(books)
    assert invoice is not None
    assert (invoice.total.minor, invoice.lines[0].outcomes) == (99, ("claim-2",))
    assert [(each.outcome_id, each.code) for each in invoice.reversed] == [("claim-1", "same_subject_reopened")]


def test_an_unsigned_contract_invoices_nothing(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    with pytest.raises(ContractNotInForce):
        issued(books, signed_contract=drafted())
    dearer = signed(CONTRACT.replace("0.99", "1.99"))
    with pytest.raises(InvoiceMismatch, match="other terms"):
        issued(books, signed_contract=dearer)


@pytest.mark.parametrize("loss", ["settle:claim-1", "price"])
def test_no_invoice_is_issued_that_differs_from_the_ledger(books: Books, loss: str) -> None:
    charge(books, 1, START + 5 * DAY)
    with books.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER billing_postings_no_update")
        connection.exec_driver_sql("DROP TRIGGER billing_entries_no_update")
        if loss == "price":
            connection.exec_driver_sql("UPDATE billing_postings SET minor = minor * 2")
        else:
            connection.exec_driver_sql("UPDATE billing_entries SET source = 'lost'")
    with pytest.raises(InvoiceMismatch, match="the ledger moved"):
        issued(books)
    with books.write() as session:
        assert invoices(session, tenant=TENANT) == ()
        assert not reconcile(session, tenant=TENANT).ok


def test_periods_to_invoice_are_those_that_are_over(books: Books) -> None:
    charge(books, 1, START + 5 * DAY)
    charge(books, 2, NEXT_DAY)
    with books.write() as session:
        waiting = periods_to_invoice(session, tenant=TENANT, signed_contract=contract(), now=NEXT_DAY)
        assert waiting == (OCTOBER,)
        later = periods_to_invoice(session, tenant=TENANT, signed_contract=contract(), now=NOVEMBER.end)
        assert later == (OCTOBER, NOVEMBER)
    issued(books)
    with books.write() as session:
        assert not periods_to_invoice(session, tenant=TENANT, signed_contract=contract(), now=NEXT_DAY)


@pytest.mark.parametrize("number", ["INV-0002", "INV-", "INV-x", "", "INV-²"])
def test_an_unknown_number_is_no_invoice(books: Books, number: str) -> None:
    with pytest.raises(InvoiceNotFound), books.write() as session:
        find_invoice(session, tenant=TENANT, number=number)
