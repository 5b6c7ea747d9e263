"""From a file to tickets: its format, its encoding, each row's checks, ids, duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.canonical import fingerprint, sha256_hex
from agents.ticket import Requester
from service.errors import BadTicketFile
from service.helpdesks.embedded import NewTicket
from service.intake.cleaning import (
    MAX_MESSAGE_CHARS,
    MAX_NAME_CHARS,
    MAX_SUBJECT_CHARS,
    clean,
    email_address,
    one_line,
    unreadable,
)
from service.intake.encodings import detect
from service.intake.formats import json_lines, json_rows, text_row
from service.intake.lines import lines_of, text_of
from service.intake.mail import mail_rows, mailbox_rows
from service.intake.rows import Past, Row, RowProblem, Rows
from service.intake.tables import csv_rows, looks_like_csv

_MB = 1024 * 1024
_START = 100_000
"""Bytes by which a file is known whose name says nothing."""
_LARGEST = {"text": 50, "mail": 50, "json": 200, "jsonl": 4096, "csv": 4096, "mbox": 4096}
"""Megabytes; larger files are refused as a whole. Those of the last three are never held in memory."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Job ids and message keys put ``#`` and ``:`` after a ticket's id, so neither is ever in one."""
_FORMATS = {
    ".txt": "text",
    ".md": "text",
    ".eml": "mail",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".mbox": "mbox",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One sound row."""

    row: int
    """As `RowProblem.row`."""
    ticket: NewTicket
    past: Past
    """What people did about it, as far as the file says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a file held."""

    tickets: tuple[NewTicket, ...]
    """In the order of the file, each id once."""
    problems: tuple[RowProblem, ...]
    """By row."""
    past: Mapping[str, Past] = field(default_factory=dict)
    """What people did, by ticket id, of the tickets of which the file says it."""

    @property
    def refused(self) -> tuple[RowProblem, ...]:
        """Rows that were left out."""
        return tuple(problem for problem in self.problems if not problem.kept)


def read_tickets(path: Path, *, requester: str = "") -> Intake:
    """All that `stream_tickets` finds in the file at ``path``, at once."""
    tickets: list[NewTicket] = []
    history: dict[str, Past] = {}
    problems: list[RowProblem] = []
    for found in stream_tickets(path, requester=requester):
        if isinstance(found, RowProblem):
            problems.append(found)
            continue
        tickets.append(found.ticket)
        if found.past != Past():
            history[found.ticket.id] = found.past
    return Intake(
        tickets=tuple(tickets), problems=tuple(sorted(problems, key=lambda problem: problem.row)), past=history
    )


def stream_tickets(path: Path, *, requester: str = "") -> Iterator[Taken | RowProblem]:
    """The tickets in the file at ``path``: .txt .md .eml .json .jsonl .ndjson .csv .mbox, else by its contents.

    Every row is a ticket or a problem, in the order of the file, each id once; of tables, JSON lines and mailboxes only
    one is held in memory. A ticket without an id gets one made from its contents, so the same file read twice gives the
    same tickets.

    Args:
        path: the file.
        requester: the e-mail address of who wrote a plain text file; other formats name theirs.

    Raises:
        BadTicketFile: nothing in the file can be read.
    """
    taken: dict[str, tuple[int, str]] = {}
    for row in _rows(path, requester):
        if isinstance(row, RowProblem):
            yield row
            continue
        address = email_address(row.email)
        if address is None:
            shown = (
                f"{one_line(row.email)[:60]!r} is not an e-mail address" if row.email.strip() else "no e-mail address"
            )
            yield RowProblem(row=row.number, message=f"has no requester: {shown}; left out")
            continue
        ticket, notes = _ticket(row, address)
        digest = fingerprint(_content(ticket))[:16]
        number, standing = taken.setdefault(ticket.id, (row.number, digest))
        if number != row.number:
            same = digest == standing
            message = f"is the same ticket as row {number}" if same else f"has the id {ticket.id} of row {number}"
            yield RowProblem(row=row.number, message=f"{message}; only that one was taken", kept=same)
            continue
        yield Taken(row=row.number, ticket=ticket, past=row.past)
        for note in (*row.notes, *notes):
            yield RowProblem(row=row.number, message=note, kept=True)


def _rows(path: Path, requester: str) -> Rows:
    size = _size(path)
    kind = _FORMATS.get(path.suffix.lower()) or _sniffed(path)
    if size > _LARGEST[kind] * _MB:
        hint = "; save it as CSV or JSON lines, or split it" if kind == "json" else "; split it"
        raise BadTicketFile(str(path), f"is larger than {_LARGEST[kind]} MB{hint}")
    if kind == "mbox":
        yield from mailbox_rows(path)
    elif kind == "mail":
        yield from mail_rows(path.read_bytes())
    else:
        encoding = detect(path)
        if encoding.note:
            yield RowProblem(row=0, message=encoding.note, kept=True)
        match kind:
            case "csv":
                yield from csv_rows(str(path), lines_of(path, encoding))
            case "jsonl":
                yield from json_lines(lines_of(path, encoding))
            case "json":
                yield from json_rows(str(path), text_of(path, encoding))
            case _:
                yield from text_row(text_of(path, encoding), requester)


def _size(path: Path) -> int:
    try:
        if not path.exists():
            raise BadTicketFile(str(path), "there is no such file")
        if not path.is_file():
            raise BadTicketFile(str(path), "is not a file")
        with path.open("rb") as file:
            if not file.read(1):
                raise BadTicketFile(str(path), "is empty (0 bytes); there is no ticket in it")
        return path.stat().st_size
    except (OSError, ValueError) as error:
        raise BadTicketFile(str(path), f"cannot be read: {error}") from None


def _sniffed(path: Path) -> str:
    """The format of a file whose name does not say it."""
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(b"From "):
        return "mbox"
    encoding = detect(path)
    lines = [line for line in start.decode(encoding.codec, "replace").splitlines() if line.strip("\ufeff \t")] or [""]
    first = lines[0].removeprefix("\ufeff")
    if re.match(r"(Return-Path|Received|From|Delivered-To|MIME-Version|Message-ID):\s", first, re.IGNORECASE):
        return "mail"
    if first.lstrip().startswith("{") and first.rstrip().endswith("}"):
        return "json" if len(lines) == 1 else "jsonl"
    if re.match(r"\s*(\{\s*(\"|$)|\[\s*(\{|\]|$))", first):
        return "json"
    return "csv" if looks_like_csv(first) else "text"


def _ticket(row: Row, address: str) -> tuple[NewTicket, list[str]]:
    """The ticket of a row whose requester is known, and what was changed to make it one."""
    notes: list[str] = []
    subject = one_line(row.subject)
    if len(subject) > MAX_SUBJECT_CHARS:
        notes.append(f"its subject was cut to {MAX_SUBJECT_CHARS} characters")
        subject = subject[:MAX_SUBJECT_CHARS]
    messages = tuple(_messages(row, notes))
    if any(map(unreadable, (row.name, row.subject, *row.messages, *row.tags))):
        notes.append("has signs that are no letters in its file's encoding; they became \ufffd")
    if not any(message.strip() for message in messages):
        messages = ("",)
        notes.append("its message is empty" if subject else "has no words: it will be handed to a person")
    ticket = NewTicket(
        id="",
        requester=Requester(email=address, name=one_line(row.name)[:MAX_NAME_CHARS]),
        subject=subject,
        messages=messages,
        tags=tuple(tag for tag in map(one_line, row.tags) if tag),
        attachments=row.attachments,
    )
    ticket_id = row.id
    if _ID.fullmatch(ticket_id) is None:
        ticket_id = "t-" + fingerprint(_identity(row, ticket))[:12]
        if row.id:
            shown = one_line(row.id)[:64]
            notes.append(f"its id {shown!r} is not of letters, digits, . _ and -; it was opened as {ticket_id}")
    return replace(ticket, id=ticket_id), notes


def _messages(row: Row, notes: list[str]) -> Iterator[str]:
    for number, text in enumerate(row.messages, 1):
        message = clean(text)
        if len(message) > MAX_MESSAGE_CHARS:
            notes.append(f"message {number} was cut from {len(message):,} to {MAX_MESSAGE_CHARS:,} characters")
            message = message[:MAX_MESSAGE_CHARS]
        if message.strip():
            yield message


def _identity(row: Row, ticket: NewTicket) -> list[object]:
    """What makes a ticket this ticket: where it comes from, or all that it says."""
    return ["origin", clean(row.origin)] if row.origin else ["content", clean(row.id), *_content(ticket)]


def _content(ticket: NewTicket) -> list[object]:
    who = ticket.requester
    said: list[object] = [who.email, who.name, ticket.subject, list(ticket.messages), list(ticket.tags)]
    files = [[one.name, sha256_hex(one.data)] for one in ticket.attachments]
    return [*said, files] if files else said
