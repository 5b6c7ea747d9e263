"""A connector to Acorn Desk, which has conversations with entries, and stores a `source` with each entry."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from agents.errors import AttachmentMissing, HelpdeskUnavailable, TicketNotFound
from agents.ticket import Attachment, Author, Message, Requester, Ticket, TicketStatus
from service.helpdesks.client import HelpdeskClient, parsed

AUTHORS = {"customer": Author.REQUESTER, "bot": Author.AGENT, "human": Author.STAFF}
NAMES = {"open": "new", "waiting": "pending", "resolved": "solved", "with_staff": "escalated"}
STATES = {name: TicketStatus(status) for status, name in NAMES.items()}
PAGES = 1000


class Item(BaseModel):
    id: int


class Listing(BaseModel):
    items: list[Item]
    more: bool


class File(BaseModel):
    id: int
    name: str
    type: str
    bytes: int


class Entry(BaseModel):
    id: int
    by: str
    body: str
    time: float
    private: bool
    source: str
    files: list[File]

    def message(self) -> Message:
        files = [Attachment(id=str(one.id), name=one.name, media_type=one.type, size=one.bytes) for one in self.files]
        return Message(
            id=str(self.id),
            author=AUTHORS.get(self.by, Author.STAFF),
            text=self.body,
            at=datetime.fromtimestamp(self.time, UTC),
            public=not self.private,
            attachments=tuple(files),
        )


class Customer(BaseModel):
    mail: str
    name: str


class Conversation(BaseModel):
    id: int
    title: str
    state: str
    customer: Customer
    created: float
    entries: list[Entry]
    labels: list[str]
    fields: dict[str, str]
    joined_to: int | None
    stars: int | None


class AcornDesk:
    def __init__(self, *, tenant: str, url: str, token: str, **limits: Any) -> None:
        self._tenant = tenant
        self._client = HelpdeskClient(url=url, headers={"X-Acorn-Token": token}, **limits)

    async def changed(self, since: datetime | None) -> Sequence[str]:
        after = "0" if since is None else repr(since.timestamp())
        ids: dict[str, None] = {}
        for page in range(1, PAGES + 1):
            answer = await self._client.read("/v2/conversations", {"updated_after": after, "page": str(page)})
            listing = parsed(Listing, answer)
            ids.update(dict.fromkeys(str(item.id) for item in listing.items))
            if not listing.more:
                return list(ids)
        raise HelpdeskUnavailable(f"the list of conversations does not end within {PAGES} pages")

    async def get(self, ticket_id: str) -> Ticket:
        one = await self._read(ticket_id)
        messages = tuple(entry.message() for entry in one.entries)
        others = sum(message.author is not Author.AGENT for message in messages)
        return Ticket(
            tenant=self._tenant,
            id=str(one.id),
            subject=one.title,
            requester=Requester(email=one.customer.mail, name=one.customer.name),
            messages=messages,
            tags=tuple(one.labels),
            status=STATES.get(one.state, TicketStatus.WITH_STAFF),
            opened_at=datetime.fromtimestamp(one.created, UTC),
            version=others + (one.joined_to is not None) + (one.stars is not None),
            merged_into="" if one.joined_to is None else str(one.joined_to),
            satisfaction=one.stars,
        )

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        return await self._write(ticket_id, text, f"reply {key}", private=False)

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        return await self._find(ticket_id, f"reply {key}")

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        await self._write(ticket_id, text, f"note {key}", private=True)

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        fields = (await self._read(ticket_id)).fields
        done = fields.get("settle", "").split("\n")
        if key not in done:  # the state and the key are written in one request, so both stand or neither does
            change = {"state": NAMES[status.value], "fields": {**fields, "settle": "\n".join([*done, key])}}
            await self._client.write("PATCH", f"/v2/conversations/{ticket_id}", change)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        await self.note(ticket_id, summary, key=key)
        await self.set_status(ticket_id, TicketStatus.WITH_STAFF, key=key)

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        messages = (await self.get(ticket_id)).messages
        if attachment_id in {file.id for message in messages for file in message.attachments}:
            data = await self._client.download(f"/v2/files/{attachment_id}")
            if data is not None:
                return data
        raise AttachmentMissing(ticket_id, attachment_id)

    async def _read(self, ticket_id: str) -> Conversation:
        found = ticket_id.isascii() and ticket_id.isdigit()  # an id is never put into a path unseen
        answer = await self._client.read(f"/v2/conversations/{ticket_id}") if found else None
        if answer is None:
            raise TicketNotFound(ticket_id)
        return parsed(Conversation, answer)

    async def _find(self, ticket_id: str, source: str) -> Message | None:
        entries = (await self._read(ticket_id)).entries
        return next((one.message() for one in entries if (one.by, one.source) == ("bot", source)), None)

    async def _write(self, ticket_id: str, text: str, source: str, *, private: bool) -> Message:
        path = f"/v2/conversations/{ticket_id}/entries"
        body = {"body": text, "private": private, "source": source}
        return await self._client.write_once(path, body, lambda: self._find(ticket_id, source))
