"""Does the requester want less than the whole? Words that limit a wish: only 10 dollars, at most, half of it, not all.

Rules over the requester's words, in English, German and Chinese: coarse, and on the side of doubt. Nobody takes more
from such words than that the wish has a limit; what the limit is, a person reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

_COUNTED = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty|forty|fifty|hundred"
    r"|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|fünfzehn|zwanzig|dreißig|dreissig|fünfzig|hundert"
)
_MONEY = r"dollars?|bucks|euros?|cents?|pounds?|francs?|franken|yuan|rmb|eur|usd|gbp|chf|cny|percent|prozent"
_AMOUNT = (
    r"(?:[$€£¥]\s?(?P<ahead>\d[\d.,]{0,12})"
    rf"|(?P<behind>\d[\d.,]{{0,12}})\s?(?:[$€£¥%]|(?:{_MONEY})\b|[元块]|美元|欧元)"
    rf"|\b(?:{_COUNTED})\s(?:{_MONEY})\b"
    r"|[一二两三四五六七八九十百千]{1,6}(?:元|块|美元|欧元))"
)
_PAID = (
    r"paid|pay|paying|cost|costs|costing|spent|spend|worth|charged|bought|ordered|purchased|received|got"
    r"|bezahlt|gezahlt|gekostet|ausgegeben|wert|gekauft|bestellt|erhalten|bekommen"
)
_ONLY = (
    r"only|just|merely|no more than|not more than|at most|at maximum|maximum|up to"
    r"|nur|bloß|bloss|lediglich|höchstens|maximal|bis zu"
)
_LIMITED = re.compile(
    rf"(?<!not )(?<!nicht )(?:\b(?P<only>{_ONLY})(?P<between>(?:\s\w{{1,20}}){{0,4}}?)\s?"
    r"|(?<!不)(?:只|仅|最多|至多|不超过)"
    rf"(?P<said>[^，。！？,.!?]{{0,8}}?)){_AMOUNT}(?P<after>(?:\s\w{{1,20}}){{0,2}})",
    re.IGNORECASE,
)
_ENOUGH = re.compile(
    rf"{_AMOUNT}\s?(?:(?:is|are|would be|will be|ist|wäre|wären|sind)\s)?"
    r"(?:enough|sufficient|will do|would do|reich|genüg|genug|就够|就行|就好)",
    re.IGNORECASE,
)
_BEFORE_PAID = re.compile(
    rf"(?:\b(?:{_PAID}|kostet|kostete|was|were|is|are|it['’]s|war|waren|ist|sind)(?:\s\w{{1,20}})?\s"
    r"|[花付值买卖][了的]?)$",
    re.IGNORECASE,
)
_PAYING = re.compile(rf"\b(?:{_PAID})\b|[花付值买卖]", re.IGNORECASE)
_PART = re.compile(
    r"\b(?:half|a third|a quarter|part of|some of|a portion of|a fraction of) (?:of )?(?:the |my |that )?"
    r"(?:money|price|amount|cost|sum|refund|total|value|payment)\b"
    r"|\bpartial(?:ly)? (?:refund|reimburse|cancel)|\bpart[- ]refund"
    r"|\b(?:die hälfte|einen teil|ein teil|ein drittel) (?:des|der|vom|von) "
    r"(?:geld|betrag|preis|kaufpreis|summe|kosten|rechnung)"
    r"|\bteil(?:erstattung|rückzahlung|betrag|storn)|\bteilweise (?:erstatt|zurück|storn)"
    r"|部分(?:退款|退钱|取消)|退(?:还|款)?(?:给我)?(?:我)?一?半|一半的(?:钱|款|金额)|(?:退|取消)一部分",
    re.IGNORECASE,
)
_THING = (
    r"(?:the|this|that|these|those|one|two|three|half|part|a part"
    r"|die|den|das|der|eine[nmrs]?|ein|zwei|drei|diese[nrs]?) "
    r"(?!(?:whole |full |ganze |gesamte )?(?:order|orders|money|amount|price|bestellung|geld|betrag|kaufpreis|preis|"
    r"order-nr|nummer|number)\b)"
)
_ITEM_BEHIND = re.compile(
    rf"^\w{{0,12}}(?:\s(?:me|us|for|please|back|sie|mir|uns|bitte)){{0,3}}\s"
    rf"(?:only|nur|bloß|bloss|lediglich)\s(?:for )?{_THING}",
    re.IGNORECASE,
)
_ITEM_AHEAD = re.compile(
    rf"\b(?:nur|bloß|bloss|lediglich) {_THING}\w{{1,30}}(?:\s(?:bitte|zu)){{0,2}}\s?$", re.IGNORECASE
)
_ONLY_AHEAD = re.compile(r"\bonly\s$|(?<!不)(?:只|仅)(?:要|想)?$", re.IGNORECASE)
_ITEM_NAMED = re.compile(rf"^\w{{0,12}}(?:\s(?:me|us|for))?\s{_THING}", re.IGNORECASE)
_ITEM_CHINESE = re.compile(r"^(?:掉|一下)?(?!款|钱|订单|这个订单|这单|单|就)[\u3400-\u9fff]")
_NUMBER = re.compile(r"[0-9][0-9.,]{0,20}")
_SPACES = re.compile(r"\s+")
_SHOWN = 60
_FAR = 80
"""Characters on each side of a wish in which it is looked for what thing it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit to a wish."""

    words: str
    """The requester's, in which it stands."""
    amount: Decimal | None
    """The amount it names in digits; None if it names none."""


