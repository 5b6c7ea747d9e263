"""How data is shown to people: cut where it is long, control characters made visible, times in UTC, money as `Money`.

Nothing here escapes HTML; the template does that, for every value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from agents.money import Money

LINE = 160
"""Characters of a value that stands in one line: a name, a subject, an argument."""
PARAGRAPH = 600
"""Characters of a reason or an error."""
RESULT = 320
"""Characters of what a tool answered."""
LETTER = 6_000
"""Characters of a message."""

LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French", "zh": "Chinese"}
"""Names of languages by their code."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Characters that nobody sees: controls, marks that turn text around, hidden tags, half characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as the report shows it."""

    text: str
    """The text, or its beginning."""
    length: int
    """Characters of the whole text."""

    @property
    def cut(self) -> bool:
        """True if only the beginning is shown."""
        return len(self.text) < self.length

    @property
    def note(self) -> str:
        """Says so: ``cut here, 102,400 characters in all``."""
        return f"cut here, {self.length:,} characters in all"


def shown(text: str, limit: int = LINE) -> Shown:
    """``text``, or its first ``limit`` characters."""
    return Shown(text=text[:limit], length=len(text))


def harmless(text: str) -> str:
    """``text`` with every invisible character written out: a NUL as ``␀``, others as ``⟨U+202E⟩``."""
    return _ODD.sub(_visible, text.replace("\r\n", "\n"))


def value(data: Any, limit: int = LINE) -> Shown:
    """JSON data as text: text as it is, amounts of money as such, everything else as JSON."""
    plain = _with_money(data)
    if isinstance(plain, str):
        return shown(plain, limit)
    return shown(json.dumps(plain, ensure_ascii=False, default=str), limit)


def when(at: datetime) -> str:
    """``23 Nov 2026, 19:45:16 UTC``"""
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M:%S} UTC"


def minute(at: datetime) -> str:
    """``23 Nov 2026, 19:45 UTC``"""
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M} UTC"


def day(at: datetime) -> str:
    """``23 Nov 2026``, in UTC."""
    return date_text(at.astimezone(UTC).date())


def date_text(of: date) -> str:
    """``23 Nov 2026``"""
    return f"{of.day} {_MONTHS[of.month - 1]} {of.year}"


def lasted(seconds: int | None) -> str:
    """``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``; a dash for None."""
    if seconds is None:
        return "–"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def took(start: datetime, end: datetime | None) -> str:
    """``2.96 s``; empty for what has no end."""
    if end is None:
        return ""
    seconds, rest = divmod((end - start) // timedelta(milliseconds=10), 100)
    return f"{seconds}.{rest:02} s"


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them: ``1,234.50 USD``."""
    return Money(minor=minor, currency=currency).text()


def amounts(totals: Mapping[str, int], currency: str) -> str:
    """Totals per currency, in one line; nothing is ``0.00`` of ``currency``."""
    return " + ".join(amount(minor, of) for of, minor in sorted(totals.items())) or amount(0, currency)


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _with_money(data: Any) -> Any:
    match data:
        case {"minor": int(), "currency": str()} if len(data) == 2:
            try:
                return Money.model_validate(data).text()
            except ValidationError:
                return data
        case dict():
            return {name: _with_money(item) for name, item in data.items()}
        case list() | tuple():
            return [_with_money(item) for item in data]
    return data
