"""django-helpdesk (2.6) over its HTTP API, with the token of a staff user of its own.

What its API lacks, and how this connector goes about it:

- No idempotency: what the agent writes ends in a line ``Ref: 3F9A2C71`` made from the key, and is looked for before
  every try. Messages are read without it.
- Statuses 1 open, 2 reopened, 3 resolved, 4 closed, 5 duplicate. Whether a ticket waits for its requester or is with
  staff stands in the agent's own internal notes.
- Comments are rendered as Django templates: braces that mean something there are written so that they come out as they
  are. No title is ever sent, because it would become the ticket's.
- It names no author's address. An e-mail is the requester's if the follow-up's title ends in the ticket's address;
  whoever else writes counts as staff: their words add to the version and are nobody's request.
- It gives no tags, no ratings, no names, and no mark on automatic replies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel

from agents.errors import AttachmentMissing, HelpdeskUnavailable, TicketNotFound
from agents.ticket import Attachment, Author, Message, Requester, Ticket, TicketStatus
from service.helpdesks.client import HelpdeskClient, parsed

REOPENED, RESOLVED, CLOSED, DUPLICATE = 2, 3, 4, 5
PAGE = 100
UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""When a ticket was opened that has no follow-up at all: no contract was in force then, so it is never charged."""
_REF = re.compile(r"(?:\r?\n){2}Ref: ([0-9A-F]{8})\s*\Z")
_BRACES = re.compile(r"\{(?=[{%#])|(?<=%)\}")
_SAID = {
    TicketStatus.OPEN: "Open again.",
    TicketStatus.WAITING: "Waits for the requester's answer.",
    TicketStatus.RESOLVED: "Resolved: see the last reply.",
    TicketStatus.WITH_STAFF: "With staff.",
}
"""What the agent's internal note says about a status; the last of them that stands counts."""

_Row = TypeVar("_Row", bound=BaseModel)


class _File(BaseModel):
    id: int
    file: str
    filename: str
    mime_type: str
    size: int


class _FollowUp(BaseModel):
    id: int
    ticket: int
    user: int | None
    title: str | None
    comment: str | None
    public: bool
    date: AwareDatetime
    message_id: str | None
    followupattachment_set: list[_File]

    @property
    def text(self) -> str:
        """The comment without our reference."""
        return _REF.sub("", self.comment or "")

    @property
    def ref(self) -> str:
        match = _REF.search(self.comment or "")
        return match.group(1) if match else ""


class _Ticket(BaseModel):
    id: int
    title: str
    description: str | None
    submitter_email: str | None
    status: int
    merged_to: int | None
    followup_set: list[_FollowUp]


