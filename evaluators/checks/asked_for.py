"""The requester asked for this: their own words hold one of the contract's phrases, and name the subject.

Nobody names an article by its id: for answers that quote one, the requester's words must share a word with the quotes.
"""

from __future__ import annotations

import re
from decimal import Decimal

from pydantic import JsonValue, ValidationError

from agents.knowledge.words import tokens
from agents.money import Money
from agents.planner.limits import Limit, limits, number
from agents.planner.wishes import denied
from evaluators.case import Case, Subject, bounded_words
from evaluators.checks.answer import Check
from evaluators.quotes import quotes_in
from evaluators.terms import OutcomeTerms
from evaluators.text import folded, plain_digits, unquoted
from evaluators.verdict import CheckResult, EvidenceClass

ASKED_FOR = Check(name="asked_for", number=4)


def asked_for(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Look for a phrase of ``terms.asked`` and for the subject's key in what the requester wrote.

    Lines that begin with ``>`` quote somebody else and do not count. Codes: ``not_asked_for``, ``subject_not_named``,
    for effects ``asked_against`` and ``asked_for_less``, for answers from articles ``not_about_the_question``.
    """
    said = [unquoted(message) for message in bounded_words(case.words)]
    words = folded("\n".join(said))
    phrase = next((phrase for phrase in terms.asked if folded(phrase) and folded(phrase) in words), None)
    if phrase is None:
        return ASKED_FOR.failed(
            "not_asked_for", f"the requester wrote none of {', '.join(map(repr, terms.asked[:10]))}"
        )
    if terms.frame:
        return _about_the_question(words, case)
    if terms.evidence_class is EvidenceClass.EFFECT_VERIFIED:
        phrases = [folded(one) for one in terms.asked if folded(one)]
        if denied([words], phrases):
            return ASKED_FOR.failed("asked_against", f"wherever the requester wrote {phrase!r} they spoke against it")
        found = limits([plain_digits(message) for message in said], phrases)
        passed_over = next((limit for limit in found if not _kept_to(limit, case)), None)
        if passed_over is not None:
            return ASKED_FOR.failed("asked_for_less", f"the requester set a limit: {passed_over.words!r}")
    subject = Subject.parse(case.claim.subject)
    if subject is None or not _names(words, subject.key):
        return ASKED_FOR.failed(
            "subject_not_named", f"the requester wrote {phrase!r} and did not name {case.claim.subject!r}"
        )
    return ASKED_FOR.passed(f"the requester wrote {phrase!r} and named {subject.key!r}")


def _kept_to(limit: Limit, case: Case) -> bool:
    """True if the effect was made with the very amount that the limit names."""
    given = [_amount(value) for effect in case.completed_effects() for value in effect.args.values()]
    return limit.amount is not None and limit.amount in given


def _amount(value: JsonValue) -> Decimal | None:
    """An argument as an amount: money as tools are given it, or digits."""
    try:
        return Money.model_validate(value).decimal
    except ValidationError:
        return number(str(value))


def _about_the_question(words: str, case: Case) -> CheckResult:
    quotes, _ = quotes_in(case.claim.reply)
    shared = sorted(set(tokens(words)).intersection(tokens("\n".join(quote.words for quote in quotes))))
    if not shared:
        return ASKED_FOR.failed("not_about_the_question", "the reply quotes nothing with a word of the requester's")
    return ASKED_FOR.passed(f"the requester's words and the quotes share {', '.join(map(repr, shared[:5]))}")


def _names(words: str, key: str) -> bool:
    """True if ``key`` is a token of its own in ``words``: not inside a longer number, word, amount or address."""
    ahead = r"(?<![a-z0-9_@])(?<![0-9][-.])"
    behind = r"(?![a-z0-9_@])(?!-[a-z0-9])(?![.,][0-9]{1,2}(?![0-9]))"
    return re.search(ahead + re.escape(key.casefold()) + behind, words) is not None
