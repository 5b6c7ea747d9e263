"""Facts in text and in records, in a form that compares: numbers, dates, codes, and the currency of amounts.

A fact has *readings*, because ``1.234`` is one number in English and another in German; it is known if one of them is.
Readings are text with a prefix: ``n:34.9`` a number, ``d:2026-07-01`` a date, ``c:1z999aa1`` a code, ``m:EUR`` a
currency. Facts are: numbers of two or more digits, or with decimals, or next to a currency; ISO, German and Chinese
dates; words with two or more digits in them (order and tracking numbers). Numbers in words ("forty") are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from agents.money import exponent
from evaluators.text import folded, plain_digits

MAX_LEAVES = 5_000
"""Values of a record or receipt that are looked at; facts beyond are unknown, which is the safe side."""
MAX_TEXT = 200_000
"""Characters of them, all together."""

_CODES = "USD|EUR|GBP|CHF|CNY|RMB|JPY|CAD|AUD|SEK|NOK|DKK|PLN"
_DOLLARS = frozenset({"m:USD", "m:CAD", "m:AUD"})
_SIGNS = {
    "€": frozenset({"m:EUR"}),
    "euro": frozenset({"m:EUR"}),
    "euros": frozenset({"m:EUR"}),
    "£": frozenset({"m:GBP"}),
    "$": _DOLLARS,
    "dollar": _DOLLARS,
    "dollars": _DOLLARS,
    "¥": frozenset({"m:CNY", "m:JPY"}),
    "元": frozenset({"m:CNY"}),
    "rmb": frozenset({"m:CNY"}),
}
_DATES = re.compile(
    r"(?<![0-9A-Za-z])(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![0-9])"
    r"|(?<![0-9.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![0-9])"
    r"|(?<![0-9])(\d{4})年(\d{1,2})月(\d{1,2})日",
    re.ASCII,
)
_TOKEN = re.compile(r"[0-9A-Za-z_]+(?:[-.,'’][0-9A-Za-z_]+)*")
_NUMBER = re.compile(r"[0-9]+(?:[.,'’][0-9]+)*")
_WITH_CURRENCY = re.compile(rf"(?i:({_CODES})?)([0-9]+(?:[.,'’][0-9]+)*)(?i:({_CODES})?)")
_CURRENCY_AHEAD = re.compile(rf"(?:\b((?i:{_CODES}))|([$€£¥])) ?$")
_CURRENCY_BEHIND = re.compile(rf" ?(?:((?i:{_CODES}))\b|([$€£¥元])|((?i:euros?|dollars?))\b)")
_JOINED_THOUSANDS = re.compile(r"(?<=[0-9])[\u00a0\u202f](?=[0-9]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One checkable thing that a text states."""

    text: str
    """As it is written."""
    readings: frozenset[str]
    amount: bool = False
    """True for numbers with decimals and for those next to a currency."""
    currencies: frozenset[str] = frozenset()
    """What the currency next to it may be; empty when there is none."""
    parts: tuple[Fact, ...] = ()
    """For ``30-day`` and ``10-14``: known as well if each of these is."""

    def known(self, known: frozenset[str]) -> bool:
        """True if ``known`` readings hold this fact, in this currency where they name any."""
        currencies = {reading for reading in known if reading.startswith("m:")} if self.currencies else set()
        if currencies and not self.currencies & currencies:
            return False
        return bool(self.readings & known) or (bool(self.parts) and all(part.known(known) for part in self.parts))


def facts_in(text: str) -> list[Fact]:
    """The facts that ``text`` states, in order."""
    text = plain_digits(_JOINED_THOUSANDS.sub("'", text))
    found: list[Fact] = []
    rest = 0
    for date in _DATES.finditer(text):
        found += _numbers_and_codes(text, rest, date.start())
        year, month, day = _date_parts(date.groups())
        reading = f"d:{year}-{int(month):02}-{int(day):02}"
        found.append(Fact(text=date.group(), readings=frozenset({reading})))
        rest = date.end()
    return found + _numbers_and_codes(text, rest, len(text))


def readings_in(text: str) -> Iterator[str]:
    """Every reading of every fact in ``text``, their parts and currencies included."""
    pending = facts_in(text)
    while pending:
        fact = pending.pop()
        yield from fact.readings
        if len(fact.currencies) == 1:
            yield from fact.currencies
        pending.extend(fact.parts)


