"""Any helpdesk that offers, or is adapted to, the small JSON API in ``docs/connectors.md``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel

from agents.errors import AttachmentMissing, HelpdeskUnavailable, TicketNotFound
from agents.ticket import Attachment, Author, Message, Requester, Ticket, TicketStatus
from service.helpdesks.client import HelpdeskClient, parsed

MAX_PAGES = 1000
"""Pages of a list that are read at most."""
_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:~@+-]{1,200}")


class _Row(BaseModel):
    id: str


class _List(BaseModel):
    tickets: tuple[_Row, ...]
    next: str | None = None


class _Message(BaseModel):
    id: str
    author: Author
    text: str
    at: AwareDatetime
    public: bool = True
    automatic: bool = False
    key: str = ""
    """Under which the agent wrote it."""
    attachments: tuple[Attachment, ...] = ()

    def read(self) -> Message:
        return Message(**{**self.model_dump(exclude={"key"}), "at": self.at.astimezone(UTC)})


class _Ticket(BaseModel):
    id: str
    subject: str
    status: TicketStatus
    opened_at: AwareDatetime
    requester: Requester
    messages: tuple[_Message, ...]
    tags: tuple[str, ...] = ()
    merged_into: str = ""
    satisfaction: int | None = None


class HttpHelpdesk:
    """`agents.ticket.Helpdesk` over HTTP. The helpdesk heeds ``Idempotency-Key`` on every write."""

    def __init__(self, *, tenant: str, url: str, token: str, **limits: Any) -> None:
        """Set up a connector; nothing is sent yet.

        Args:
            tenant: whose helpdesk it is.
            url: where the API's paths begin.
            token: sent as ``Authorization: Bearer``.
            limits: those of `HelpdeskClient`.
        """
        self._tenant = tenant
        self._client = HelpdeskClient(url=url, headers={"Authorization": f"Bearer {token}"}, **limits)

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """Ids of the tickets that changed at or after ``since``, as the helpdesk lists them."""
        chosen = {} if since is None else {"changed_since": since.astimezone(UTC).isoformat()}
        ids: dict[str, None] = {}
        after = ""
        for _ in range(MAX_PAGES):
            page = parsed(_List, await self._client.read("/tickets", {**chosen, **({"after": after} if after else {})}))
            ids.update(dict.fromkeys(row.id for row in page.tickets))
            if not page.next:
                return list(ids)
            after = page.next
        raise HelpdeskUnavailable(f"the helpdesk's list of tickets does not end within {MAX_PAGES} pages")

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket as it stands now; `TicketNotFound` if there is none."""
        row = await self._read(ticket_id)
        messages = tuple(one.read() for one in row.messages)
        theirs = sum(one.author is not Author.AGENT for one in messages)
        return Ticket(
            **row.model_dump(exclude={"messages", "opened_at"}),
            tenant=self._tenant,
            messages=messages,
            opened_at=row.opened_at.astimezone(UTC),
            version=theirs + bool(row.merged_into) + (row.satisfaction is not None),
        )

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Send a public message from the agent; the one that stands under ``key`` is returned."""
        answer = await self._write("POST", ticket_id, "messages", key, text=text, public=True)
        return parsed(_Message, answer).read()

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """The message sent under ``key``, if it was sent."""
        sent = (one for one in (await self._read(ticket_id)).messages if one.author is Author.AGENT and one.public)
        return next((one.read() for one in sent if one.key == key), None)

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status once per ``key``."""
        await self._write("PUT", ticket_id, "status", key, status=status.value)

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Write an internal note once per ``key``."""
        await self._write("POST", ticket_id, "messages", key, text=text, public=False)

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """The bytes of an attachment; `AttachmentMissing` if the helpdesk has none of that id."""
        data = None
        if _ID.fullmatch(attachment_id):
            data = await self._client.download(f"{_path(ticket_id)}/attachments/{attachment_id}")
        if data is None:
            raise AttachmentMissing(ticket_id, attachment_id)
        return data

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Give the ticket to people, once per ``key``."""
        await self._write("POST", ticket_id, "hand-off", key, summary=summary)

    async def _read(self, ticket_id: str) -> _Ticket:
        answer = await self._client.read(_path(ticket_id))
        if answer is None:
            raise TicketNotFound(ticket_id)
        row = parsed(_Ticket, answer)
        if row.id != ticket_id:
            raise HelpdeskUnavailable(f"the helpdesk answered with another ticket than {ticket_id}")
        return row

    async def _write(self, method: str, ticket_id: str, what: str, key: str, **body: str | bool) -> object:
        """The answer to a keyed write; `TicketNotFound` for 404."""
        answer = await self._client.write(method, f"{_path(ticket_id)}/{what}", body, key=key)
        if answer is None:
            raise TicketNotFound(ticket_id)
        return answer


def _path(ticket_id: str) -> str:
    if not _ID.fullmatch(ticket_id):
        raise TicketNotFound(ticket_id)
    return f"/tickets/{ticket_id}"
