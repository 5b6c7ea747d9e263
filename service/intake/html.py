"""The words of an HTML mail, in linear time: the standard library's parser takes minutes on hostile input."""

from __future__ import annotations

import html
import re

_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9]*)")
_HIDDEN = ("script", "style", "head", "title", "template")
_BLOCKS = ("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table")


def words_of(page: str) -> str:
    """What is to be read in ``page``, a line for every block; a tag that is never closed ends the text."""
    lower = page.lower()
    if len(lower) != len(page):  # a few letters grow in lower case, and places would no longer fit
        lower = page
    parts: list[str] = []
    at = 0
    while (start := page.find("<", at)) >= 0:
        parts.append(page[at:start])
        opening = _NAME.match(page, start + 1)
        if page.startswith("<!--", start):
            end, length = page.find("-->", start), 3
        elif opening is None and not page.startswith(("<!", "<?"), start):
            parts.append("<")
            at = start + 1
            continue
        else:
            end, length = page.find(">", start), 1
        if end < 0:
            return _tidied(parts)
        at = end + length
        name = opening[1].lower() if opening else ""
        if name in _BLOCKS:
            parts.append("\n")
        if name in _HIDDEN and page[start + 1] != "/":
            at = lower.find(f"</{name}", at)
            if at < 0:
                return _tidied(parts)
    parts.append(page[at:])
    return _tidied(parts)


def _tidied(parts: list[str]) -> str:
    lines = (" ".join(line.split()) for line in html.unescape("".join(parts)).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
