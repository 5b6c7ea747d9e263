"""From the blocks of a document to the statements that are quoted: paragraphs, and lists with what leads into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from agents.knowledge.article import Statement

MAX_STATEMENT = 600
"""Characters of a statement; longer ones are divided at ends of sentences or between the items of a list."""

_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))\s+(?=[^\W_a-zà-öø-ÿ]|[\"'“„(])|(?<=[。！？])(?![”’」』）])"
)
_LEADS_IN = (":", "：")


class Kind(Enum):
    """What a block is."""

    HEADING = "heading"
    TEXT = "text"
    ITEM = "item"
    ROW = "row"
    """Of a table."""


_MARKS = {Kind.ITEM: "- ", Kind.ROW: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a document, as plain text."""

    kind: Kind
    text: str
    level: int = 0
    """Of a heading: 1 is the highest."""


def first_heading(blocks: Iterable[Block]) -> str:
    """The text of the first heading of level 1; empty without one."""
    return next((one.text for one in blocks if one.kind is Kind.HEADING and one.level == 1), "")


def statements_of(blocks: Iterable[Block], *, title: str) -> tuple[Statement, ...]:
    """The statements of a document, in order; headings that repeat ``title`` say nothing new and are left out."""
    headings: dict[int, str] = {}
    waiting: list[Block] = []
    found: list[Statement] = []

    def finish() -> None:
        path = " – ".join(text for _, text in sorted(headings.items()) if text != title)
        found.extend(Statement(heading=path, text=text) for text in _texts(waiting))
        waiting.clear()

    for block in blocks:
        if block.kind is Kind.HEADING:
            finish()
            for level in [level for level in headings if level >= block.level]:
                del headings[level]
            headings[block.level] = block.text
            continue
        if waiting and not _goes_on(waiting[-1], block):
            finish()
        waiting.append(block)
    finish()
    return tuple(dict.fromkeys(found))


def _goes_on(last: Block, block: Block) -> bool:
    """True if ``block`` belongs to the statement of which ``last`` is the newest part."""
    if block.kind is Kind.TEXT:
        return False
    return block.kind is last.kind or (last.kind is Kind.TEXT and last.text.endswith(_LEADS_IN))


def _texts(blocks: list[Block]) -> Iterator[str]:
    if not blocks:
        return
    lead = blocks[0].text if blocks[0].kind is Kind.TEXT else ""
    items = [f"{_MARKS[block.kind]}{block.text}\n" for block in blocks if block.kind in _MARKS]
    if items:
        yield from _grouped(items, lead=f"{lead}\n" if lead else "")
    else:
        yield from _grouped(_sentences(lead), lead="")


def _sentences(text: str) -> list[str]:
    """``text`` cut after every sentence; joined again they are ``text``."""
    cuts = [0, *(end.end() for end in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _grouped(parts: Iterable[str], *, lead: str) -> Iterator[str]:
    """``parts`` joined to texts of at most `MAX_STATEMENT` characters, each after ``lead``; no part is cut."""
    text = ""
    for part in parts:
        if text and len(text) + len(part) > MAX_STATEMENT:
            yield text.strip()
            text = ""
        text = (text or lead) + part
    if text.strip():
        yield text.strip()
