"""A reply that quotes, taken apart: blocks that end with a citation, and the frame around them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"\n[^\S\n]*\n")
_CITATION = re.compile(r"\[([A-Za-z0-9_-]{1,64}) v([A-Za-z0-9._-]{1,32})\]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One block of a reply that ends with a citation."""

    words: str
    """Everything in the block ahead of the citation."""
    article: str
    version: str


def quotes_in(reply: str) -> tuple[tuple[Quote, ...], tuple[str, ...]]:
    """(the quotes, the lines of everything else) of ``reply``; blocks are divided by blank lines."""
    quotes: list[Quote] = []
    frame: list[str] = []
    for block in _BLOCK.split(reply.replace("\r\n", "\n").strip()):
        words = block.strip()
        cited = _CITATION.search(words)
        if cited is not None:
            quotes.append(Quote(words=words[: cited.start()].strip(), article=cited[1], version=cited[2]))
        else:
            frame += [line.strip() for line in words.split("\n") if line.strip()]
    return tuple(quotes), tuple(frame)
