"""How content requesters say they are: the newest rating of each ticket, kept whenever the desk reads one."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, select

from agents.tables import UtcDateTime
from agents.ticket import Ticket


class SatisfactionRow(SQLModel, table=True):
    """The rating of one ticket."""

    __tablename__ = "satisfaction"

    tenant: str = Field(primary_key=True)
    ticket_id: str = Field(primary_key=True)
    rating: int
    """1 (bad) to 5 (good)."""
    noted_at: datetime = Field(sa_type=UtcDateTime)


def keep_rating(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """Keep the requester's rating, if the helpdesk has one; a ticket that lost its rating keeps the last."""
    if ticket.satisfaction is None:
        return
    standing = session.get(SatisfactionRow, (ticket.tenant, ticket.id))
    if standing is None or standing.rating != ticket.satisfaction:
        rating = ticket.satisfaction
        session.merge(SatisfactionRow(tenant=ticket.tenant, ticket_id=ticket.id, rating=rating, noted_at=now))


def ratings(session: Session, tenant: str) -> dict[str, int]:
    """The newest rating of every rated ticket, 1 to 5, by ticket."""
    rows = session.exec(select(SatisfactionRow).where(SatisfactionRow.tenant == tenant))
    return {row.ticket_id: row.rating for row in rows}
