"""The reply as the requester read it: in their language, without secrets, strangers' addresses or made-up amounts."""

from __future__ import annotations

import re

from evaluators.case import Case
from evaluators.checks.answer import Check
from evaluators.checks.grounding import MAX_REPLY, named, ungrounded
from evaluators.facts import facts_in
from evaluators.quotes import quotes_in
from evaluators.terms import OutcomeTerms
from evaluators.text import plain_digits
from evaluators.verdict import CheckResult, EvidenceClass

REPLY = Check(name="reply", number=2)

_URL = re.compile(r"(?i:https?)://[^\s<>\"']+")
_SECRETS = (
    ("an API key", re.compile(r"(?<![A-Za-z0-9])(?:sk|pk|rk|ghp|xox[abp])[-_][A-Za-z0-9_-]{16,}")),
    ("a bearer token", re.compile(r"(?i:\bbearer)\s{1,4}[A-Za-z0-9._~+/=-]{8,}")),
    ("a private key", re.compile(r"-----BEGIN ")),
)
_ADDRESS_END = re.compile(r"@[!-~]+")
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_JOINING = tuple("._%+-&'\"")
_JOINING_ASCII = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._%+-&")
_LONGER_DOMAIN = re.compile(r"[.]?[a-z0-9-]")
_CJK_SHARE = 0.3
"""Least share of CJK letters in a Chinese reply, and largest in one of another language."""


def reply(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Test the claim's reply by rules alone.

    Codes: ``reply_empty``, ``reply_too_long``, ``reply_placeholder``, ``reply_secret``, ``reply_foreign_address``,
    ``reply_wrong_language``; for effects also ``reply_ungrounded`` (an amount that is on no record). Quotes of articles
    stand in the articles' language and may hold their addresses: the citations check has compared them.
    """
    text, language = case.claim.reply, case.claim.language
    if not any(char.isalpha() for char in text):
        return REPLY.failed("reply_empty", "the reply has no words")
    if len(text) > MAX_REPLY:
        return REPLY.failed("reply_too_long", f"the reply has {len(text)} characters; at most {MAX_REPLY} are read")
    if "${" in text:
        return REPLY.failed("reply_placeholder", "the reply holds an unfilled ${…}")
    text = plain_digits(text)
    secret = _secret(text)
    if secret:
        return REPLY.failed("reply_secret", f"the reply seems to hold {secret}")
    if terms.frame:
        text = "\n".join(quotes_in(text)[1])
    if _foreign_address(text.casefold(), case.requester_email.casefold()):
        return REPLY.failed("reply_foreign_address", "the reply holds an e-mail address that is not the requester's")
    share = _cjk_share(text)
    if not _plausible(share, language):
        return REPLY.failed(
            "reply_wrong_language", f"{share:.0%} of the reply's letters are Chinese; it should be in {language!r}"
        )
    if terms.evidence_class is EvidenceClass.EFFECT_VERIFIED:
        unknown = ungrounded([fact for fact in facts_in(text) if fact.amount], case, terms)
        if unknown:
            return REPLY.failed("reply_ungrounded", f"neither a receipt nor the record has {named(unknown)}")
    return REPLY.passed("the reply is fit to be read")


def _secret(text: str) -> str:
    for name, pattern in _SECRETS:
        if pattern.search(text):
            return name
    if any(not digits.group().isdigit() for digits in _HEX.finditer(text)):
        return "a long hexadecimal token"
    segments = [segment for url in _URL.findall(text) for segment in re.split(r"[/?&=#]", url)]
    segments.append(_URL.sub(" ", text))
    if any(_random(token) for segment in segments for token in _LONG.findall(segment)):
        return "a long random token"
    return ""


def _random(token: str) -> bool:
    """True if a piece between hyphens mixes capitals, small letters and digits, as words and dates do not."""
    kinds = (str.isdigit, str.isupper, str.islower)
    return any(all(any(map(kind, piece)) for kind in kinds) for piece in token.split("-"))


def _foreign_address(text: str, own: str) -> bool:
    """True if ``text`` holds an address other than ``own``; both casefolded."""
    local, _, domain = own.rpartition("@")
    at = text.find("@")
    while at >= 0:
        ahead, behind = text[at - 1 : at], text[at + 1 : at + 2]
        address = (ahead.isalnum() or ahead in _JOINING) and behind.isalnum()
        if address and not _is_own(text, at, local, domain):
            return True
        at = text.find("@", at + 1)
    return False


def _is_own(text: str, at: int, local: str, domain: str) -> bool:
    """True if the address around the ``@`` at ``at`` is ``local@domain``, and not merely ends or begins like it."""
    start, end = at - len(local), at + 1 + len(domain)
    if not local or start < 0 or text[start:end] != f"{local}@{domain}":
        return False
    longer_ahead = start > 0 and text[start - 1] in _JOINING_ASCII
    return not longer_ahead and _LONGER_DOMAIN.match(text, end) is None


def _cjk_share(text: str) -> float:
    """How many of the letters outside links and the domains of addresses are Chinese characters: 0 to 1."""
    letters = [char for char in _ADDRESS_END.sub(" ", _URL.sub(" ", text)) if char.isalpha()]
    return sum("\u3400" <= char <= "\u9fff" for char in letters) / len(letters) if letters else 0.0


def _plausible(share: float, language: str) -> bool:
    if language.startswith(("ja", "ko")):
        return True
    return share >= _CJK_SHARE if language.startswith("zh") else share <= _CJK_SHARE