def known_in(values: Iterable[Any], *, except_words: tuple[str, ...] = ()) -> frozenset[str]:
    """The readings of all facts in JSON ``values``.

    Whole numbers in fields called ``minor`` or ``…_minor`` are amounts in minor units of the nearest ``currency``, and
    known in major units only. Sentences that repeat ``except_words``, or are repeated in them, are no source.
    """
    known: set[str] = set()
    spoken = _Spoken(except_words)
    left = MAX_TEXT
    pending: list[tuple[Any, str, str]] = [(value, "", "USD") for value in values]
    for _ in range(MAX_LEAVES):
        if not pending or left <= 0:
            break
        value, field, currency = pending.pop()
        match value:
            case dict():
                named = value.get("currency")
                if isinstance(named, str) and re.fullmatch(r"[A-Z]{3}", named):
                    currency = named
                    known.add(f"m:{currency}")
                pending.extend((item, str(name), currency) for name, item in value.items())
            case list() | tuple():
                pending.extend((item, field, currency) for item in value)
            case bool() | None:
                pass
            case int():
                minor = field == "minor" or field.endswith("_minor")
                known.add(_whole(abs(value), exponent(currency) if minor else 0))
            case str():
                part = value[:left]
                left -= len(part)
                if _NUMBER.fullmatch(part):
                    known.update(_readings(part)[0])
                elif not spoken.said(part):
                    known.update(readings_in(part))
    return frozenset(known)


class _Spoken:
    """The requester's words, to tell what in a receipt is only their echo."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._messages = tuple(message for message in map(folded, words) if len(message) >= 12 and " " in message)
        self._all = "\n".join(map(folded, words))

    def said(self, text: str) -> bool:
        if not self._all:
            return False
        text = folded(text)
        sentence = " " in text or not text.isascii()
        return sentence and (text in self._all or any(message in text for message in self._messages))


def _numbers_and_codes(text: str, start: int, end: int) -> list[Fact]:
    found: list[Fact] = []
    for token in _TOKEN.finditer(text, start, end):
        fact = _fact(token.group(), _currencies(text, token.start(), token.end()))
        if fact is not None:
            found.append(fact)
    return found


def _fact(token: str, currencies: frozenset[str]) -> Fact | None:
    attached = _WITH_CURRENCY.fullmatch(token)
    if attached:
        ahead, number, behind = attached.groups()
        currencies = currencies or _named(ahead or behind or "")
        readings, decimals = _readings(number)
        digits = sum(char.isdigit() for char in number)
        if digits < 2 and not currencies:
            return None
        return Fact(text=token, readings=readings, amount=decimals or bool(currencies), currencies=currencies)
    if sum(char.isdigit() for char in token) < 2:
        return None
    separators = "-" if "-" in token else ".,'’"
    pieces = re.split(f"[{separators}]", token)
    parts = (
        tuple(fact for piece in pieces if (fact := _fact(piece, frozenset())) is not None) if len(pieces) > 1 else ()
    )
    if not parts and all(len(piece) == 1 for piece in pieces):
        return None
    return Fact(
        text=token,
        readings=frozenset({f"c:{token.casefold()}"}),
        parts=parts,
        amount=any(part.amount for part in parts),
    )


def _readings(number: str) -> tuple[frozenset[str], bool]:
    """What ``1.234,50`` may mean, and whether it certainly has decimals."""
    number = number.replace("'", "").replace("’", "")
    groups = re.split(r"[.,]", number)
    marks = [char for char in number if char in ".,"]
    if not marks:
        whole = number if number.startswith("0") and len(number) > 1 else ""
        return frozenset({f"c:{whole}" if whole else _decimal(number, "")}), False
    thousands = all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3 and len(set(marks)) == 1
    if len(marks) == 1:
        readings = {_decimal(groups[0], groups[1])}
        if thousands:
            readings.add(_decimal("".join(groups), ""))
        return frozenset(readings), not thousands
    if thousands:
        return frozenset({_decimal("".join(groups), "")}), False
    if marks[-1] not in marks[:-1] and len(set(marks)) == 2 and all(len(group) == 3 for group in groups[1:-1]):
        return frozenset({_decimal("".join(groups[:-1]), groups[-1])}), True
    return frozenset({f"c:{number}"}), False


def _decimal(whole: str, fraction: str) -> str:
    fraction = fraction.rstrip("0")
    return f"n:{whole.lstrip('0') or '0'}" + (f".{fraction}" if fraction else "")


def _whole(value: int, places: int) -> str:
    digits = str(min(value, 10**40)).rjust(places + 1, "0")
    return _decimal(digits[: len(digits) - places], digits[len(digits) - places :])


def _currencies(text: str, start: int, end: int) -> frozenset[str]:
    ahead = _CURRENCY_AHEAD.search(text[max(0, start - 6) : start])
    behind = _CURRENCY_BEHIND.match(text, end, end + 10)
    if ahead:
        return _named(ahead.group(1) or ahead.group(2))
    return _named(behind.group(1) or behind.group(2) or behind.group(3)) if behind else frozenset()


def _named(sign: str) -> frozenset[str]:
    return _SIGNS.get(sign.casefold(), frozenset({f"m:{sign.upper()}"}) if sign else frozenset())


def _date_parts(groups: tuple[str | None, ...]) -> tuple[str, str, str]:
    iso, german, chinese = groups[0:3], groups[3:6], groups[6:9]
    year, month, day = iso if iso[0] else german[::-1] if german[0] else chinese
    return str(year), str(month), str(day)