class DjangoHelpdesk:
    """`agents.ticket.Helpdesk` in a django-helpdesk."""

    def __init__(
        self, *, tenant: str, url: str, token: str, agent_user: int, hand_off_queue: int | None = None, **limits: Any
    ) -> None:
        """Set up a connector; nothing is sent yet.

        Args:
            tenant: whose helpdesk it is.
            url: where its pages begin; the API is ``api/`` below it.
            token: of the agent's own staff user.
            agent_user: that user's id: what it writes is the agent's.
            hand_off_queue: id of the queue that tickets for people are moved to; None leaves them where they are.
            limits: those of `HelpdeskClient`.
        """
        self._tenant = tenant
        self._client = HelpdeskClient(url=url, headers={"Authorization": f"Token {token}"}, **limits)
        self._base = urlsplit(url).path.rstrip("/")
        self._agent = agent_user
        self._hand_off_queue = hand_off_queue
        self._newest = 0
        self._undated: dict[int, datetime] = {}
        """Since when it was asked for changes when such a ticket was first seen."""

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """Ids of the tickets that changed at or after ``since``, longest ago first.

        A change is what leaves a follow-up. New tickets without any, and duplicates, have no date: they count as
        changed when this connector first sees them.
        """
        if since is None:
            return [str(one.id) for one in await self._tickets({})]
        latest: dict[int, datetime] = {}
        for one in await self._from_end("/api/followups/", _FollowUp, lambda one: one.date < since):
            if one.date >= since:
                latest[one.ticket] = max(one.date, latest.get(one.ticket, since))
        newest = self._newest
        for new in await self._from_end("/api/tickets/", _Ticket, lambda one: one.id <= newest):
            self._newest = max(self._newest, new.id)
            if not new.followup_set:
                self._undated.setdefault(new.id, since)
        for merged in await self._tickets({"status": str(DUPLICATE)}):
            self._undated.setdefault(merged.id, since)
        for id, seen in self._undated.items():
            if since <= seen:
                latest.setdefault(id, since)
        return [str(id) for id in sorted(latest, key=lambda id: (latest[id], id))]

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket as it stands now; `TicketNotFound` if there is none."""
        return self._ticket(await self._read(ticket_id))

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Send a public message from the agent; the one that stands under ``key`` is returned."""
        return self._message(await self._write(ticket_id, text, _reference("reply", key), public=True), Author.AGENT)

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """The message sent under ``key``, if it was sent."""
        standing = await self._standing(ticket_id, _reference("reply", key))
        return None if standing is None else self._message(standing, Author.AGENT)

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status once per ``key``: an internal note that says so."""
        await self._change(ticket_id, _SAID[status], status, key)

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Write an internal note once per ``key``."""
        await self._write(ticket_id, text, _reference("change", key))

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """The bytes of an attachment, from the helpdesk's own host; `AttachmentMissing` if there are none."""
        ticket = await self._read(ticket_id)
        for file in (file for one in ticket.followup_set for file in one.followupattachment_set):
            if str(file.id) == attachment_id:
                place = urlsplit(file.file)  # the host in it is the one Django believes to have
                data = await self._client.download(place.path.removeprefix(self._base))
                if data is not None:
                    return data
        raise AttachmentMissing(ticket_id, attachment_id)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Give the ticket to people: an internal note, and their queue if there is one."""
        if await self._standing(ticket_id, _reference("change", key)) is None and self._hand_off_queue is not None:
            await self._client.write("PATCH", f"/api/tickets/{ticket_id}/", {"queue": self._hand_off_queue})
        text = f"{_SAID[TicketStatus.WITH_STAFF]}\n\n{summary}"
        await self._change(ticket_id, text, TicketStatus.WITH_STAFF, key)

    async def _change(self, ticket_id: str, text: str, status: TicketStatus, key: str) -> None:
        now = (await self._read(ticket_id)).status
        if status is TicketStatus.RESOLVED:
            becomes = RESOLVED
        else:
            becomes = REOPENED if now in (RESOLVED, CLOSED, DUPLICATE) else now
        await self._write(ticket_id, text, _reference("change", key), new_status=becomes)

    async def _write(self, ticket_id: str, text: str, reference: str, **fields: bool | int) -> _FollowUp:
        comment = f"{_literally(text)}\n\nRef: {reference}"
        body = {"ticket": ticket_id, "comment": comment, "public": False, **fields}
        return await self._client.write_once("/api/followups/", body, lambda: self._standing(ticket_id, reference))

    async def _standing(self, ticket_id: str, reference: str) -> _FollowUp | None:
        """What we wrote under a reference."""
        ours = (one for one in (await self._read(ticket_id)).followup_set if one.user == self._agent)
        return next((one for one in ours if one.ref == reference), None)

    async def _read(self, ticket_id: str) -> _Ticket:
        if not (ticket_id.isascii() and ticket_id.isdigit()):
            raise TicketNotFound(ticket_id)
        answer = await self._client.read(f"/api/tickets/{ticket_id}/")
        if answer is None:
            raise TicketNotFound(ticket_id)
        return parsed(_Ticket, answer)

    async def _tickets(self, chosen: Mapping[str, str]) -> list[_Ticket]:
        """All tickets, or those that ``chosen`` describes, by id."""
        found: dict[int, _Ticket] = {}
        page, pages = 1, 1
        while page <= pages:
            rows, count = await self._page("/api/tickets/", {**chosen, "page": str(page)})
            found.update((one.id, one) for one in (parsed(_Ticket, row) for row in rows))
            page, pages = page + 1, -(-count // PAGE)
        return [found[id] for id in sorted(found)]

    async def _from_end(self, path: str, model: type[_Row], enough: Callable[[_Row], bool]) -> list[_Row]:
        """Rows from the end of a list until one is ``enough``: what comes meanwhile moves none out of sight."""
        found: list[_Row] = []
        rows, count = await self._page(path, {"page": "last"})
        page = max(1, -(-count // PAGE))
        while rows:
            these = [parsed(model, row) for row in rows]
            found += these
            page -= 1
            if page == 0 or any(enough(one) for one in these):
                break
            rows, _ = await self._page(path, {"page": str(page)})
        return found

    async def _page(self, path: str, params: Mapping[str, str]) -> tuple[list[Any], int]:
        """One page's rows and the number of all; a page that is no more has none."""
        answer = await self._client.read(path, {**params, "page_size": str(PAGE)})
        if answer is None:
            return [], 0
        try:
            assert isinstance(answer, dict)
            rows, count = answer["results"], answer["count"]
            assert isinstance(rows, list)
            assert isinstance(count, int)
        except (AssertionError, KeyError):
            raise HelpdeskUnavailable(f"{path} is no list of django-helpdesk's API; correct the url") from None
        return rows, count

    def _ticket(self, row: _Ticket) -> Ticket:
        follow_ups = sorted(row.followup_set, key=lambda one: (one.date, one.id))
        opening = next((one for one in follow_ups[:1] if _opens(one, row.description or "")), None)
        rest = [one for one in follow_ups if one is not opening]
        ours = [one for one in rest if one.user == self._agent]
        others = [one for one in follow_ups if one not in ours]
        opened_at = follow_ups[0].date.astimezone(UTC) if follow_ups else UNKNOWN
        first = Message(
            id=str(opening.id) if opening else "opening",
            author=Author.REQUESTER,
            text=(row.description or "").strip() or (opening.text if opening else ""),
            at=opened_at,
            attachments=_attachments(opening) if opening else (),
        )
        messages = [self._message(one, self._author(one, row.submitter_email or "")) for one in rest if _speaks(one)]
        newest = max((one.id for one in others), default=0)
        return Ticket(
            tenant=self._tenant,
            id=str(row.id),
            subject=row.title,
            requester=Requester(email=row.submitter_email or ""),
            messages=(first, *messages),
            status=_status(row.status, ours),
            opened_at=opened_at,
            version=2 * newest + (row.merged_to is not None),
            merged_into="" if row.merged_to is None else str(row.merged_to),
        )

    def _author(self, one: _FollowUp, requester: str) -> Author:
        if one.user == self._agent:
            return Author.AGENT
        sender = (one.title or "").casefold().split()[-1:]
        by_mail = one.message_id and one.user is None and requester and sender == [requester.casefold()]
        return Author.REQUESTER if by_mail else Author.STAFF

    def _message(self, one: _FollowUp, author: Author) -> Message:
        return Message(
            id=str(one.id),
            author=author,
            text=one.text if author is Author.AGENT else (one.comment or "").strip(),
            at=one.date.astimezone(UTC),
            public=one.public,
            attachments=_attachments(one),
        )


