"""Attachments: kept as evidence once the desk has looked at them. Their bytes are data, whatever their names say."""

from __future__ import annotations

import re

from agents.errors import AttachmentMissing
from agents.evidence import EvidenceStore
from agents.ticket import Attachment, Helpdesk, Ticket

MAX_BYTES = 10 * 1024 * 1024
"""Of one attachment."""
MAX_KEPT = 20
"""Attachments of one ticket."""
_BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "application/pdf": (b"%PDF-",),
}
"""How the bytes of a type begin; a file that says it is one and begins otherwise is refused."""
_PLAIN = "text/plain"
_TEXT = frozenset({_PLAIN, "text/csv", "application/json"})
_MARKUP = re.compile(r"\ufeff?\s*(<|#!|%!PS)")
"""How pages, drawings with scripts in them, and programs begin, which are text too."""
KEPT_TYPES = frozenset({*_BEGINNINGS, "image/webp", *_TEXT})


def media_type_of(data: bytes) -> str:
    """The type of a file by its bytes, whatever its name says; empty for one that is not kept."""
    known = next((kind for kind in sorted(KEPT_TYPES - _TEXT) if _is(kind, data)), "")
    if known:
        return known
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text or _MARKUP.match(text) else _PLAIN


async def keep_attachments(helpdesk: Helpdesk, evidence: EvidenceStore, ticket: Ticket) -> Ticket:
    """``ticket`` with every attachment kept as evidence, or with the reason why not; twice is the same evidence.

    Raises:
        HelpdeskUnavailable: the helpdesk does not hand out the bytes now.
    """
    left = MAX_KEPT
    messages = []
    for message in ticket.messages:
        kept = []
        for attachment in message.attachments:
            kept.append(await _keep(helpdesk, evidence, ticket.id, attachment, room=left > 0))
            left -= 1
        messages.append(message.model_copy(update={"attachments": tuple(kept)}) if kept else message)
    return ticket.model_copy(update={"messages": tuple(messages)})


def attachments_of(ticket: Ticket) -> tuple[Attachment, ...]:
    """All attachments of a ticket, oldest first."""
    return tuple(attachment for message in ticket.messages for attachment in message.attachments)


async def _keep(
    helpdesk: Helpdesk, evidence: EvidenceStore, ticket_id: str, attachment: Attachment, *, room: bool
) -> Attachment:
    media_type = attachment.media_type.partition(";")[0].strip().lower()
    refused = _refusal(attachment, media_type, room=room)
    if refused:
        return attachment.model_copy(update={"refused": refused})
    try:
        data = await helpdesk.attachment(ticket_id, attachment.id)
    except AttachmentMissing:
        return attachment.model_copy(update={"refused": "the helpdesk no longer has it"})
    if len(data) > MAX_BYTES:
        return attachment.model_copy(update={"refused": _too_large(len(data))})
    if not _is(media_type, data):
        return attachment.model_copy(update={"refused": f"it says it is {media_type} and is not"})
    label = f"attachment {attachment.id} of ticket {ticket_id}"
    return attachment.model_copy(update={"sha256": evidence.put(data, media_type=media_type, label=label).sha256})


def _refusal(attachment: Attachment, media_type: str, *, room: bool) -> str:
    if not room:
        return f"only the first {MAX_KEPT} attachments of a ticket are kept"
    if media_type not in KEPT_TYPES:
        return f"files of the type {media_type[:60]!r} are not kept"
    return _too_large(attachment.size) if attachment.size > MAX_BYTES else ""


def _too_large(size: int) -> str:
    return f"it has {size:,} bytes; at most {MAX_BYTES:,} are kept"


def _is(media_type: str, data: bytes) -> bool:
    if media_type == "image/webp":
        return data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return media_type in _TEXT or data.startswith(_BEGINNINGS[media_type])
