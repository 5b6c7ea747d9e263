"""Tables of tickets (CSV), as spreadsheets and helpdesks export them, row by row.

A row that is not CSV does not take others with it: where a quotation mark is never closed, one line is left out and
reading goes on with the next.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from service.errors import BadTicketFile
from service.intake.lines import MAX_LINE_CHARS
from service.intake.rows import PAST, Row, RowProblem, Rows, past

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "ticket_id", "conversation_id", "ticket_number", "case_number", "request_id"),
    "email": (
        "email",
        "requester_email",
        "customer_email",
        "contact_email",
        "user_email",
        "email_address",
        "from_email",
        "sender_email",
        "message_author_email",
        "from",
    ),
    "name": (
        "name",
        "requester_name",
        "full_name",
        "customer_name",
        "contact_name",
        "user_name",
        "requester",
        "from_name",
        "message_author_name",
    ),
    "subject": ("subject", "ticket_subject", "conversation_subject", "summary", "title"),
    "text": (
        "text",
        "message",
        "body",
        "description",
        "description_text",
        "message_body",
        "first_message",
        "initial_message",
        "comment",
        "content",
    ),
    "tags": ("tags", "ticket_tags", "conversation_tags", "labels"),
}
"""What a ticket has, and what exports call it, the surest name first. Small letters; spaces and signs are one ``_``."""


def csv_rows(path: str, lines: Iterator[str]) -> Rows:
    """A table with a header row; commas, semicolons or tabs between the columns."""
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    rows = _records(_Lines(lines, first), delimiter)
    _, header = next(rows, (1, "it is empty"))
    if not isinstance(header, list):
        raise BadTicketFile(path, f"has no header row: {header}")
    places, unused = _mapped(path, header)
    if unused:
        shown = ", ".join(unused)[:300]
        yield RowProblem(row=1, message=f"these columns are not used: {shown}", kept=True)
    for number, fields in rows:
        if isinstance(fields, str):
            yield RowProblem(row=number, message=fields)
        elif not any(field.strip() for field in fields):
            continue
        elif len(fields) != len(header):
            message = f"has {len(fields)} fields, the header has {len(header)}; quote fields that hold {delimiter!r}"
            yield RowProblem(row=number, message=message)
        else:
            yield _row(number, {name: fields[place] for name, place in places.items()})


def looks_like_csv(first_line: str) -> bool:
    """True if a line could be the header of a table of tickets."""
    delimiter = max(",;\t", key=first_line.count)
    names = {_plain(name) for name in first_line.split(delimiter)}
    return bool(names & set(COLUMNS["email"])) and bool(names & {*COLUMNS["subject"], *COLUMNS["text"]})


def _mapped(path: str, header: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Where in a row each thing is, and the columns in which there is nothing of it."""
    plain = [_plain(name) for name in header]
    places: dict[str, int] = {}
    for what, names in COLUMNS.items():
        known = next((name for name in names if name in plain), None)
        if known is None:
            continue
        if plain.count(known) > 1:
            raise BadTicketFile(path, f"has the column {known} twice")
        places[what] = plain.index(known)
    places |= {name: plain.index(name) for name in PAST if name in plain}
    shown = ", ".join(header)[:200]
    if "email" not in places:
        raise BadTicketFile(path, f"has no column email; its header is: {shown}. It may have: {_may_have()}")
    if "text" not in places and "subject" not in places:
        raise BadTicketFile(
            path, f"has no column with the requester's words; its header is: {shown}. It may have: {_may_have()}"
        )
    return places, [name for number, name in enumerate(header) if number not in places.values() and name.strip()]


def _may_have() -> str:
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in COLUMNS.items())


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.strip().strip("\ufeff").casefold()).strip("_")


def _row(number: int, fields: Mapping[str, str]) -> Row:
    return Row(
        number=number,
        id=fields.get("id", "").strip(),
        email=fields["email"],
        name=fields.get("name", ""),
        subject=fields.get("subject", ""),
        messages=(fields.get("text", ""),),
        tags=tuple(re.split(r"[,;]", fields.get("tags", ""))),
        past=past({name: fields.get(name, "") for name in PAST}),
    )


class _TooLong(Exception):
    """Control flow: a row goes on for longer than any row does."""


class _Lines:
    """Lines for the csv module, which takes as many as a row has; all but the first of them can be given back."""

    def __init__(self, lines: Iterator[str], first: str) -> None:
        self._lines = lines
        self._next = deque([first] if first else [])
        self._taken: list[str] = []
        self._chars = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next.popleft() if self._next else next(self._lines)
        self._taken.append(line)
        self._chars += len(line)
        if self._chars >= MAX_LINE_CHARS:
            raise _TooLong
        return line

    def begin_row(self) -> None:
        self._taken, self._chars = [], 0

    def give_back(self) -> int:
        """Take the row's first line alone for read; returns how many lines are to be read again."""
        again = self._taken[1:]
        self._next.extendleft(reversed(again))
        return len(again)


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each row's number and its fields, or what is wrong with it."""
    number = 0
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number += 1
        lines.begin_row()
        try:
            with _large_fields():
                fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLong) as error:
            if lines.give_back() or "end of data" in str(error):
                yield number, "a quotation mark is opened in this line and not closed where the field ends; left out"
            elif isinstance(error, _TooLong):
                yield number, f"is longer than {MAX_LINE_CHARS:,} characters; left out"
            else:
                yield number, f"is not CSV: {error}; double the quotation marks inside quoted fields"
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            yield number, fields


@contextmanager
def _large_fields() -> Iterator[None]:
    """Fields may be as long as a row; the limit of 128 KB belongs to the whole process and is put back."""
    before = csv.field_size_limit(MAX_LINE_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(before)
