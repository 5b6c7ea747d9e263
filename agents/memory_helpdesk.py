"""A helpdesk in memory: keyed writes, a version that counts what requester and staff do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agents.errors import AttachmentMissing, TicketNotFound
from agents.ticket import Author, Message, Requester, Ticket, TicketStatus

OPENED = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class MemoryHelpdesk:
    """Implements `agents.ticket.Helpdesk`."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        """By id."""
        self.sent: dict[tuple[str, str], Message] = {}
        """By ticket and key: what the agent told requesters."""
        self.notes: list[tuple[str, str]] = []
        """(ticket, text) of notes and handoffs, in order."""
        self._changes: set[tuple[str, str]] = set()

    def open(
        self,
        ticket_id: str,
        *texts: str,
        email: str = "ada@example.com",
        name: str = "Ada",
        subject: str = "Help",
        tenant: str = "acme",
    ) -> Ticket:
        """Open a ticket with these messages of its requester."""
        self.tickets[ticket_id] = Ticket(
            tenant=tenant,
            id=ticket_id,
            subject=subject,
            requester=Requester(email=email, name=name),
            messages=(),
            opened_at=OPENED,
            version=0,
        )
        for text in texts:
            self.write(ticket_id, text)
        return self.tickets[ticket_id]

    def write(self, ticket_id: str, text: str, *, author: Author = Author.REQUESTER) -> Ticket:
        """The requester, or staff, writes; the version goes up."""
        ticket = self.tickets[ticket_id]
        message = Message(id=f"{ticket_id}:{len(ticket.messages) + 1}", author=author, text=text, at=OPENED)
        self._put(ticket, messages=(*ticket.messages, message), version=ticket.version + 1)
        return self.tickets[ticket_id]

    def replies(self, ticket_id: str) -> list[str]:
        """What the agent told the requester, in order."""
        return [message.text for (ticket, _), message in self.sent.items() if ticket == ticket_id]

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket as it stands."""
        try:
            return self.tickets[ticket_id]
        except KeyError:
            raise TicketNotFound(ticket_id) from None

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Send once per key."""
        ticket = await self.get(ticket_id)
        message = Message(id=key, author=Author.AGENT, text=text, at=OPENED)
        if (ticket_id, key) not in self.sent:
            self._put(ticket, messages=(*ticket.messages, message))
        return self.sent.setdefault((ticket_id, key), message)

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """What was sent under the key."""
        return self.sent.get((ticket_id, key))

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status once per key."""
        if self._first(ticket_id, key):
            self._put(await self.get(ticket_id), status=status)

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """All tickets: none is ever left out."""
        return list(self.tickets)

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Note once per key."""
        if self._first(ticket_id, key):
            self.notes.append((ticket_id, text))

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """Nobody attaches anything here."""
        raise AttachmentMissing(ticket_id, attachment_id)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Note the summary once per key."""
        if self._first(ticket_id, key):
            self.notes.append((ticket_id, summary))
            self._put(await self.get(ticket_id), status=TicketStatus.WITH_STAFF)

    def _first(self, ticket_id: str, key: str) -> bool:
        first = (ticket_id, key) not in self._changes
        self._changes.add((ticket_id, key))
        return first

    def _put(self, ticket: Ticket, **changes: object) -> None:
        self.tickets[ticket.id] = ticket.model_copy(update=changes)
