"""Mail as rows: one mail, or a mailbox whose threads become tickets.

Answers (In-Reply-To, References) by the one who began a thread are further messages of the same ticket. Mail that a
machine sent, and mail in a thread by anybody else, is left out and listed. A mailbox is read twice, for its threads and
then for their words and attachments, so that only one thread at a time is held in memory.
"""

from __future__ import annotations

import email
import email.policy
import mailbox
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.errors import CloseBoundaryNotFoundDefect
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import mktime_tz, parsedate_tz
from functools import partial
from pathlib import Path

from agents.canonical import sha256_hex
from service.errors import BadTicketFile
from service.intake.attachments import checked
from service.intake.cleaning import email_address
from service.intake.html import words_of
from service.intake.rows import Row, RowProblem, Rows

MAX_PARENTS = 20
"""Of the mails that a mail says it answers, so many are looked for."""
MAX_DEPTH = 20
MAX_HEADER_CHARS = 4_000
"""A longer From or Subject is not one that a person wrote."""
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
_BULK = ("bulk", "junk", "auto_reply")
_NO_TEXT_CODECS = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf_7")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    number: int
    id: str
    parents: tuple[str, ...]
    """Message-IDs that it answers, the closest first."""
    sent_at: float | None
    """Seconds since 1970, if the mail says so."""
    sender: str
    name: str
    subject: str
    digest: str
    """Of its text."""
    automatic: bool
    body: Callable[[], _Body]
    """Reads it once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    text: str
    files: tuple[tuple[str, bytes], ...]
    """Its attachments: the name as sent, the bytes."""
    cut: bool
    """True if it ends before its last part does."""


def mailbox_rows(path: Path) -> Rows:
    """Every thread of an mbox file is a ticket."""
    box = mailbox.mbox(path, create=False)
    try:
        if not len(box):
            raise BadTicketFile(str(path), "holds no mail: no line of it begins with 'From '")
        mails: list[_Mail] = []
        for number, key in enumerate(box.iterkeys(), 1):
            mail = _read(number, partial(box.get_bytes, key))
            if isinstance(mail, RowProblem):
                yield mail
            else:
                mails.append(mail)
        yield from _rows(mails)
    finally:
        box.close()


def mail_rows(data: bytes) -> Rows:
    """One mail is one ticket."""
    mail = _read(1, lambda: data)
    if isinstance(mail, RowProblem):
        yield mail
    else:
        yield from _rows([mail])


def _rows(mails: Sequence[_Mail]) -> Rows:
    first_of: dict[str, _Mail] = {}
    threads: dict[int, list[_Mail]] = {}
    for mail in mails:
        if mail.id and mail.id in first_of:
            standing = first_of[mail.id]
            same = mail.digest == standing.digest
            message = f"has the Message-ID of mail {standing.number}{' and its text' if same else ', but another text'}"
            yield RowProblem(row=mail.number, message=f"{message}; only that one was taken", kept=same)
        else:
            first_of[mail.id or f"mail {mail.number}"] = mail
    roots = _roots(first_of)
    for mail in first_of.values():
        threads.setdefault(roots[mail.number], []).append(mail)
    for root, thread in threads.items():
        yield from _thread(sorted(thread, key=lambda mail: (mail.number != root, mail.sent_at or 0.0, mail.number)))


def _roots(known: dict[str, _Mail]) -> dict[int, int]:
    """The number of the mail that began each mail's thread, as far as the mailbox goes; by the mail's number."""
    roots: dict[int, int] = {}
    for mail in known.values():
        passed: dict[int, None] = {}
        at: _Mail | None = mail
        while at is not None and at.number not in roots and at.number not in passed:
            passed[at.number] = None
            last, at = at, next((known[parent] for parent in at.parents if parent in known), None)
        if passed:
            # a circle has no beginning: the mail that stands first in the mailbox is taken for it
            root = last.number if at is None else roots.get(at.number, min(passed))
            roots.update(dict.fromkeys(passed, root))
    return roots


def _thread(mails: Sequence[_Mail]) -> Rows:
    begun: _Mail | None = None
    messages: list[str] = []
    files: list[tuple[str, bytes]] = []
    notes: list[str] = []
    for mail in mails:
        if mail.automatic:
            yield RowProblem(row=mail.number, message="was sent by a machine (Auto-Submitted or Precedence); left out")
        elif email_address(mail.sender) is None:
            yield RowProblem(row=mail.number, message="has no single sender's address in From; left out")
        elif begun is None or mail.sender == begun.sender:
            begun = begun or mail
            body = mail.body()
            messages.append(body.text)
            files += body.files
            if body.cut:
                notes.append(f"mail {mail.number} is cut off before its end; it was taken as far as it goes")
        else:
            message = f"answers mail {begun.number} but is by somebody else than its sender; left out"
            yield RowProblem(row=mail.number, message=message)
    if begun is not None:
        attachments, refused = checked(files)
        yield Row(
            number=begun.number,
            origin=begun.id,
            email=begun.sender,
            name=begun.name,
            subject=begun.subject,
            messages=tuple(messages),
            attachments=attachments,
            notes=(*notes, *refused),
        )


def _read(number: int, data: Callable[[], bytes]) -> _Mail | RowProblem:
    try:
        message = email.message_from_bytes(data(), policy=email.policy.default)
        raw: dict[str, str] = {}
        for name, value in message.raw_items():
            raw.setdefault(name.lower(), str(value))
        if any(len(raw.get(name, "")) > MAX_HEADER_CHARS for name in ("from", "subject")):
            return RowProblem(row=number, message=f"has a From or Subject of more than {MAX_HEADER_CHARS} characters")
        return _mail(number, message, raw, data)
    except Exception as error:  # the standard library's parser has met hostile mail with errors of every kind
        return RowProblem(row=number, message=f"cannot be read as mail ({type(error).__name__}); left out")


def _mail(number: int, message: EmailMessage, raw: dict[str, str], data: Callable[[], bytes]) -> _Mail:
    addresses: tuple[Address, ...] = getattr(message.get("From"), "addresses", ())
    sender = addresses[0] if len(addresses) == 1 else None
    ids = _MESSAGE_ID.findall(raw.get("message-id", ""))
    answered = _MESSAGE_ID.findall(raw.get("in-reply-to", ""))
    references = _MESSAGE_ID.findall(raw.get("references", ""))
    submitted = raw.get("auto-submitted", "no").strip().lower()
    return _Mail(
        number=number,
        id=ids[0] if ids else "",
        parents=(*answered, *reversed(references))[:MAX_PARENTS],
        sent_at=_time(raw.get("date", "")),
        sender=sender.addr_spec.strip().lower() if sender else "",
        name=sender.display_name if sender else "",
        subject=str(message.get("Subject", "")),
        digest=sha256_hex(_text(message).encode("utf-8", "replace")),
        automatic=not submitted.startswith("no") or raw.get("precedence", "").strip().lower() in _BULK,
        body=lambda: _body(email.message_from_bytes(data(), policy=email.policy.default)),
    )


def _time(date: str) -> float | None:
    try:
        parsed = parsedate_tz(date[:200])
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError, TypeError):
        return None


def _body(message: EmailMessage) -> _Body:
    parts = list(_leaves(message))
    return _Body(
        text=_text(message),
        files=tuple(_files(message, parts)),
        cut=any(isinstance(defect, CloseBoundaryNotFoundDefect) for part in message.walk() for defect in part.defects),
    )


def _files(message: EmailMessage, parts: Sequence[EmailMessage]) -> Iterator[tuple[str, bytes]]:
    """What came with the words: every part with a name, and every one that is no text; also pictures between them."""
    words = message.get_body(preferencelist=("plain", "html"))
    for part in parts:
        name = part.get_filename() or ""
        if part is words or (part.get_content_maintype() == "text" and not name and not part.is_attachment()):
            continue
        data = part.get_payload(decode=True)
        yield name, data if isinstance(data, bytes) else b""


def _leaves(message: EmailMessage, depth: int = 0) -> Iterator[EmailMessage]:
    """The parts that have none themselves; a mail inside a mail is one part."""
    if message.get_content_maintype() != "multipart" or depth > MAX_DEPTH:
        yield message
        return
    for part in message.iter_parts():
        if isinstance(part, EmailMessage):
            yield from _leaves(part, depth + 1)


def _text(message: EmailMessage) -> str:
    """The plain text, or what is to be read in the HTML; empty if there is neither."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    data = part.get_payload(decode=True)
    text = _decoded(data if isinstance(data, bytes) else b"", part.get_content_charset())
    if part.get_content_type() == "text/html":
        return words_of(text)
    return text


def _decoded(data: bytes, charset: str | None) -> str:
    """A part's text; what its encoding does not allow becomes U+FFFD, and an unknown encoding is read as UTF-8."""
    if charset is None or charset.lower().replace("-", "_") in _NO_TEXT_CODECS:
        charset = "utf-8"
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
