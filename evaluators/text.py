"""Text made comparable: one width, one case, one kind of space."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """``text`` for comparing: NFKC, casefolded, ASCII digits, every run of white space one space."""
    return " ".join(plain_digits(text).casefold().split())


def plain_digits(text: str) -> str:
    """``text`` in NFKC with every decimal digit of every script as 0 to 9."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def unquoted(text: str) -> str:
    """``text`` without the lines that quote somebody else: those that begin with ``>``."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith((">", "\uff1e")))
