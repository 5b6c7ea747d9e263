"""Tables of the desk itself: jobs that the kill switch held back, and what the rollout decided about tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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
