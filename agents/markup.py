"""HTML taken apart in linear time: the standard library's parser takes minutes on hostile input."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9]*)")
_ATTRIBUTE = re.compile(r"([A-Za-z_:-]{1,60})\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or one tag."""

    at: int
    """Where it begins in the page."""
    text: str = ""
    """With its entities resolved; empty for a tag."""
    tag: str = ""
    """The tag's name in lower case; empty for text, comments and declarations."""
    closing: bool = False
    inside: str = ""
    """What stands between the tag's name and its end."""
    cut: bool = False
    """The page ends inside this tag, comment or hidden element: what follows is not to be read."""

    def attributes(self) -> dict[str, str]:
        """The attributes that have a value; names in lower case, of one that is given twice the first."""
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(self.inside):
            found.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or match[4] or ""))
        return found


def pieces(page: str, *, hidden: Collection[str]) -> Iterator[Piece]:
    """``page`` piece by piece, without comments and without what stands inside elements named in ``hidden``."""
    lower = page.lower()
    if len(lower) != len(page):  # a few letters grow in lower case, and places would no longer fit
        lower = page
    at = 0
    while (start := page.find("<", at)) >= 0:
        if start > at:
            yield Piece(at, text=html.unescape(page[at:start]))
        opening = _NAME.match(page, start + 1)
        if page.startswith("<!--", start):
            end, length = page.find("-->", start), 3
        elif opening is None and not page.startswith(("<!", "<?"), start):
            yield Piece(start, text="<")
            at = start + 1
            continue
        else:
            end, length = page.find(">", start), 1
        if end < 0:
            yield Piece(start, cut=True)
            return
        at = end + length
        if opening is None:
            continue
        name, closing = opening[1].lower(), page[start + 1] == "/"
        yield Piece(start, tag=name, closing=closing, inside=page[opening.end() : end])
        if name in hidden and not closing:
            at = lower.find(f"</{name}", at)
            if at < 0:
                yield Piece(start, cut=True)
                return
    if at < len(page):
        yield Piece(at, text=html.unescape(page[at:]))
