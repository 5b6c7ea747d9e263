"""A connector to Birch, which keeps no reference of ours, reads newest first, and tells accounts from contacts."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from agents.errors import AttachmentMissing, HelpdeskUnavailable, TicketNotFound
from agents.ticket import Attachment, Author, Message, Requester, Ticket, TicketStatus
from service.helpdesks.client import HelpdeskClient, parsed

PHASES = {"open": "fresh", "waiting": "on_hold", "resolved": "done", "with_staff": "team"}
STATUSES = {phase: TicketStatus(status) for status, phase in PHASES.items()}
SMILES = {"sad": 1, "so-so": 3, "happy": 5}
REF = re.compile(r"\n\n\[Ref ([0-9A-F]{8})\]\Z")
PAGES = 1000


class Listing(BaseModel):
    numbers: list[int]
    next_cursor: str | None


class Upload(BaseModel):
    uid: int
    filename: str
    mime: str
    length: int


class Post(BaseModel):
    pid: int
    contact: int | None
    account: int | None
    content: str
    written: AwareDatetime
    visibility: str
    auto_reply: bool
    uploads: list[Upload]


class Thread(BaseModel):
    number: int
    about: str
    phase: str
    contact: int
    address: str
    full_name: str
    opened: AwareDatetime
    posts: list[Post]
    tags: list[str]
    continues_in: int | None
    smile: str | None


class BirchDesk:
    def __init__(self, *, tenant: str, url: str, token: str, account: str, **limits: Any) -> None:
        self._tenant, self._account = tenant, int(account)
        self._client = HelpdeskClient(url=url, headers={"Authorization": f"Token {token}"}, **limits)

    async def changed(self, since: datetime | None) -> Sequence[str]:
        # Birch keeps whole seconds and names what changed strictly after: a second earlier leaves nothing out
        query = {} if since is None else {"modified_after": (since - timedelta(seconds=1)).isoformat()}
        numbers: dict[str, None] = {}
        for _ in range(PAGES):
            listing = parsed(Listing, await self._client.read("/threads", query))
            numbers.update(dict.fromkeys(map(str, listing.numbers)))
            if listing.next_cursor is None:
                return list(numbers)
            query = {**query, "cursor": listing.next_cursor}
        raise HelpdeskUnavailable(f"the list of threads does not end within {PAGES} pages")

    async def get(self, ticket_id: str) -> Ticket:
        thread = await self._thread(ticket_id)
        messages = tuple(self._message(post, thread) for post in reversed(thread.posts))
        others = sum(message.author is not Author.AGENT for message in messages)
        return Ticket(
            tenant=self._tenant,
            id=str(thread.number),
            subject=thread.about,
            requester=Requester(email=thread.address, name=thread.full_name),
            messages=messages,
            tags=tuple(tag for tag in thread.tags if not tag.startswith("settle-")),
            status=STATUSES.get(thread.phase, TicketStatus.WITH_STAFF),
            opened_at=thread.opened.astimezone(UTC),
            version=others + (thread.continues_in is not None) + (thread.smile is not None),
            merged_into="" if thread.continues_in is None else str(thread.continues_in),
            satisfaction=SMILES.get(thread.smile or ""),
        )

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        return await self._write(ticket_id, text, _ref("reply", key), "everyone")

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        return await self._find(ticket_id, _ref("reply", key))

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        await self._write(ticket_id, text, _ref("note", key), "team")

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        tag, phase = f"settle-{_ref('status', key)}", PHASES[status.value]
        if tag not in (await self._thread(ticket_id)).tags:  # phase and tag stand together, or neither does
            await self._client.write("PATCH", f"/threads/{ticket_id}", {"phase": phase, "add_tags": [tag]})

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        await self.note(ticket_id, summary, key=key)
        await self.set_status(ticket_id, TicketStatus.WITH_STAFF, key=key)

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        posts = (await self._thread(ticket_id)).posts
        if attachment_id in {str(upload.uid) for post in posts for upload in post.uploads}:
            data = await self._client.download(f"/uploads/{attachment_id}")
            if data is not None:
                return data
        raise AttachmentMissing(ticket_id, attachment_id)

    async def _thread(self, ticket_id: str) -> Thread:
        answer = await self._client.read(f"/threads/{ticket_id}") if re.fullmatch("[0-9]{1,18}", ticket_id) else None
        if answer is None:
            raise TicketNotFound(ticket_id)
        return parsed(Thread, answer)

    def _message(self, post: Post, thread: Thread) -> Message:
        ours, theirs = post.account == self._account, (post.account, post.contact) == (None, thread.contact)
        files = [Attachment(id=str(u.uid), name=u.filename, media_type=u.mime, size=u.length) for u in post.uploads]
        return Message(
            id=str(post.pid),
            author=Author.AGENT if ours else Author.REQUESTER if theirs else Author.STAFF,
            text=REF.sub("", post.content) if ours else post.content,
            at=post.written.astimezone(UTC),
            public=post.visibility == "everyone",
            automatic=post.auto_reply,
            attachments=tuple(files),
        )

    async def _find(self, ticket_id: str, ref: str) -> Message | None:
        thread = await self._thread(ticket_id)
        ours = [post for post in thread.posts if post.account == self._account and REF.findall(post.content) == [ref]]
        return self._message(ours[-1], thread) if ours else None  # newest first: the last one stood first

    async def _write(self, ticket_id: str, text: str, ref: str, visibility: str) -> Message:
        path, body = f"/threads/{ticket_id}/posts", {"content": f"{text}\n\n[Ref {ref}]", "visibility": visibility}
        return await self._client.write_once(path, body, lambda: self._find(ticket_id, ref))


def _ref(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind} {key}".encode()).hexdigest()[:8].upper()
