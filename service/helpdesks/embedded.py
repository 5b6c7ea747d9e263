"""The embedded helpdesk: tickets in the app database, for tickets that come from files and for the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from agents.clock import Clock
from agents.errors import TicketNotFound
from agents.ticket import Author, Message, Requester, Ticket, TicketStatus
from service.database import Database
from service.helpdesks.tables import ChangeRow, MessageRow, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A ticket as a requester opens it."""

    id: str
    requester: Requester
    subject: str
    messages: Sequence[str]
    tags: Sequence[str] = ()


class EmbeddedHelpdesk:
    """`agents.ticket.Helpdesk` in the app database."""

    def __init__(self, database: Database, tenant: str, clock: Clock) -> None:
        self._database = database
        self._tenant = tenant
        self._clock = clock

    def open(self, ticket: NewTicket) -> bool:
        """Open a ticket; False if one of that id exists already, which is then left as it is."""
        now = self._clock.now()
        with self._database.transaction() as session:
            if session.get(TicketRow, (self._tenant, ticket.id)) is not None:
                return False
            session.add(
                TicketRow(
                    tenant=self._tenant,
                    id=ticket.id,
                    subject=ticket.subject,
                    requester_email=ticket.requester.email,
                    requester_name=ticket.requester.name,
                    status=TicketStatus.OPEN.value,
                    tags=list(ticket.tags),
                    opened_at=now,
                    version=len(ticket.messages),
                )
            )
            for number, text in enumerate(ticket.messages, 1):
                self._write(session, ticket.id, f"{ticket.id}:{number}", Author.REQUESTER, text)
            return True

    def write(self, ticket_id: str, text: str, *, key: str, author: Author, automatic: bool = False) -> Ticket:
        """Add a message of the requester or of staff, once per ``key``; returns the ticket with it."""
        with self._database.transaction() as session:
            row = self._row(session, ticket_id)
            if session.get(MessageRow, (self._tenant, ticket_id, key)) is None:
                self._write(session, ticket_id, key, author, text, automatic=automatic)
                row.version += 1
                session.add(row)
                session.flush()
            return self._ticket(session, row)

    def list(self) -> list[Ticket]:
        """All tickets, by id."""
        with self._database.transaction() as session:
            rows = session.exec(select(TicketRow).where(TicketRow.tenant == self._tenant).order_by(col(TicketRow.id)))
            return [self._ticket(session, row) for row in rows]

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket as it stands now; `TicketNotFound` if there is none."""
        with self._database.transaction() as session:
            return self._ticket(session, self._row(session, ticket_id))

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Send a public message from the agent; the one that stands under ``key`` is returned."""
        with self._database.transaction() as session:
            self._row(session, ticket_id)
            standing = session.get(MessageRow, (self._tenant, ticket_id, key))
            return _message(standing or self._write(session, ticket_id, key, Author.AGENT, text))

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """The message sent under ``key``, if it was sent."""
        with self._database.transaction() as session:
            row = session.get(MessageRow, (self._tenant, ticket_id, key))
            return None if row is None else _message(row)

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status once per ``key``."""
        with self._database.transaction() as session:
            if self._first(session, ticket_id, key):
                row = self._row(session, ticket_id)
                row.status = status.value
                session.add(row)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Give the ticket to people: an internal note, and the status says so."""
        with self._database.transaction() as session:
            if self._first(session, ticket_id, key):
                self._write(session, ticket_id, key, Author.AGENT, summary, public=False)
                row = self._row(session, ticket_id)
                row.status = TicketStatus.WITH_STAFF.value
                session.add(row)

    def _row(self, session: Session, ticket_id: str) -> TicketRow:
        row = session.get(TicketRow, (self._tenant, ticket_id))
        if row is None:
            raise TicketNotFound(ticket_id)
        return row

    def _first(self, session: Session, ticket_id: str, key: str) -> bool:
        if session.get(ChangeRow, (self._tenant, ticket_id, key)) is not None:
            return False
        session.add(ChangeRow(tenant=self._tenant, ticket_id=ticket_id, key=key))
        return True

    def _write(
        self,
        session: Session,
        ticket_id: str,
        key: str,
        author: Author,
        text: str,
        *,
        public: bool = True,
        automatic: bool = False,
    ) -> MessageRow:
        count = select(func.count()).where(MessageRow.tenant == self._tenant, MessageRow.ticket_id == ticket_id)
        row = MessageRow(
            tenant=self._tenant,
            ticket_id=ticket_id,
            id=key,
            position=session.exec(count).one(),
            author=author.value,
            text=text,
            at=self._clock.now(),
            public=public,
            automatic=automatic,
        )
        session.add(row)
        session.flush()
        return row

    def _ticket(self, session: Session, row: TicketRow) -> Ticket:
        query = select(MessageRow).where(MessageRow.tenant == self._tenant, MessageRow.ticket_id == row.id)
        messages = session.exec(query.order_by(col(MessageRow.position)))
        return Ticket(
            tenant=row.tenant,
            id=row.id,
            subject=row.subject,
            requester=Requester(email=row.requester_email, name=row.requester_name),
            messages=tuple(_message(message) for message in messages),
            tags=tuple(str(tag) for tag in row.tags),
            status=TicketStatus(row.status),
            opened_at=row.opened_at,
            version=row.version,
        )


def _message(row: MessageRow) -> Message:
    return Message(
        id=row.id,
        author=Author(row.author),
        text=row.text,
        at=row.at,
        public=row.public,
        automatic=row.automatic,
    )
