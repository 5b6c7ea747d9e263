"""Tables of the desk itself: jobs that the kill switch held back, and what the rollout decided about tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, Session, SQLModel, col, select

from agents.tables import UtcDateTime


class HeldJobRow(SQLModel, table=True):
    """One job that ended because nothing may go out."""

    __tablename__ = "held_job"

    tenant: str = Field(primary_key=True)
    job_id: str = Field(primary_key=True)
    ticket_id: str
    held_at: datetime = Field(sa_type=UtcDateTime)


def hold_job(session: Session, tenant: str, job_id: str, *, ticket_id: str, at: datetime) -> None:
    """Note that a job was held back; twice is once."""
    if session.get(HeldJobRow, (tenant, job_id)) is None:
        session.add(HeldJobRow(tenant=tenant, job_id=job_id, ticket_id=ticket_id, held_at=at))
        session.flush()


def held_jobs(session: Session, tenant: str) -> Sequence[HeldJobRow]:
    """The jobs held back, longest ago first."""
    query = select(HeldJobRow).where(HeldJobRow.tenant == tenant)
    return session.exec(query.order_by(col(HeldJobRow.held_at), col(HeldJobRow.job_id))).all()


def release_job(session: Session, tenant: str, job_id: str) -> None:
    """The job was taken up again."""
    row = session.get(HeldJobRow, (tenant, job_id))
    if row is not None:
        session.delete(row)


class Treatment(StrEnum):
    """How the rollout treats a ticket."""

    LIVE = "live"
    SHADOW = "shadow"
    """Rehearsed, with one internal note."""
    PEOPLE = "people"
    """Left to people, untouched."""
    LATER = "later"
    """Waits, untouched, until the hours begin."""


class RolloutRow(SQLModel, table=True):
    """What the rollout decided about one ticket."""

    __tablename__ = "rollout"

    tenant: str = Field(primary_key=True)
    ticket_id: str = Field(primary_key=True)
    treatment: str = Field(index=True)
    why: str
    decided_at: datetime = Field(sa_type=UtcDateTime)
    told: bool = False
    """In shadow: the note is written."""

    @property
    def settled(self) -> bool:
        """True if nothing more is to be done about the ticket now, although no task of it was begun."""
        return self.treatment in (Treatment.PEOPLE, Treatment.LATER) or self.told

    def __str__(self) -> str:
        return f"{_TREATED[Treatment(self.treatment)]} ({self.why})"


_TREATED = {
    Treatment.LIVE: "worked on",
    Treatment.SHADOW: "in shadow: an internal note says what would have been done",
    Treatment.PEOPLE: "left to people",
    Treatment.LATER: "waits for the hours",
}


def save_rollout(session: Session, row: RolloutRow) -> RolloutRow:
    """Insert or update a decision; returns what is kept, usable after the session."""
    kept = session.merge(row)
    session.flush()
    session.refresh(kept)
    session.expunge(kept)
    return kept


def rollout_of(session: Session, tenant: str, ticket_id: str) -> RolloutRow | None:
    """The decision about a ticket, usable after the session."""
    row = session.get(RolloutRow, (tenant, ticket_id))
    if row is not None:
        session.expunge(row)
    return row


def rollouts(session: Session, tenant: str, treatment: Treatment | None = None) -> Sequence[RolloutRow]:
    """All decisions, or those of one treatment, by ticket, usable after the session."""
    query = select(RolloutRow).where(RolloutRow.tenant == tenant)
    if treatment is not None:
        query = query.where(RolloutRow.treatment == treatment.value)
    rows = session.exec(query.order_by(col(RolloutRow.ticket_id))).all()
    session.expunge_all()
    return rows


def mark_told(session: Session, tenant: str, ticket_id: str) -> None:
    """The note about a ticket in shadow is written."""
    row = session.get_one(RolloutRow, (tenant, ticket_id))
    row.told = True
    session.add(row)