def limits(words: Sequence[str], phrases: Sequence[str]) -> list[Limit]:
    """The limits to the wish that ``phrases`` name, as far as ``words`` hold both; empty where nothing limits it.

    Args:
        words: what the requester wrote, oldest first.
        phrases: words by which the wish is known, lower case.
    """
    text = _SPACES.sub(" ", "\n".join(words))
    said = [found for phrase in phrases for found in re.finditer(re.escape(phrase), text, re.IGNORECASE)]
    return [*_to_amounts(text), *_to_parts(text), *_to_things(text, said)] if said else []


def _to_amounts(text: str) -> Iterator[Limit]:
    for found in _LIMITED.finditer(text):
        inside = f"{found['between'] or ''} {found['said'] or ''} {found['after']}"
        ahead = text[max(found.start() - 40, 0) : found.start()]
        if _PAYING.search(inside) or _BEFORE_PAID.search(ahead):
            continue  # what something cost
        yield Limit(words=found.group().strip(), amount=number(found["ahead"] or found["behind"]))

    for found in _ENOUGH.finditer(text):
        yield Limit(words=found.group(), amount=number(found["ahead"] or found["behind"]))


def _to_parts(text: str) -> Iterator[Limit]:
    for found in _PART.finditer(text):
        yield Limit(words=_around(text, found), amount=None)


def _to_things(text: str, said: Sequence[re.Match[str]]) -> Iterator[Limit]:
    for found in said:
        ahead, behind = text[max(found.start() - _FAR, 0) : found.start()], text[found.end() :][:_FAR]
        named = _ONLY_AHEAD.search(ahead) and (_ITEM_NAMED.search(behind) or _ITEM_CHINESE.search(behind))
        if named or _ITEM_AHEAD.search(ahead) or _ITEM_BEHIND.search(behind):
            yield Limit(words=_around(text, found), amount=None)


def _around(text: str, found: re.Match[str]) -> str:
    return text[max(found.start() - _SHOWN // 2, 0) : found.end() + _SHOWN // 2].strip()


def number(digits: str | None) -> Decimal | None:
    """``10``, ``10.50``, ``10,50`` or ``1.000,50`` as a number; None for anything else."""
    digits = (digits or "").rstrip(".,")
    if not _NUMBER.fullmatch(digits):
        return None
    cents = re.search(r"[.,](\d{1,2})$", digits)
    whole = digits[: cents.start()] if cents else digits
    return Decimal(f"{re.sub('[.,]', '', whole)}.{cents[1] if cents else 0}")
