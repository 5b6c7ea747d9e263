"""Which encoding a text file is in, told by its bytes: UTF-8 and UTF-16 surely, GB18030 and Windows-1252 by guess."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from service.errors import BadTicketFile

_CHUNK = 1024 * 1024
_START = 64 * 1024
"""Bytes that are looked at for NULs."""
_MANY = 0.1
"""Share of NULs above which a file is UTF-16, or no text."""
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_COMMON_HANZI = re.compile(rb"(?:[\xa1-\xa3\xb0-\xd7][\xa1-\xfe])+")
"""Of GB2312: punctuation and the characters of its first level, which make up nearly all of any Chinese text."""
_NO_TEXT = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook; save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV (UTF-8)"),
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the bytes of a file become text."""

    codec: str
    errors: str
    """UTF-8 keeps bytes that are none as lone surrogates, so that it can be told which rows they are in."""
    note: str = ""
    """What a person should know about it; empty for UTF-8."""


def detect(path: Path) -> Encoding:
    """The encoding of the file at ``path``; takes linear time and little memory.

    Raises:
        BadTicketFile: it is no text.
    """
    with path.open("rb") as file:
        start = file.read(_START)
        for beginning, what in _NO_TEXT:
            if start.startswith(beginning):
                raise BadTicketFile(str(path), f"is not a text: it is {what}")
        for mark, codec in _MARKS:
            if start.startswith(mark):
                return _utf_16(codec, "") if codec == "utf-16" else Encoding(codec=codec, errors="surrogateescape")
        if start.count(0) > _MANY * len(start):
            return _without_mark(path, start)
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        counts = _Counts()
        sound = True
        while chunk := file.read(_CHUNK):
            counts.add(chunk)
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                sound = False
                decoder.reset()
        cut = bool(decoder.getstate()[0])
    if (sound and not cut) or counts.utf_8 > counts.other:
        return Encoding(codec="utf-8", errors="surrogateescape")
    codec, name = ("gb18030", "GB18030") if counts.hanzi > 0.7 * counts.high else ("cp1252", "Windows-1252")
    return Encoding(codec=codec, errors="replace", note=_note(name, "is not UTF-8"))


@dataclass(slots=True)
class _Counts:
    """Bytes from 0x80 on, by what they may be. Pairs that a chunk's end cuts are too few to matter."""

    high: int = 0
    utf_8: int = 0
    hanzi: int = 0

    @property
    def other(self) -> int:
        return self.high - self.utf_8

    def add(self, chunk: bytes) -> None:
        if chunk.isascii():
            return
        for run in _HIGH.findall(chunk):
            self.high += len(run)
            self.utf_8 += sum(map(len, _UTF_8.findall(run)))
            if len(run) % 2 == 0:
                self.hanzi += sum(map(len, _COMMON_HANZI.findall(run)))


def _without_mark(path: Path, start: bytes) -> Encoding:
    """UTF-16 has its NULs, the upper halves of Latin letters, all on the same side."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < 20 * min(even, odd):
        raise BadTicketFile(str(path), "is not a text: it is full of NUL bytes")
    return _utf_16("utf-16-le" if odd > even else "utf-16-be", " without a mark")


def _utf_16(codec: str, how: str) -> Encoding:
    return Encoding(codec=codec, errors="replace", note=_note(f"UTF-16{how}", "is not UTF-8"))


def _note(name: str, why: str) -> str:
    return f"{why}; it was read as {name}, so look whether letters are right"
