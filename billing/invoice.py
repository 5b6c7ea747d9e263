"""Invoices: what settled in a period, rated from scratch, equal to the ledger's movement or not issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import Session, col, select

from agents.canonical import canonical_json
from agents.money import Money
from billing import counters, ledger
from billing.contract import Contract, SignedContract, duration_text
from billing.errors import InvoiceMismatch, InvoiceNotFound, PeriodNotOver
from billing.money import total
from billing.outcome import billable
from billing.periods import Period, month_of, utc
from billing.pricing import Line, rate
from billing.tables import InvoiceRow, OutcomeRow
from billing.transitions import OutcomeState, move


class ReversedBeforeInvoice(BaseModel):
    """An outcome that settled in the period and was reversed before the invoice: it costs nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome_id: str
    outcome_type: str
    code: str
    at: AwareDatetime


class Invoice(BaseModel):
    """An issued invoice. It never changes; corrections are credit notes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    number: str
    """``INV-0001``, without gaps per tenant."""
    contract: str
    """``id@version``"""
    contract_sha256: str
    vendor: str
    customer: str
    purchase_order: str
    period: str
    """``2026-10``"""
    timezone: str
    period_start: AwareDatetime
    period_end: AwareDatetime
    """Excluded."""
    issued_at: AwareDatetime
    currency: str
    lines: tuple[Line, ...]
    total: Money
    reversed: tuple[ReversedBeforeInvoice, ...]
    terms: tuple[str, ...]
    """The contract's terms on reversal and dispute, in sentences."""


def issue(
    session: Session, *, tenant: str, signed_contract: SignedContract, period: Period, now: datetime
) -> Invoice | None:
    """Invoice what settled in ``period`` under this contract version.

    Once: asked again, it returns the invoice that was issued. None if there is nothing to charge; no number
    is used.

    Raises:
        ContractNotInForce: the contract does not bind both sides.
        PeriodNotOver: ``now`` is before the period's end.
        InvoiceMismatch: rating, outcomes and ledger do not give the same money.
    """
    contract = signed_contract.verify()
    counters.lock(session, tenant)
    issued = _find(session, tenant, contract.reference, period.label)
    if issued is not None:
        return issued
    if utc(now) < period.end:
        raise PeriodNotOver(f"{period.label} ends at {period.end.isoformat()}; it is not over")
    if period.timezone != contract.period.timezone:
        raise InvoiceMismatch(
            f"{contract.reference} counts months in {contract.period.timezone}, not {period.timezone}"
        )
    rows = _settled_in(session, tenant, contract.reference, period)
    charged = [row for row in rows if row.state == OutcomeState.SETTLED]
    if not charged:
        return None
    if any(row.contract_sha256 != signed_contract.sha256 for row in rows):
        raise InvoiceMismatch(f"outcomes of {period.label} were verified under other terms than {contract.reference}")
    lines = rate(map(billable, charged), contract)
    amount = total((line.amount for line in lines), contract.currency)
    _equal_ledger(session, tenant, rows, amount)
    number = counters.next_number(session, tenant, counters.INVOICE)
    invoice = Invoice(
        tenant=tenant,
        number=f"INV-{number:04d}",
        contract=contract.reference,
        contract_sha256=signed_contract.sha256,
        vendor=contract.between.vendor,
        customer=contract.between.customer,
        purchase_order=contract.between.purchase_order,
        period=period.label,
        timezone=period.timezone,
        period_start=period.start,
        period_end=period.end,
        issued_at=utc(now),
        currency=contract.currency,
        lines=lines,
        total=amount,
        reversed=tuple(_reversed(row) for row in rows if row.state == OutcomeState.REVERSED),
        terms=terms_of(contract),
    )
    document = canonical_json(invoice).decode()
    session.add(
        InvoiceRow(tenant=tenant, number=number, contract=contract.reference, period=period.label, document=document)
    )
    ledger.post(
        session,
        tenant=tenant,
        source=f"invoice:{invoice.number}",
        at=now,
        postings=ledger.transfer(
            amount, debit=ledger.receivable(contract.between.customer), credit=ledger.CONTRACT_ASSET
        ),
    )
    for row in charged:
        row.invoice = invoice.number
        move(session, row, OutcomeState.INVOICED, code="invoiced", at=now)
    return invoice


