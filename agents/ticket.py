"""Tickets: a thread in a helpdesk, who opened it, its messages. The words are data, never instructions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

_ANSWERED = re.compile(r"\s*(re|aw|antw|回复|答复)\s*[:：]", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .,'’·\"“”-]){0,59}")
_LETTERS = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Requester(_Record):
    """Who opened a ticket: authenticated by the helpdesk, and nothing more."""

    email: str
    name: str = ""

    @property
    def greeting(self) -> str:
        """What replies call them: their name if it is one, else the letters of their mailbox, else ``customer``.

        Names are the requester's own words: whatever has digits, links or markup in it is not written into a reply.
        """
        name = " ".join(self.name.split())
        if _NAME.fullmatch(name):
            return name
        return " ".join(_LETTERS.findall(self.email.partition("@")[0]))[:60] or "customer"


class Author(StrEnum):
    """Who wrote a message."""

    REQUESTER = "requester"
    AGENT = "agent"
    STAFF = "staff"


class Attachment(_Record):
    """A file that came with a message; its bytes stay in the helpdesk until the desk keeps them as evidence."""

    id: str
    """Names it within its ticket."""
    name: str
    """As the sender called it: text from outside, never a path."""
    media_type: str
    """As the helpdesk states it, for example ``image/png``."""
    size: int
    """Bytes."""
    sha256: str = ""
    """Names the evidence that holds its bytes; empty as long as the desk has not kept it."""
    refused: str = ""
    """Why the desk did not keep it, in words."""


class Message(_Record):
    """One message of a conversation."""

    id: str
    author: Author
    text: str
    at: datetime
    public: bool = True
    """False for internal notes, which the requester never sees."""
    automatic: bool = False
    """True when the mail system marked it as an automatic reply."""
    attachments: tuple[Attachment, ...] = ()


class TicketStatus(StrEnum):
    """Where a ticket stands in the helpdesk."""

    OPEN = "open"
    WAITING = "waiting"
    RESOLVED = "resolved"
    WITH_STAFF = "with_staff"


class Ticket(_Record):
    """One thread with its whole conversation, as read from the helpdesk at one moment."""

    tenant: str
    id: str
    subject: str
    requester: Requester
    messages: tuple[Message, ...]
    tags: tuple[str, ...] = ()
    status: TicketStatus = TicketStatus.OPEN
    opened_at: datetime
    version: int
    """Counts the requester's and the staff's messages and changes; compared before every reply or effect."""
    merged_into: str = ""
    """Id of the ticket that goes on in its place, if staff merged it or marked it as a duplicate."""
    satisfaction: int | None = None
    """The requester's rating of the help they got, 1 (bad) to 5 (good); None without one."""

    def requester_messages(self) -> tuple[Message, ...]:
        """What the requester wrote, oldest first."""
        return tuple(message for message in self.messages if message.author is Author.REQUESTER)

    def own_words(self) -> tuple[str, ...]:
        """What the requester said themselves, oldest first: the subject line and their messages.

        Not theirs are quoted lines, automatic replies, and the subject line of a mail that they answer.
        """
        subject = self.own_subject()
        return (*([subject] if subject else []), *_own(self.messages))

    def own_subject(self) -> str:
        """The subject line; empty if there is none, or it is that of a mail that they answer."""
        return self.subject if self.subject.strip() and not _ANSWERED.match(self.subject) else ""

    def later_words(self, heard: int) -> tuple[str, ...]:
        """What the requester said themselves after their first ``heard`` messages."""
        return _own(self.requester_messages()[heard:])

    def answered(self) -> bool:
        """True if the agent has told the requester anything yet."""
        return any(each.author is Author.AGENT and each.public for each in self.messages)

    def unanswered_words(self) -> tuple[str, ...]:
        """What the requester said themselves after the agent's last public message."""
        numbers = [index for index, each in enumerate(self.messages) if each.author is Author.AGENT and each.public]
        return _own(self.messages[numbers[-1] :]) if numbers else self.own_words()


def _own(messages: Sequence[Message]) -> tuple[str, ...]:
    wrote = (each for each in messages if each.author is Author.REQUESTER and not each.automatic)
    texts = (_QUOTED.sub("", each.text) for each in wrote)
    return tuple(text for text in texts if text.strip())


class Helpdesk(Protocol):
    """One tenant's helpdesk. Writes carry a key: the same key twice is one message, one change.

    Every method raises `HelpdeskUnavailable` when the helpdesk does not answer, after the connector's own tries.
    """

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """Ids of the tickets that were opened or changed at or after ``since`` (None: all), longest ago first.

        May name tickets that did not change; never leaves one out.
        """
        ...

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket as it stands now; `TicketNotFound` if there is none."""
        ...

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Send the requester a public message from the agent; returns the message that stands under ``key``."""
        ...

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """The message sent under ``key``, if it was sent."""
        ...

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status once per ``key``."""
        ...

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Write an internal note, which the requester never sees, once per ``key``."""
        ...

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """The bytes of an attachment; `AttachmentMissing` if the helpdesk has none of that id."""
        ...

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Give the ticket to people: an internal note with ``summary``, status `TicketStatus.WITH_STAFF`."""
        ...
