"""Plain text, JSON, JSON lines and CSV as rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from service.errors import BadTicketFile
from service.intake.cleaning import clean
from service.intake.rows import Past, Row, RowProblem, Rows

FIRST_LINE_CHARS = 120
"""Of a plain text file's first line, as much becomes the subject."""
_EMAIL = ("email", "requester_email")
_NAME = ("name", "requester_name")
_TEXT = ("text", "message", "body")
_PAST = ("expected_outcome", "expected_subject", "procedure")
"""What people did; several outcomes with a semicolon between them."""
_COLUMNS = {"id", "subject", "tags", *_EMAIL, *_NAME, *_TEXT}
_MAX_FIELD = 64 * 1024 * 1024


def text_row(text: str, requester: str) -> Rows:
    """A plain text file is one ticket of ``requester``; its first line is the subject."""
    if not requester.strip():
        yield RowProblem(row=1, message="a plain text file does not say who wrote it; name the address with --from")
        return
    first = next((line.strip() for line in clean(text).split("\n") if line.strip()), "")
    yield Row(number=1, email=requester, subject=first[:FIRST_LINE_CHARS], messages=(text,))


def json_rows(path: str, text: str) -> Rows:
    """A JSON object is one ticket, a JSON list is many."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise BadTicketFile(path, "is nested too deeply to be tickets") from None
    except ValueError as error:
        hint = "; one object a line is JSON lines, name the file .jsonl" if "Extra data" in str(error) else ""
        raise BadTicketFile(path, f"is not JSON: {error}{hint}") from None
    for number, item in enumerate(data if isinstance(data, list) else [data], 1):
        yield _from_json(number, item)


def json_lines(data: bytes) -> Rows:
    """One JSON object a line; empty lines are passed over."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield RowProblem(row=number, message=f"is not UTF-8 (byte {error.start} of the line); JSON has to be")
        except RecursionError:
            yield RowProblem(row=number, message="is nested too deeply to be a ticket")
        except ValueError as error:
            yield RowProblem(row=number, message=f"is not JSON: {error}")
        else:
            yield _from_json(number, item)


def csv_rows(path: str, text: str) -> Rows:
    """A table with a header row; commas, semicolons or tabs between the columns."""
    text = clean(text)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    with _large_fields():
        rows = _csv_rows(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
        number, header = next(rows, (1, None))
        if not isinstance(header, list):
            raise BadTicketFile(path, f"has no header row: {header or 'it is empty'}")
        columns = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
        _check_header(path, columns)
        for number, fields in rows:
            if isinstance(fields, str):
                yield RowProblem(row=number, message=fields)
            elif not any(field.strip() for field in fields):
                continue
            elif len(fields) != len(columns):
                message = (
                    f"has {len(fields)} fields, the header has {len(columns)}; quote fields that hold {delimiter!r}"
                )
                yield RowProblem(row=number, message=message)
            else:
                yield _from_columns(number, dict(zip(columns, fields, strict=True)))


def looks_like_csv(first_line: str) -> bool:
    """True if a line could be the header of a table of tickets."""
    names = {name.strip().strip('"').lower() for name in re.split(r"[,;\t]", first_line)}
    return len(names & _COLUMNS) > 1 and bool(names & set(_EMAIL))


def _csv_rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | str]]:
    """Each row's number and its fields, or what is wrong with it."""
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                yield number, "a quotation mark is opened here and never closed; nothing after it can be read"
            else:
                yield number, f"is not CSV: {error}; double the quotation marks inside quoted fields"


@contextmanager
def _large_fields() -> Iterator[None]:
    """Fields may be as long as the file; the limit of 128 KB belongs to the whole process and is put back."""
    before = csv.field_size_limit(_MAX_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _check_header(path: str, columns: list[str]) -> None:
    known = [name for name in columns if name in _COLUMNS]
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise BadTicketFile(path, f"has the column {twice[0]} twice")
    if not set(columns) & set(_EMAIL):
        shown = ", ".join(columns)[:200]
        raise BadTicketFile(path, f"has no column email; its header is: {shown}. It may have: {_may_have()}")
    if not set(columns) & {"subject", *_TEXT}:
        raise BadTicketFile(path, f"has no column with the requester's words. It may have: {_may_have()}")


def _may_have() -> str:
    return "id, email (or requester_email), name, subject, text (or message, body), tags"


def _from_columns(number: int, fields: Mapping[str, str]) -> Row:
    return Row(
        number=number,
        id=fields.get("id", "").strip(),
        email=_first(fields, _EMAIL) or "",
        name=_first(fields, _NAME) or "",
        subject=fields.get("subject", ""),
        messages=(_first(fields, _TEXT) or "",),
        tags=tuple(re.split(r"[,;]", fields.get("tags", ""))),
        past=_past({name: fields.get(name, "") for name in _PAST}),
    )


def _from_json(number: int, item: Any) -> Row | RowProblem:
    try:
        return _row(number, item)
    except _Wrong as wrong:
        return RowProblem(row=number, message=str(wrong))


class _Wrong(Exception):
    """A ticket in JSON is not of the shape that it must have."""


def _row(number: int, item: Any) -> Row:
    if not isinstance(item, dict):
        raise _Wrong(f"is {_kind(item)}, not an object with requester, subject and messages")
    requester = item.get("requester")
    if requester is not None and not isinstance(requester, dict):
        raise _Wrong(f"requester is {_kind(requester)}, not an object with email and name")
    who: dict[str, Any] = requester if requester is not None else item
    given = item.get("id")
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    messages = item.get("messages")
    if messages is None:
        messages = [_text(item, _TEXT)]
    if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
        raise _Wrong("messages is not a list of texts")
    tags = item.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise _Wrong("tags is not a list of texts")
    return Row(
        number=number,
        id=_text({"id": given}, ("id",)).strip(),
        email=_text(who, _EMAIL),
        name=_text(who, _NAME),
        subject=_text(item, ("subject",)),
        messages=tuple(messages),
        tags=tuple(tags or ()),
        past=_past({name: _listed(item, name) for name in _PAST}),
    )


def _listed(item: Mapping[str, Any], name: str) -> str:
    """Whatever stands there, as the text that a table would have; what makes no sense is found out by who uses it."""
    value = item.get(name)
    parts = value if isinstance(value, list) else [value]
    return ";".join(str(part) for part in parts if part is not None)


def _past(fields: Mapping[str, str]) -> Past:
    outcomes, subjects = ([part.strip() for part in fields[name].split(";")] for name in _PAST[:2])
    return Past(
        outcomes=tuple(part for part in outcomes if part),
        subjects=tuple(part for part in subjects if part),
        procedure=fields["procedure"].strip(),
    )


def _text(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    value = _first(item, names)
    if value is not None and not isinstance(value, str):
        raise _Wrong(f"{' or '.join(name for name in names if name in item)} is {_kind(value)}, not a text")
    return value or ""


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
