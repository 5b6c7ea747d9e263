"""An HTML page to plain blocks, and what its head says about it. Nothing of its markup is ever kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agents.knowledge.statements import Block, Kind
from agents.markup import Piece, pieces

_HIDDEN = ("script", "style", "template", "noscript", "svg", "textarea", "select", "iframe", "object")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = (
    "html body head main article section header footer nav aside div p ul ol dl dt dd table thead tbody tfoot"
    " blockquote pre figure figcaption hr form details summary address"
)
_ENDS = frozenset([*_BLOCKS.split(), *_HEADINGS, "li", "tr"])
_KINDS = {"li": Kind.ITEM, "tr": Kind.ROW}
_CELLS = ("td", "th")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is to be read in a page."""

    blocks: tuple[Block, ...]
    title: str
    """Of its head; empty without one."""
    language: str
    """As the ``html`` element says; empty if it does not."""
    meta: dict[str, str]
    """``<meta name=… content=…>`` by name, in lower case."""
    cut_at: int | None
    """Where a tag or a hidden element begins that never ends; None in a whole page."""


def read_page(text: str) -> Page:
    """Take the page ``text`` apart."""
    reader = _Reader()
    blocks = tuple(block for piece in pieces(text, hidden=_HIDDEN) for block in reader.take(piece))
    return Page(
        blocks=(*blocks, *reader.finish()),
        title=" ".join("".join(reader.title).split()),
        language=reader.language,
        meta=reader.meta,
        cut_at=reader.cut_at,
    )


class _Reader:
    def __init__(self) -> None:
        self.title: list[str] = []
        self.language = ""
        self.meta: dict[str, str] = {}
        self.cut_at: int | None = None
        self._in_title = False
        self._words: list[str] = []
        self._kind = Kind.TEXT
        self._level = 0

    def take(self, piece: Piece) -> Iterator[Block]:
        """The blocks that end with ``piece``."""
        if piece.cut:
            self.cut_at = piece.at
        elif not piece.tag:
            (self.title if self._in_title else self._words).append(piece.text)
        elif piece.tag == "title":
            self._in_title = not piece.closing
        elif piece.tag == "html" and not piece.closing:
            self.language = piece.attributes().get("lang", "").partition("-")[0].lower()
        elif piece.tag == "meta":
            told = piece.attributes()
            if "name" in told and "content" in told:
                self.meta.setdefault(told["name"].strip().lower(), " ".join(told["content"].split()))
        elif piece.tag == "br":
            self._words.append(" ")
        elif piece.tag in _CELLS:
            if self._words and not piece.closing:
                self._words.append(" | ")
        elif piece.tag in _ENDS:
            opened = self._kind if piece.tag == "p" and not "".join(self._words).strip() else Kind.TEXT
            yield from self.finish()
            self._kind = opened  # the p of <li><p> belongs to the item
            if piece.tag in _HEADINGS and not piece.closing:
                self._kind, self._level = Kind.HEADING, _HEADINGS[piece.tag]
            elif piece.tag in _KINDS and not piece.closing:
                self._kind = _KINDS[piece.tag]

    def finish(self) -> Iterator[Block]:
        """The block that ends here, if it has words."""
        words = " ".join("".join(self._words).split()).strip(" |")
        kind, level = self._kind, self._level
        self._words.clear()
        if words:
            yield Block(kind=kind, text=words, level=level)
            self._kind, self._level = Kind.TEXT, 0
