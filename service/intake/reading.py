"""From a file to tickets: its format, its encoding, each row's checks, ids, duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.canonical import fingerprint
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
)
from service.intake.formats import csv_rows, json_lines, json_rows, looks_like_csv, text_row
from service.intake.mail import mail_rows, mailbox_rows
from service.intake.rows import Past, Row, RowProblem, Rows

MAX_FILE_BYTES = 50 * 1024 * 1024
"""A larger file is refused as a whole."""
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
    """The tickets in the file at ``path``: .txt .md .eml .json .jsonl .ndjson .csv .mbox, else by its contents.

    Args:
        path: at most `MAX_FILE_BYTES`.
        requester: the e-mail address of who wrote a plain text file; other formats name theirs.

    A ticket without an id gets one made from its contents, so the same file read twice gives the same tickets.

    Raises:
        BadTicketFile: nothing in the file can be read.
    """
    data = _read(path)
    tickets: dict[str, tuple[int, NewTicket]] = {}
    past: dict[str, Past] = {}
    problems: list[RowProblem] = []
    for row in _rows(path, data, requester):
        if isinstance(row, RowProblem):
            problems.append(row)
            continue
        address = email_address(row.email)
        if address is None:
            shown = (
                f"{one_line(row.email)[:60]!r} is not an e-mail address" if row.email.strip() else "no e-mail address"
            )
            problems.append(RowProblem(row=row.number, message=f"has no requester: {shown}; left out"))
            continue
        ticket, notes = _ticket(row, address)
        if ticket.id in tickets:
            number, standing = tickets[ticket.id]
            same = ticket == standing
            message = f"is the same ticket as row {number}" if same else f"has the id {ticket.id} of row {number}"
            problems.append(RowProblem(row=row.number, message=f"{message}; only that one was taken", kept=same))
            continue
        tickets[ticket.id] = (row.number, ticket)
        if row.past != Past():
            past[ticket.id] = row.past
        problems += [RowProblem(row=row.number, message=note, kept=True) for note in notes]
    return Intake(
        tickets=tuple(ticket for _, ticket in tickets.values()),
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
        past=past,
    )


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            raise BadTicketFile(str(path), "there is no such file")
        if not path.is_file():
            raise BadTicketFile(str(path), "is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadTicketFile(str(path), f"cannot be read: {error}") from None
    if not data:
        raise BadTicketFile(str(path), "is empty (0 bytes); there is no ticket in it")
    if len(data) > MAX_FILE_BYTES:
        raise BadTicketFile(str(path), f"is larger than {MAX_FILE_BYTES // 1024**2} MB; split it")
    return data


def _rows(path: Path, data: bytes, requester: str) -> Rows:
    match _FORMATS.get(path.suffix.lower()) or _sniffed(path, data):
        case "json":
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise BadTicketFile(str(path), f"is not UTF-8 (byte {error.start}); JSON has to be") from None
            yield from json_rows(str(path), text)
        case "jsonl":
            yield from json_lines(data)
        case "mbox":
            yield from mailbox_rows(path)
        case "mail":
            yield from mail_rows(data)
        case "csv":
            text, notes = _decoded(path, data)
            yield from notes
            yield from csv_rows(str(path), text)
        case _:
            text, notes = _decoded(path, data)
            yield from notes
            yield from text_row(text, requester)


def _decoded(path: Path, data: bytes) -> tuple[str, list[RowProblem]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadTicketFile(str(path), "is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        note = f"is not UTF-8 (byte {error.start}); it was read as Windows-1252, so look whether letters are right"
        return data.decode("cp1252", "replace"), [RowProblem(row=0, message=note, kept=True)]


def _sniffed(path: Path, data: bytes) -> str:
    """The format of a file whose name does not say it."""
    start = data.removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in start[:4096]:
        known = " ".join(_FORMATS)
        raise BadTicketFile(str(path), f"is not a text; tickets come in files of these kinds: {known}")
    if start.startswith(b"From "):
        return "mbox"
    lines = [line for line in start[:100_000].splitlines() if line.strip()] or [b""]
    if re.match(rb"(Return-Path|Received|From|Delivered-To|MIME-Version|Message-ID):\s", lines[0], re.IGNORECASE):
        return "mail"
    if lines[0].lstrip().startswith(b"{") and lines[0].rstrip().endswith(b"}"):
        return "json" if len(lines) == 1 else "jsonl"
    if re.match(rb"\s*(\{\s*(\"|$)|\[\s*(\{|\]|$))", lines[0]):
        return "json"
    return "csv" if looks_like_csv(lines[0].decode("utf-8", "replace")) else "text"


def _ticket(row: Row, address: str) -> tuple[NewTicket, list[str]]:
    """The ticket of a row whose requester is known, and what was changed to make it one."""
    notes: list[str] = []
    subject = one_line(row.subject)
    if len(subject) > MAX_SUBJECT_CHARS:
        notes.append(f"its subject was cut to {MAX_SUBJECT_CHARS} characters")
        subject = subject[:MAX_SUBJECT_CHARS]
    messages = tuple(_messages(row, notes))
    if not any(message.strip() for message in messages):
        messages = ("",)
        notes.append("its message is empty" if subject else "has no words: it will be handed to a person")
    ticket = NewTicket(
        id="",
        requester=Requester(email=address, name=one_line(row.name)[:MAX_NAME_CHARS]),
        subject=subject,
        messages=messages,
        tags=tuple(tag for tag in map(one_line, row.tags) if tag),
    )
    ticket_id = row.id
    if _ID.fullmatch(ticket_id) is None:
        ticket_id = "t-" + fingerprint(_identity(row, ticket))[:12]
        if row.id:
            shown = one_line(row.id)[:64]
            notes.append(f"its id {shown!r} is not of letters, digits, . _ and -; it was opened as {ticket_id}")
    return (
        NewTicket(
            id=ticket_id,
            requester=ticket.requester,
            subject=ticket.subject,
            messages=ticket.messages,
            tags=ticket.tags,
        ),
        notes,
    )


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
    if row.origin:
        return ["origin", clean(row.origin)]
    who = ticket.requester
    return ["content", clean(row.id), who.email, who.name, ticket.subject, list(ticket.messages), list(ticket.tags)]
