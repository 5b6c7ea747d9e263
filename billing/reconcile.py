"""Three ways to the same cents: outcomes, ledger, and invoices less credit notes. Differences are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from agents.money import Money
from billing import counters, ledger
from billing.contract_store import kept_contract
from billing.credit_notes import CreditNote, list_credit_notes
from billing.errors import BillingError
from billing.invoice import Invoice, invoices
from billing.ledger import JournalEntry
from billing.outcome import billable, unit_price
from billing.pricing import rate
from billing.tables import ChargeRow, OutcomeRow
from billing.transitions import OutcomeState

_CHARGED = (OutcomeState.SETTLED, OutcomeState.INVOICED)
_HOLDS_EPISODE = (OutcomeState.VERIFIED, *_CHARGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The three totals per currency, in minor units, and every difference found."""

    charged: dict[str, int]
    """Unreversed charges, from the outcomes."""
    ledger: dict[str, int]
    """Revenue, from the ledger."""
    invoiced: dict[str, int]
    """Invoices less credit notes."""
    not_invoiced: dict[str, int]
    """Unreversed charges that are on no invoice yet, from the outcomes."""
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if nothing differs."""
        return not self.differences


def reconcile(session: Session, *, tenant: str) -> Reconciliation:
    """Compare everything the books say about a tenant, to the cent. Reads only."""
    rows = session.exec(
        select(OutcomeRow)
        .where(OutcomeRow.tenant == tenant)
        .order_by(col(OutcomeRow.id))
        .execution_options(populate_existing=True)
    ).all()
    chain = ledger.entries(session, tenant=tenant)
    issued, notes = invoices(session, tenant=tenant), list_credit_notes(session, tenant=tenant)
    balances = ledger.balances(chain)
    charged = _sums(unit_price(row) for row in rows if row.state in _CHARGED)
    waiting = _sums(unit_price(row) for row in rows if row.state == OutcomeState.SETTLED)
    invoiced = _sums(invoice.total for invoice in issued)
    for note in notes:
        invoiced[note.amount.currency] = invoiced.get(note.amount.currency, 0) - note.amount.minor
    revenue = _balance(balances, "revenue:", sign=-1)
    differences = [*ledger.verify_chain(chain)]
    if (last := counters.last_number(session, tenant, counters.LEDGER)) != len(chain):
        differences.append(f"{last} entries were posted and {len(chain)} are in the ledger")
    differences += _differences_of_totals(
        charged,
        waiting,
        invoiced,
        revenue,
        _balance(balances, ledger.CONTRACT_ASSET),
        _balance(balances, "assets:receivable:"),
    )
    differences += _differences_of_entries(rows, issued, chain)
    differences += _differences_of_invoices(session, tenant, rows, issued, notes)
    differences += _differences_of_charges(session, tenant, rows)
    return Reconciliation(
        charged=charged,
        ledger=revenue,
        invoiced=invoiced,
        not_invoiced=waiting,
        differences=tuple(differences),
    )


def _differences_of_totals(
    charged: dict[str, int],
    waiting: dict[str, int],
    invoiced: dict[str, int],
    revenue: dict[str, int],
    asset: dict[str, int],
    receivable: dict[str, int],
) -> Iterator[str]:
    for name, left, right in (
        ("charged outcomes and the ledger's revenue", charged, revenue),
        ("charges waiting for an invoice and the ledger's contract asset", waiting, asset),
        ("invoices less credit notes and the ledger's receivables", invoiced, receivable),
    ):
        for currency in sorted(left.keys() | right.keys()):
            one, other = left.get(currency, 0), right.get(currency, 0)
            if one != other:
                yield f"{name} differ: {one} and {other} minor units of {currency}"


def _differences_of_entries(
    rows: Sequence[OutcomeRow], issued: Sequence[Invoice], chain: Sequence[JournalEntry]
) -> Iterator[str]:
    expected: dict[str, Money] = {f"invoice:{invoice.number}": invoice.total for invoice in issued}
    for row in rows:
        if row.settled_at is not None:
            expected[f"settle:{row.id}"] = unit_price(row)
        if row.reversed_at is not None:
            expected[f"reverse:{row.id}"] = unit_price(row)
    found = {entry.source: entry for entry in chain}
    for source in sorted(expected.keys() | found.keys()):
        if source not in found:
            yield f"the ledger has no entry {source} over {expected[source]}"
        elif source not in expected:
            yield f"the ledger's entry {found[source].seq} ({source}) has nothing behind it"
        else:
            debits = {(p.minor, p.currency) for p in found[source].postings if p.minor >= 0}
            if (expected[source].minor, expected[source].currency) not in debits:
                yield f"the ledger's entry {found[source].seq} ({source}) is not over {expected[source]}"


def _differences_of_invoices(
    session: Session,
    tenant: str,
    rows: Sequence[OutcomeRow],
    issued: Sequence[Invoice],
    notes: Sequence[CreditNote],
) -> Iterator[str]:
    by_id = {row.id: row for row in rows}
    on_invoice: dict[str, str] = {}
    for n, invoice in enumerate(issued, start=1):
        if invoice.number != f"INV-{n:04d}":
            yield f"invoice numbers have a gap at INV-{n:04d}"
        ids = [outcome_id for line in invoice.lines for outcome_id in line.outcomes]
        billables = [billable(by_id[i]) for i in ids if i in by_id]
        try:
            contract = kept_contract(session, tenant=tenant, reference=invoice.contract).verify()
            if rate(billables, contract) != invoice.lines:
                yield f"re-rating {invoice.number} gives other lines"
        except BillingError as error:
            yield f"{invoice.number} cannot be re-rated: {error}"
        for outcome_id in ids:
            if outcome_id in on_invoice:
                yield f"outcome {outcome_id} is on {on_invoice[outcome_id]} and on {invoice.number}"
            on_invoice[outcome_id] = invoice.number
    for row in rows:
        if on_invoice.get(row.id) != row.invoice:
            yield f"outcome {row.id} says invoice {row.invoice}, the invoices say {on_invoice.get(row.id)}"
    credited = {note.outcome_id: note for note in notes}
    for n, note in enumerate(notes, start=1):
        if note.number != f"CN-{n:04d}":
            yield f"credit note numbers have a gap at CN-{n:04d}"
        if on_invoice.get(note.outcome_id) != note.invoice:
            yield f"{note.number} credits outcome {note.outcome_id}, which is not on {note.invoice}"
    for row in rows:
        if (row.invoice is not None and row.reversed_at is not None) != (row.id in credited):
            found = "there" if row.id in credited else "missing"
            yield f"outcome {row.id} is {row.state} and its credit note is {found}"


def _differences_of_charges(session: Session, tenant: str, rows: Sequence[OutcomeRow]) -> Iterator[str]:
    holders = set(session.exec(select(ChargeRow.outcome_id).where(ChargeRow.tenant == tenant, col(ChargeRow.live))))
    expected = {row.id for row in rows if row.state in _HOLDS_EPISODE}
    for outcome_id in sorted(holders ^ expected):
        found = "holds an Episode it should not" if outcome_id in holders else "holds no Episode"
        yield f"outcome {outcome_id} {found}"


def _sums(amounts: Iterator[Money]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return sums


def _balance(balances: dict[tuple[str, str], int], prefix: str, *, sign: int = 1) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (account, currency), minor in balances.items():
        if account.startswith(prefix):
            sums[currency] = sums.get(currency, 0) + sign * minor
    return sums