def periods_to_invoice(
    session: Session, *, tenant: str, signed_contract: SignedContract, now: datetime
) -> tuple[Period, ...]:
    """The periods that are over and hold charges not invoiced yet, oldest first: `issue` each."""
    contract = signed_contract.verify()
    settled = session.exec(
        select(OutcomeRow.settled_at).where(
            OutcomeRow.tenant == tenant,
            OutcomeRow.contract == contract.reference,
            OutcomeRow.state == OutcomeState.SETTLED.value,
        )
    )
    months = {month_of(at, contract.period.timezone) for at in settled if at is not None}
    return tuple(sorted((each for each in months if each.end <= utc(now)), key=lambda each: each.start))


def find_invoice(session: Session, *, tenant: str, number: str) -> Invoice:
    """The invoice under ``INV-0001``; `InvoiceNotFound` if the tenant has none."""
    digits = number.removeprefix("INV-")
    row = session.get(InvoiceRow, (tenant, int(digits))) if digits.isascii() and digits.isdigit() else None
    if row is None:
        raise InvoiceNotFound(f"{tenant} has no invoice {number}")
    return Invoice.model_validate_json(row.document)


def invoices(session: Session, *, tenant: str) -> tuple[Invoice, ...]:
    """The tenant's invoices in order."""
    rows = session.exec(select(InvoiceRow).where(InvoiceRow.tenant == tenant).order_by(col(InvoiceRow.number)))
    return tuple(Invoice.model_validate_json(row.document) for row in rows)


def terms_of(contract: Contract) -> tuple[str, ...]:
    """What an invoice says about giving money back."""
    causes = {
        "same_subject_reopened": "the requester reopens the same subject",
        "proof_undone": "the proof is undone",
    }
    reasons = " or ".join(causes[cause] for cause in contract.reverse_on.when) or "never"
    reopen = duration_text(contract.reverse_on.within)
    undecided = duration_text(contract.dispute.undecided_after)
    return (
        f"A charge is credited if, within {reopen} of its settlement, {reasons}.",
        f"A charge can be disputed within {duration_text(contract.dispute.within)}; a dispute "
        f"that is undecided after {undecided} ends in a {contract.dispute.then}.",
    )


def _find(session: Session, tenant: str, contract: str, period: str) -> Invoice | None:
    row = session.exec(
        select(InvoiceRow).where(
            InvoiceRow.tenant == tenant, InvoiceRow.contract == contract, InvoiceRow.period == period
        )
    ).first()
    return Invoice.model_validate_json(row.document) if row is not None else None


def _settled_in(session: Session, tenant: str, contract: str, period: Period) -> Sequence[OutcomeRow]:
    return session.exec(
        select(OutcomeRow)
        .where(
            OutcomeRow.tenant == tenant,
            OutcomeRow.contract == contract,
            col(OutcomeRow.settled_at) >= period.start,
            col(OutcomeRow.settled_at) < period.end,
        )
        .order_by(col(OutcomeRow.id))
        .execution_options(populate_existing=True)
    ).all()


def _equal_ledger(session: Session, tenant: str, rows: Sequence[OutcomeRow], amount: Money) -> None:
    sources = {f"{cause}:{row.id}" for row in rows for cause in ("settle", "reverse")}
    moved = ledger.balances(entry for entry in ledger.entries(session, tenant=tenant) if entry.source in sources)
    asset = {currency: minor for (account, currency), minor in moved.items() if account == ledger.CONTRACT_ASSET}
    if asset.pop(amount.currency, 0) != amount.minor or any(asset.values()):
        raise InvoiceMismatch(f"the lines come to {amount}, the ledger moved {moved}; no invoice is issued")


def _reversed(row: OutcomeRow) -> ReversedBeforeInvoice:
    assert row.reversed_at is not None
    return ReversedBeforeInvoice(outcome_id=row.id, outcome_type=row.outcome_type, code=row.code, at=row.reversed_at)
