"""The words of an HTML mail."""

from __future__ import annotations

import re

from agents.markup import pieces

_HIDDEN = ("script", "style", "head", "title", "template")
_BLOCKS = ("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table")


def words_of(page: str) -> str:
    """What is to be read in ``page``, a line for every block; a tag that is never closed ends the text."""
    parts = ["\n" if piece.tag in _BLOCKS else piece.text for piece in pieces(page, hidden=_HIDDEN)]
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
