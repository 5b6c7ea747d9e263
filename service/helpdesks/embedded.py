"""The embedded helpdesk: tickets in the app database, for tickets that come from files and for the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from agents.clock import Clock
from agents.errors import AttachmentMissing, TicketNotFound
from agents.ticket import Attachment, Author, Message, Requester, Ticket, TicketStatus
from service.database import Database
from service.helpdesks.tables import AttachmentRow, ChangeRow, MessageRow, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttachment:
    """A file as it comes with a message."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A ticket as a requester opens it."""

    id: str
    requester: Requester
    subject: str
    messages: Sequence[str]
    tags: Sequence[str] = ()
    attachments: Sequence[NewAttachment] = ()
    """Files that came with the first message."""


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
            row = TicketRow(
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
            session.add(row)
            for number, text in enumerate(ticket.messages, 1):
                files = ticket.attachments if number == 1 else ()
                self._write(session, ticket.id, f"{ticket.id}:{number}", Author.REQUESTER, text, attachments=files)
            row.changed_at = self._clock.now()
            return True

    def write(
        self,
        ticket_id: str,
        text: str,
        *,
        key: str,
        author: Author,
        public: bool = True,
        automatic: bool = False,
        attachments: Sequence[NewAttachment] = (),
    ) -> Ticket:
        """Add a message of the requester or of staff, once per ``key``; returns the ticket with it."""
        with self._database.transaction() as session:
            row = self._row(session, ticket_id)
            if session.get(MessageRow, (self._tenant, ticket_id, key)) is None:
                self._write(
                    session, ticket_id, key, author, text, public=public, automatic=automatic, attachments=attachments
                )
                self._count(session, row)
            return self._ticket(session, row)

    def merge(self, ticket_id: str, *, into: str) -> None:
        """Staff say that ``into`` goes on in place of this ticket."""
        with self._database.transaction() as session:
            row = self._row(session, ticket_id)
            row.merged_into = self._row(session, into).id
            self._count(session, row)

    def rate(self, ticket_id: str, stars: int) -> None:
        """The requester rates the help they got, 1 (bad) to 5 (good)."""
        with self._database.transaction() as session:
            row = self._row(session, ticket_id)
            row.satisfaction = stars
            self._count(session, row)

    def list(self) -> list[Ticket]:
        """All tickets, by id."""
        with self._database.transaction() as session:
            rows = session.exec(select(TicketRow).where(TicketRow.tenant == self._tenant).order_by(col(TicketRow.id)))
            return [self._ticket(session, row) for row in rows]

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """Ids of the tickets that changed at or after ``since``, longest ago first."""
        with self._database.transaction() as session:
            query = select(TicketRow.id).where(TicketRow.tenant == self._tenant)
            if since is not None:
                query = query.where(col(TicketRow.changed_at) >= since)
            return session.exec(query.order_by(col(TicketRow.changed_at), col(TicketRow.id))).all()

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

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Write an internal note once per ``key``."""
        with self._database.transaction() as session:
            if self._first(session, ticket_id, key):
                self._write(session, ticket_id, key, Author.AGENT, text, public=False)

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """The bytes of an attachment; `AttachmentMissing` if there is none of that id."""
        with self._database.transaction() as session:
            row = session.get(AttachmentRow, (self._tenant, ticket_id, attachment_id))
            if row is None:
                raise AttachmentMissing(ticket_id, attachment_id)
            return row.data

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

    def _count(self, session: Session, row: TicketRow) -> None:
        row.version += 1
        row.changed_at = self._clock.now()
        session.add(row)
        session.flush()

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
        attachments: Sequence[NewAttachment] = (),
    ) -> MessageRow:
        files = [
            Attachment(id=f"{key}:{number}", name=one.name, media_type=one.media_type, size=len(one.data))
            for number, one in enumerate(attachments, 1)
        ]
        for file, one in zip(files, attachments, strict=True):
            session.add(AttachmentRow(tenant=self._tenant, ticket_id=ticket_id, id=file.id, data=one.data))
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
            attachments=[file.model_dump() for file in files],
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
            merged_into=row.merged_into,
            satisfaction=row.satisfaction,
        )


def _message(row: MessageRow) -> Message:
    return Message(
        id=row.id,
        author=Author(row.author),
        text=row.text,
        at=row.at,
        public=row.public,
        automatic=row.automatic,
        attachments=tuple(Attachment.model_validate(one) for one in row.attachments),
    )
