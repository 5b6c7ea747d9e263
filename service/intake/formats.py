"""Plain text, JSON and JSON lines as rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from service.errors import BadTicketFile
from service.intake.attachments import from_json as attachments_from_json
from service.intake.cleaning import clean
from service.intake.lines import MAX_LINE_CHARS
from service.intake.rows import PAST, Row, RowProblem, Rows, past
from service.intake.tables import COLUMNS

FIRST_LINE_CHARS = 120
"""Of a plain text file's first line, as much becomes the subject."""
_LISTS = ("tickets", "conversations", "results", "data")
"""Fields under which an export that is one object has its tickets."""
_GAP = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(strict=False)


def text_row(text: str, requester: str) -> Rows:
    """A plain text file is one ticket of ``requester``; its first line is the subject."""
    if not requester.strip():
        yield RowProblem(row=1, message="a plain text file does not say who wrote it; name the address with --from")
        return
    first = next((line.strip() for line in clean(text).split("\n") if line.strip()), "")
    yield Row(number=1, email=requester, subject=first[:FIRST_LINE_CHARS], messages=(text,))


def json_rows(path: str, text: str) -> Rows:
    """A JSON list is many tickets, an object is one or has a list of them; of a list cut off, what is whole."""
    text = text.removeprefix("\ufeff")
    at = _GAP.match(text).end()  # type: ignore[union-attr]  # it matches anything
    if text[at : at + 1] == "[":
        yield from _items(path, text, at + 1)
        return
    try:
        data = json.loads(text, strict=False)
    except RecursionError:
        raise BadTicketFile(path, "is nested too deeply to be tickets") from None
    except ValueError as error:
        hint = "; one object a line is JSON lines, name the file .jsonl" if "Extra data" in str(error) else ""
        raise BadTicketFile(path, f"is not JSON: {error}{hint}") from None
    for number, item in enumerate(_listed(data), 1):
        yield _from_json(number, item)


def json_lines(lines: Iterator[str]) -> Rows:
    """One JSON object a line; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if not text.strip():
            continue
        if len(text) >= MAX_LINE_CHARS:
            yield RowProblem(row=number, message=f"is longer than {MAX_LINE_CHARS:,} characters; left out")
            continue
        try:
            item = json.loads(text, strict=False)
        except RecursionError:
            yield RowProblem(row=number, message="is nested too deeply to be a ticket")
        except ValueError as error:
            yield RowProblem(row=number, message=f"is not JSON: {error}")
        else:
            yield _from_json(number, item)


def _items(path: str, text: str, at: int) -> Rows:
    """The items of a JSON list whose first one may begin at ``at``."""
    number = 0
    while True:
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == "]" and number == 0:
            break
        number += 1
        wrong = ""
        try:
            item, at = _DECODER.raw_decode(text, at)
        except RecursionError:
            wrong = "is nested too deeply to be a ticket"
        except ValueError as error:
            wrong = f"is not JSON, or the file is cut off here: {error}"
        if wrong and number == 1:
            raise BadTicketFile(path, f"its first item {wrong}")
        if wrong:
            yield RowProblem(row=number, message=f"{wrong}; nothing after it can be read")
            return
        yield _from_json(number, item)
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] != ",":
            break
        at += 1
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        found = "the file is cut off" if not text[at:].strip() else "something else than the next item follows"
        yield RowProblem(row=number + 1, message=f"{found} after row {number}; nothing there can be read")


def _listed(data: Any) -> list[Any]:
    if isinstance(data, dict) and not any(name in data for name in (*COLUMNS["email"], "requester", "messages")):
        for name in _LISTS:
            if isinstance(data.get(name), list):
                return list(data[name])
    return [data]


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
    messages = item.get("messages")
    if messages is None:
        messages = [_text(item, COLUMNS["text"])]
    if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
        raise _Wrong("messages is not a list of texts")
    tags = item.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise _Wrong("tags is not a list of texts")
    attachments, notes = attachments_from_json(item.get("attachments"))
    return Row(
        number=number,
        id=_text(_with_numbers_as_text(item, COLUMNS["id"]), COLUMNS["id"]).strip(),
        email=_text(who, COLUMNS["email"]),
        name=_text(who, tuple(name for name in COLUMNS["name"] if name != "requester")),
        subject=_text(item, COLUMNS["subject"]),
        messages=tuple(messages),
        tags=tuple(tags or ()),
        attachments=attachments,
        notes=notes,
        past=past({name: _joined(item, name) for name in PAST}),
    )


def _joined(item: Mapping[str, Any], name: str) -> str:
    """Whatever stands there, as the text that a table would have; what makes no sense is found out by who uses it."""
    value = item.get(name)
    parts = value if isinstance(value, list) else [value]
    return ";".join(str(part) for part in parts if part is not None)


def _with_numbers_as_text(item: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: item.get(name) for name in names}
    return {name: str(value) if type(value) is int else value for name, value in given.items()}


def _text(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    name = next((name for name in names if item.get(name) is not None), None)
    if name is None:
        return ""
    if not isinstance(item[name], str):
        raise _Wrong(f"{name} is {_kind(item[name])}, not a text")
    return str(item[name])


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
