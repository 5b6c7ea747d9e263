"""The money side of the report: invoices, credit notes, the ledger, and how the three agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from billing import CreditNote, Invoice, JournalEntry, invoices, list_credit_notes, reconcile, verify_bundle
from billing import ledger as chain
from billing.verify import BundleCheck
from service.reasons import words
from service.shown import amount, amounts, day, minute, when

MAX_ENTRIES = 2_000
"""Journal entries that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLink:
    """A ticket that something is about."""

    name: str
    anchor: str
    """Empty if the report has no such ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One line of an invoice."""

    number: int
    name: str
    means: str
    evidence_class: str
    quantity: int
    unit: str
    basis: str
    """How the unit price comes about where it is a share; empty where it is fixed."""
    amount: str
    tickets: tuple[TicketLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversedView:
    """Something that was taken back: before the invoice, or by a credit note."""

    number: str
    """Of the credit note; empty where none was needed."""
    line: str
    """Of the invoice; empty without one."""
    name: str
    why: str
    at: str
    amount: str
    ticket: TicketLink


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleView:
    """What an offline check of an invoice's bundle found, just now."""

    path: str
    """As somebody types it who stands beside the state folder."""
    written: bool
    ok: bool
    checks: tuple[BundleCheck, ...]
    cannot_prove: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """One invoice, with its credit notes and its bundle."""

    number: str
    vendor: str
    customer: str
    purchase_order: str
    contract: str
    contract_sha256: str
    period: str
    period_from: str
    period_to: str
    timezone: str
    issued: str
    lines: tuple[LineView, ...]
    total: str
    reversed: tuple[ReversedView, ...]
    credits: tuple[ReversedView, ...]
    credited: str
    """Total of the credit notes; empty without any."""
    left: str
    """The total less the credit notes."""
    terms: tuple[str, ...]
    bundle: BundleView


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingView:
    """One side of a journal entry, or an account with its balance."""

    account: str
    debit: str
    credit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One journal entry."""

    seq: int
    source: str
    at: str
    hash: str
    postings: tuple[PostingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksView:
    """All of it."""

    invoices: tuple[InvoiceView, ...]
    accounts: tuple[PostingView, ...]
    balance_debits: str
    balance_credits: str
    entries: tuple[EntryView, ...]
    entries_left_out: int
    debits: str
    credits: str
    head: str
    """Hash of the last entry; empty without entries."""
    charged: Mapping[str, int]
    """Minor units per currency, by the outcomes."""
    totals: tuple[tuple[str, str], ...]
    """What is compared, each with its amount."""
    waiting: str
    """Charges that are on no invoice yet; empty without any."""
    differences: tuple[str, ...]


def books_view(
    session: Session, *, tenant: str, currency: str, bundles: Path, anchors: Mapping[str, TicketLink]
) -> BooksView:
    """The books of a tenant. ``anchors`` leads from outcomes to tickets; ``bundles`` is the folder of bundles."""
    entries = chain.entries(session, tenant=tenant)
    notes = list_credit_notes(session, tenant=tenant)
    found = reconcile(session, tenant=tenant)
    balances = sorted(chain.balances(entries).items())
    debits, credits = _sides((each.currency, each.minor) for entry in entries for each in entry.postings)
    balance_debits, balance_credits = _sides((of, minor) for (_, of), minor in balances)
    return BooksView(
        invoices=tuple(
            _invoice(invoice, [note for note in notes if note.invoice == invoice.number], bundles, anchors)
            for invoice in invoices(session, tenant=tenant)
        ),
        accounts=tuple(_posting(account, minor, of) for (account, of), minor in balances),
        balance_debits=amounts(balance_debits, currency),
        balance_credits=amounts(balance_credits, currency),
        entries=tuple(_entry(entry) for entry in entries[:MAX_ENTRIES]),
        entries_left_out=max(0, len(entries) - MAX_ENTRIES),
        debits=amounts(debits, currency),
        credits=amounts(credits, currency),
        head=entries[-1].hash if entries else "",
        charged=found.charged,
        totals=(
            ("Charged outcomes", amounts(found.charged, currency)),
            ("Revenue in the ledger", amounts(found.ledger, currency)),
            ("Invoices less credit notes", amounts(found.invoiced, currency)),
        ),
        waiting=amounts(found.not_invoiced, currency) if any(found.not_invoiced.values()) else "",
        differences=found.differences,
    )


def _invoice(
    invoice: Invoice, notes: Sequence[CreditNote], bundles: Path, anchors: Mapping[str, TicketLink]
) -> InvoiceView:
    credited = sum(note.amount.minor for note in notes)
    return InvoiceView(
        number=invoice.number,
        vendor=invoice.vendor,
        customer=invoice.customer,
        purchase_order=invoice.purchase_order,
        contract=invoice.contract,
        contract_sha256=invoice.contract_sha256,
        period=invoice.period,
        period_from=minute(invoice.period_start),
        period_to=minute(invoice.period_end),
        timezone=invoice.timezone,
        issued=day(invoice.issued_at),
        lines=tuple(
            LineView(
                number=line.number,
                name=words(line.outcome_type),
                means=line.means,
                evidence_class=line.evidence_class.value,
                quantity=line.quantity,
                unit=line.unit.text(),
                basis=line.basis,
                amount=line.amount.text(),
                tickets=tuple(_link(one, anchors) for one in line.outcomes),
            )
            for line in invoice.lines
        ),
        total=invoice.total.text(),
        reversed=tuple(
            ReversedView(
                number="",
                line="",
                name=words(one.outcome_type),
                why=words(one.code),
                at=when(one.at),
                amount=amount(0, invoice.currency),
                ticket=_link(one.outcome_id, anchors),
            )
            for one in invoice.reversed
        ),
        credits=tuple(
            ReversedView(
                number=note.number,
                line=str(note.line),
                name=words(note.outcome_type),
                why=note.reason,
                at=when(note.issued_at),
                amount=f"−{note.amount.text()}",
                ticket=_link(note.outcome_id, anchors),
            )
            for note in notes
        ),
        credited=f"−{amount(credited, invoice.currency)}" if notes else "",
        left=amount(invoice.total.minor - credited, invoice.currency),
        terms=invoice.terms,
        bundle=_bundle(bundles / invoice.number),
    )


def _bundle(folder: Path) -> BundleView:
    path = "/".join(folder.parts[-3:])
    if not folder.is_dir():
        return BundleView(path=path, written=False, ok=False, checks=(), cannot_prove=())
    found = verify_bundle(folder)
    return BundleView(path=path, written=True, ok=found.ok, checks=found.checks, cannot_prove=found.cannot_prove)


def _link(outcome_id: str, anchors: Mapping[str, TicketLink]) -> TicketLink:
    return anchors.get(outcome_id) or TicketLink(name=outcome_id, anchor="")


def _entry(entry: JournalEntry) -> EntryView:
    return EntryView(
        seq=entry.seq,
        source=entry.source,
        at=when(entry.at),
        hash=entry.hash,
        postings=tuple(_posting(each.account, each.minor, each.currency) for each in entry.postings),
    )


def _sides(moved: Iterable[tuple[str, int]]) -> tuple[dict[str, int], dict[str, int]]:
    """(debits, credits) per currency, both as positive minor units."""
    debits: dict[str, int] = {}
    credits: dict[str, int] = {}
    for currency, minor in moved:
        side = debits if minor >= 0 else credits
        side[currency] = side.get(currency, 0) + abs(minor)
    return debits, credits


def _posting(account: str, minor: int, currency: str) -> PostingView:
    text = amount(abs(minor), currency)
    return PostingView(account=account, debit=text if minor >= 0 else "", credit="" if minor >= 0 else text)
