"""The words of a PDF. It has no paragraphs and no headings, so its statements are sentences, page by page."""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass

from agents.knowledge.statements import Block, Kind

MAX_PAGES = 500
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[a-zß-öø-ÿ])")
_CJK_BREAK = re.compile(r"(?<=[\u3000-\u9fff])\n(?=[\u3000-\u9fff])")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdf:
    """What is to be read in a PDF."""

    blocks: tuple[Block, ...]
    title: str
    """As its metadata says; empty if they do not."""


def read_pdf(data: bytes) -> Pdf:
    """The words of a PDF file.

    Raises:
        ValueError: it is no PDF, is broken, needs a password, has too many pages or no text; the message says which.
    """
    from pypdf import PdfReader  # only where there is a PDF: it takes 0.2 s
    from pypdf.errors import FileNotDecryptedError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("needs a password; save it without one")
        if len(reader.pages) > MAX_PAGES:
            raise ValueError(f"has {len(reader.pages)} pages; at most {MAX_PAGES} are read: divide it")
        title = " ".join(str((reader.metadata.title if reader.metadata else None) or "").split())
        pages = [page.extract_text() for page in reader.pages]
    except ValueError:
        raise
    except FileNotDecryptedError:
        raise ValueError("needs a password; save it without one") from None
    except Exception as error:  # whatever a broken file makes the parser raise
        raise ValueError(f"is not a PDF that can be read ({type(error).__name__}: {str(error)[:120]})") from None
    blocks = tuple(Block(kind=Kind.TEXT, text=text) for page in pages for text in _paragraphs(page))
    if not blocks:
        raise ValueError("has no text (scanned pages are pictures); run text recognition on it first")
    return Pdf(blocks=blocks, title=title)


def _paragraphs(page: str) -> list[str]:
    page = _CJK_BREAK.sub("", _HYPHEN.sub("", page.replace("\r\n", "\n")))
    return [words for part in _PARAGRAPH.split(page) if (words := " ".join(part.split()))]
