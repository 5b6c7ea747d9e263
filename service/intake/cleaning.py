"""What strangers' words and addresses must look like before anybody works with them."""

from __future__ import annotations

import re

MAX_MESSAGE_CHARS = 100_000
"""A longer message is cut, and the cut is reported."""
MAX_SUBJECT_CHARS = 500
"""A longer subject is cut, and the cut is reported."""
MAX_NAME_CHARS = 200
_MAX_EMAIL_CHARS = 254
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\]{3,253}")


def clean(text: str) -> str:
    r"""``text`` with ``\n`` as its only line end, without control characters but ``\n`` and ``\t``, and with U+FFFD for
    lone surrogates.
    """
    return _SURROGATE.sub("\ufffd", without_controls(text))


def without_controls(text: str) -> str:
    r"""``text`` with ``\n`` as its only line end, without control characters but ``\n`` and ``\t``."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def unreadable(text: str) -> bool:
    """True if there are lone surrogates in ``text``: bytes that were no letters, or half of a pair."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def one_line(text: str) -> str:
    """``text``, cleaned, on one line."""
    return " ".join(clean(text).split())


def email_address(text: str) -> str | None:
    """``text`` as an e-mail address in lower case, or None if it does not look like one. Takes linear time."""
    address = clean(text).strip().lower()
    if len(address) > _MAX_EMAIL_CHARS or _EMAIL.fullmatch(address) is None:
        return None
    labels = address.partition("@")[2].split(".")
    return address if len(labels) > 1 and all(labels) else None
