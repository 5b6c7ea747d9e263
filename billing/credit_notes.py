"""Credit notes: an invoiced charge given back, naming its invoice, line and outcome."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import Session, col, select

from agents.canonical import canonical_json
from agents.money import Money
from billing import counters, ledger
from billing.contract import Contract
from billing.errors import InvoiceMismatch
from billing.invoice import find_invoice
from billing.tables import CreditNoteRow, OutcomeRow

REASONS = {
    "same_subject_reopened": "The requester came back about the same subject within the reopen window.",
    "proof_undone": "The system of record no longer shows what the outcome promised.",
}


class CreditNote(BaseModel):
    """An issued credit note. It never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    number: str
    """``CN-0001``, without gaps per tenant."""
    invoice: str
    line: int
    """The number of the invoice's line."""
    customer: str
    outcome_id: str
    outcome_type: str
    code: str
    reason: str
    """The code in words."""
    amount: Money
    """What the customer gets back: the line's unit price."""
    issued_at: AwareDatetime


def credit(session: Session, row: OutcomeRow, contract: Contract, *, code: str, now: datetime) -> CreditNote:
    """Give an invoiced charge back and post it; called by `reversal` alone, with the tenant's lock held."""
    assert row.invoice is not None
    issued = find_invoice(session, tenant=row.tenant, number=row.invoice)
    line = next((line for line in issued.lines if row.id in line.outcomes), None)
    if line is None:
        raise InvoiceMismatch(f"outcome {row.id} is on no line of {row.invoice}")
    number = counters.next_number(session, row.tenant, counters.CREDIT_NOTE)
    note = CreditNote(
        tenant=row.tenant,
        number=f"CN-{number:04d}",
        invoice=issued.number,
        line=line.number,
        customer=contract.between.customer,
        outcome_id=row.id,
        outcome_type=row.outcome_type,
        code=code,
        reason=REASONS[code],
        amount=line.unit,
        issued_at=now,
    )
    session.add(
        CreditNoteRow(
            tenant=row.tenant,
            number=number,
            outcome_id=row.id,
            invoice=issued.number,
            document=canonical_json(note).decode(),
        )
    )
    ledger.post(
        session,
        tenant=row.tenant,
        source=f"reverse:{row.id}",
        at=now,
        postings=ledger.transfer(
            note.amount, debit=ledger.revenue(row.outcome_type), credit=ledger.receivable(note.customer)
        ),
    )
    return note


def list_credit_notes(session: Session, *, tenant: str) -> tuple[CreditNote, ...]:
    """The tenant's credit notes in order."""
    rows = session.exec(select(CreditNoteRow).where(CreditNoteRow.tenant == tenant).order_by(col(CreditNoteRow.number)))
    return tuple(CreditNote.model_validate_json(row.document) for row in rows)
