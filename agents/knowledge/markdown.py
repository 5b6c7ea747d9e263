"""Markdown to plain blocks: images, rules and comments are left out, markup around words is taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.knowledge.statements import Block, Kind
from agents.markup import pieces

_HEADING = re.compile(r" {0,3}(#{1,6})(?![^ \t])(.*)")
_CLOSED = re.compile(r"(?<![^ \t])#+\Z")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(.*)")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_QUOTE = re.compile(r" {0,3}>[ ]?")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_IMAGE = re.compile(r"!\[([^\[\]]{0,300})\]\([^()\s]{0,2000}(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"\[([^\[\]]{1,300})\]\(<?([^()\s<>]{0,2000})>?(?:\s+\"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000}|[^<>\s@]{1,100}@[^<>\s@]{1,100})>")
_CODE = re.compile(r"`+([^`\n]{1,500})`+")
_STRONG = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,500}?)(?<=\S)\1")
_EMPHASIS = re.compile(
    r"(?<![\w*])\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*(?![\w*])|(?<!\w)_(?=\S)([^_\n]{1,500}?)(?<=\S)_(?!\w)"
)
_KEPT = "\ue000"
"""Stands before the code point of an escaped character while markup is taken off."""


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text."""
    lines: list[str] = []
    kind, fenced = Kind.TEXT, False

    def finish() -> Iterator[Block]:
        words = _plain(" ".join(lines))
        lines.clear()
        if words:
            yield Block(kind=kind, text=words)

    for raw in _without_comments(text).split("\n"):
        line = raw.rstrip()
        if _FENCE.match(line):
            fenced = not fenced
            yield from finish()
            kind = Kind.TEXT
            continue
        if fenced:
            if line.strip():
                lines.append(_escaped(line))
            continue
        while (quote := _QUOTE.match(line)) is not None:
            line = line[quote.end() :]
        heading, item = _HEADING.fullmatch(line), _ITEM.fullmatch(line)
        if heading is not None:
            yield from finish()
            kind = Kind.TEXT
            if words := _plain(_CLOSED.sub("", heading[2].strip())):
                yield Block(kind=Kind.HEADING, text=words, level=len(heading[1]))
        elif lines and kind is Kind.TEXT and (underline := _UNDERLINE.fullmatch(line)) is not None:
            words = _plain(" ".join(lines))
            lines.clear()
            if words:
                yield Block(kind=Kind.HEADING, text=words, level=1 if underline[1].startswith("=") else 2)
        elif _divides(line):
            yield from finish()
            kind = Kind.TEXT
        elif item is not None:
            yield from finish()
            kind = Kind.ITEM
            lines.append(item[1])
        elif line.lstrip().startswith("|"):
            yield from finish()
            kind = Kind.ROW
            lines.append(" | ".join(cell.strip() for cell in line.strip().strip("|").split("|")))
        else:
            lines.append(line.strip())
    yield from finish()


def _divides(line: str) -> bool:
    """True for what only divides: an empty line, a rule (``* * *``), the line below a table's head (``|---|---|``)."""
    marks = set(line) - {" ", "\t"}
    count = len(line) - line.count(" ") - line.count("\t")
    return not marks or (count >= 3 and len(marks) == 1 and marks <= set("*-_")) or {"-", "|"} <= marks <= set("-|:")


def _without_comments(text: str) -> str:
    """``text`` without HTML comments; their line breaks stay."""
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("-->", start)
        if end < 0:
            return "".join(kept)
        kept.append("\n" * text.count("\n", start, end))
        at = end + 3
    return "".join([*kept, text[at:]])


def _plain(text: str) -> str:
    """The words of one block."""
    text = _ESCAPED.sub(lambda found: _escaped(found[1]), text)
    text = _CODE.sub(lambda found: _escaped(found[1]), text)
    text = _IMAGE.sub("", text)
    text = _LINK.sub(_linked, text)
    text = _AUTOLINK.sub(lambda found: _escaped(found[1].removeprefix("mailto:")), text)
    text = _STRONG.sub(r"\2", text)
    text = _EMPHASIS.sub(lambda found: found[1] or found[2], text)
    text = "".join(" " if piece.tag == "br" else piece.text for piece in pieces(text, hidden=("script", "style")))
    text = re.sub(_KEPT + r"(\d+);", lambda found: chr(int(found[1])), text)
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """``text`` in a form that no rule of Markdown sees."""
    return "".join(char if char.isalnum() or char.isspace() else f"{_KEPT}{ord(char)};" for char in text)


def _linked(found: re.Match[str]) -> str:
    """A link's words, and its address where that is one to be read."""
    words, address = found[1], found[2].removeprefix("mailto:")
    if address == words or not found[2].startswith(("https://", "http://", "mailto:")):
        return words
    return f"{words} ({_escaped(address)})"