def _reference(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind}\n{key}".encode()).hexdigest()[:8].upper()


def _literally(text: str) -> str:
    """``text`` as a Django template that renders to it."""
    return _BRACES.sub(lambda brace: '{{ "' + brace.group() + '" }}', text)


def _opens(one: _FollowUp, description: str) -> bool:
    """True for the follow-up that was written with the ticket, and repeats its description."""
    if one.user is not None:
        return (one.comment or "").split() == description.split()
    return set(description.split()) <= set((one.comment or "").split())


def _speaks(one: _FollowUp) -> bool:
    """False for changes without words, and for our own notes about the status."""
    return bool((one.text.strip() and one.text not in _SAID.values()) or one.followupattachment_set)


def _status(status: int, ours: Sequence[_FollowUp]) -> TicketStatus:
    if status in (RESOLVED, CLOSED, DUPLICATE):
        return TicketStatus.RESOLVED
    said = [name for one in ours for name, words in _SAID.items() if not one.public and one.text.startswith(words)]
    return said[-1] if said and said[-1] is not TicketStatus.RESOLVED else TicketStatus.OPEN


def _attachments(one: _FollowUp) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(id=str(file.id), name=file.filename, media_type=file.mime_type, size=file.size)
        for file in one.followupattachment_set
    )
