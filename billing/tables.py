"""The tables of billing: primary keys start with the tenant, money is integer minor units, times are UTC.

Contracts, transitions, journal entries, postings, invoices and credit notes are append-only: see
`append_only`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from agents.tables import UtcDateTime

_NO_ROWID = {"sqlite_with_rowid": False}
"""Without the hidden rowid, INSERT OR REPLACE has no key but ours to replace a row by."""


class ContractRow(SQLModel, table=True):
    """A contract that both sides signed, kept for as long as anything priced under it can be questioned."""

    __tablename__ = "billing_contracts"
    __table_args__ = (_NO_ROWID,)

    tenant: str = Field(primary_key=True)
    reference: str = Field(primary_key=True)
    name: str
    version: int
    in_force_from: datetime = Field(sa_type=UtcDateTime)
    sha256: str
    signed: str = Field(sa_type=Text)
    """The `SignedContract` as canonical JSON."""


class OutcomeRow(SQLModel, table=True):
    """Where a Claim's life as money stands; its history is in `TransitionRow`."""

    __tablename__ = "billing_outcomes"
    __table_args__ = (
        Index("ix_billing_outcomes_ticket", "tenant", "ticket_id"),
        Index("ix_billing_outcomes_due", "tenant", "state", "settle_at"),
    )

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    """The claim's id."""
    claim: str = Field(sa_type=Text)
    """The Claim as canonical JSON."""
    claim_sha256: str
    task_id: str
    ticket_id: str
    requester: str
    """Normalised, see `episode.normalised_email`."""
    outcome_type: str
    subject: str
    state: str
    code: str
    """Coded reason of the last transition."""
    claim_made_at: datetime = Field(sa_type=UtcDateTime)
    claimed_at: datetime = Field(sa_type=UtcDateTime)
    verdict: str | None = Field(default=None, sa_type=Text)
    """The Verdict as canonical JSON."""
    contract: str | None = None
    contract_sha256: str | None = None
    ticket_opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verified_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settle_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the settlement window ends, as far as is known now."""
    price_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settlement: str | None = Field(default=None, sa_type=Text)
    """The CheckResult that settled or voided it, as canonical JSON."""
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the proof of the charge was last looked at again."""
    invoice: str | None = None
    reversed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TransitionRow(SQLModel, table=True):
    """One step of an outcome's life."""

    __tablename__ = "billing_transitions"
    __table_args__ = (_NO_ROWID,)

    tenant: str = Field(primary_key=True)
    outcome_id: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    """Counted from 1, without gaps."""
    before: str
    """Empty for the first."""
    after: str
    code: str
    at: datetime = Field(sa_type=UtcDateTime)


class ChargeRow(SQLModel, table=True):
    """An Episode's charge: taken when an outcome is verified, released when it is void or reversed."""

    __tablename__ = "billing_charges"
    __table_args__ = (
        Index(
            "uq_billing_charges_live_episode",
            "tenant",
            "requester",
            "outcome_type",
            "subject",
            "episode",
            unique=True,
            sqlite_where=text("live"),
            postgresql_where=text("live"),
        ),
    )

    tenant: str = Field(primary_key=True)
    outcome_id: str = Field(primary_key=True)
    requester: str
    outcome_type: str
    subject: str
    episode: int
    """Counted from 1 within (requester, outcome type, subject); the next starts after the reopen window."""
    live: bool


class EntryRow(SQLModel, table=True):
    """One journal entry; its postings are written before it and none after."""

    __tablename__ = "billing_entries"
    __table_args__ = (UniqueConstraint("tenant", "source", name="uq_billing_entries_source"), _NO_ROWID)

    tenant: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    source: str
    at: datetime = Field(sa_type=UtcDateTime)
    prev_hash: str
    hash: str


class PostingRow(SQLModel, table=True):
    """One side of a journal entry."""

    __tablename__ = "billing_postings"
    __table_args__ = (_NO_ROWID,)

    tenant: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    n: int = Field(primary_key=True)
    account: str
    minor: int = Field(sa_type=BigInteger)
    """Debits are positive, credits negative."""
    currency: str


class InvoiceRow(SQLModel, table=True):
    """An issued invoice."""

    __tablename__ = "billing_invoices"
    __table_args__ = (
        UniqueConstraint("tenant", "contract", "period", name="uq_billing_invoices_period"),
        _NO_ROWID,
    )

    tenant: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    contract: str
    period: str
    document: str = Field(sa_type=Text)
    """The `Invoice` as canonical JSON."""


class CreditNoteRow(SQLModel, table=True):
    """An issued credit note; an outcome has at most one."""

    __tablename__ = "billing_credit_notes"
    __table_args__ = (
        UniqueConstraint("tenant", "outcome_id", name="uq_billing_credit_notes_outcome"),
        _NO_ROWID,
    )

    tenant: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    outcome_id: str
    invoice: str
    document: str = Field(sa_type=Text)
    """The `CreditNote` as canonical JSON."""


class CounterRow(SQLModel, table=True):
    """The last number given out, per tenant and kind; the row is also the tenant's lock."""

    __tablename__ = "billing_counters"

    tenant: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)
