"""Attachments of tickets in files: which may be kept, under which name, as which type. Their bytes are data.

A file of tickets brings the bytes of an attachment, or there is none: a path or an address in it is never followed.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from agents.canonical import sha256_hex
from service.attachments import MAX_BYTES, MAX_KEPT, media_type_of
from service.helpdesks.embedded import NewAttachment
from service.intake.cleaning import one_line

MAX_TICKET_BYTES = 25 * 1024 * 1024
"""Of all attachments of one ticket."""
MAX_NAME_CHARS = 100
_ENDINGS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "text/plain": (".txt", ".md", ".csv", ".json", ".log"),
}
"""Names that fit a type, the usual one first."""
_DATA_URL = re.compile(r"data:[^,]{0,100};base64,")
_PLACES = ("path", "file", "url", "content_url", "href", "uri")
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def checked(files: Iterable[tuple[str, bytes]]) -> tuple[tuple[NewAttachment, ...], tuple[str, ...]]:
    """Those of ``files`` (name as sent, bytes) that may be kept, each once, and why the others were left out."""
    kept: list[NewAttachment] = []
    notes: list[str] = []
    seen: set[str] = set()
    for number, (sent_as, data) in enumerate(files, 1):
        digest = sha256_hex(data)
        if digest in seen:
            continue
        seen.add(digest)
        media_type = media_type_of(data)
        name = _name(sent_as, media_type, number)
        reason = _refusal(data, media_type, count=len(kept), total=sum(len(one.data) for one in kept))
        if reason:
            notes.append(f"its attachment {name!r} was left out: {reason}")
            continue
        if sent_as and name != sent_as:
            notes.append(f"its attachment {one_line(sent_as)[:MAX_NAME_CHARS]!r} is kept as {name!r} ({media_type})")
        kept.append(NewAttachment(name=name, media_type=media_type, data=data))
    return tuple(kept), tuple(notes)


def from_json(value: Any) -> tuple[tuple[NewAttachment, ...], tuple[str, ...]]:
    """A list of ``{"name": ..., "data": base64}``, as `checked`; what is of another shape is a note."""
    if value is None:
        return (), ()
    if not isinstance(value, list):
        return (), ("its attachments were left out: they are not a list of objects with name and data (base64)",)
    files: list[tuple[str, bytes]] = []
    notes: list[str] = []
    for number, item in enumerate(value, 1):
        try:
            files.append(_decoded(item, number))
        except ValueError as error:
            notes.append(f"its attachment {number} was left out: {error}")
    kept, more = checked(files)
    return kept, (*notes, *more)


def _decoded(item: Any, number: int) -> tuple[str, bytes]:
    if not isinstance(item, dict):
        raise ValueError("it is not an object with name and data (base64)")
    data = item.get("data")
    if not isinstance(data, str):
        named = next((place for place in _PLACES if place in item), None)
        why = f"it names a place ({named}), and no place is looked at; " if named else ""
        raise ValueError(f"{why}put its bytes into data, as base64")
    data = data[match.end() :] if (match := _DATA_URL.match(data)) else data
    if len(data) // 4 * 3 > MAX_BYTES + 3:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    name = item.get("name")
    try:
        return name if isinstance(name, str) else f"attachment-{number}", base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its data is not base64: {error}") from None


def _refusal(data: bytes, media_type: str, *, count: int, total: int) -> str:
    if not data:
        return "it is empty"
    if len(data) > MAX_BYTES:
        return f"it has {len(data):,} bytes; at most {MAX_BYTES:,} are kept"
    if not media_type:
        return "by its bytes it is none of PNG, JPEG, GIF, WebP, PDF and plain text"
    if count >= MAX_KEPT:
        return f"only the first {MAX_KEPT} attachments of a ticket are kept"
    if total + len(data) > MAX_TICKET_BYTES:
        return f"a ticket's attachments have at most {MAX_TICKET_BYTES:,} bytes together"
    return ""


def _name(sent_as: str, media_type: str, number: int) -> str:
    """A plain file name that fits the type: no folders, no signs that mean something to a file system or turn text."""
    name = unicodedata.normalize("NFC", one_line(_BIDI.sub("", sent_as)))
    name = re.sub(r'[<>:"|?*]', "_", re.split(r"[/\\]", name)[-1])
    name = "".join(sign if sign.isprintable() else "_" for sign in name).strip(". ") or f"attachment-{number}"
    stem, ending = PurePosixPath(name).stem, PurePosixPath(name).suffix[:20]
    endings = _ENDINGS.get(media_type, ())
    if endings and ending.casefold() not in endings:
        stem, ending = name, endings[0]
    return stem[: MAX_NAME_CHARS - len(ending)] + ending
