"""The proof of an answer from an article: it holds whole statements of that article, and else only what was signed."""

from __future__ import annotations

from evaluators.case import Case
from evaluators.checks.answer import Check
from evaluators.checks.grounding import rightly_answered
from evaluators.quotes import Quote, quotes_in
from evaluators.terms import REQUESTER_NAME, OutcomeTerms
from evaluators.text import folded
from evaluators.verdict import CheckResult

CITATIONS = Check(name="citations", number=1)


def citations(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Test ``belongs_to`` and ``holds`` on the article as it stands, and every line of the reply.

    A block of the reply that ends with ``[article vVERSION]`` must be one whole statement of that version: neither cut,
    nor put together, nor changed (case and white space aside). Every other line must be one of the contract's
    ``frame``. Codes beside those of `grounding`: ``no_quote``, ``uncited``, ``wrong_article``, ``wrong_version``,
    ``not_quoted``.
    """
    check = CITATIONS
    refused = rightly_answered(check, case, terms)
    if refused is not None:
        return refused
    article = case.after or {}
    quotes, frame = quotes_in(case.claim.reply)
    signed = {folded(line.replace(REQUESTER_NAME, case.requester_name)) for line in terms.frame}
    unsigned = next((line for line in frame if folded(line) not in signed), None)
    if unsigned is not None:
        return check.failed("uncited", f"{unsigned[:200]!r} is neither cited nor a line that the contract signs")
    if not quotes:
        return check.failed("no_quote", "the reply quotes nothing")
    statements = article.get("statements")
    known = {folded(str(each)) for each in statements} if isinstance(statements, list) else frozenset()
    for quote in quotes:
        if quote.article != article.get("id"):
            return check.failed("wrong_article", f"{_shown(quote)} cites {quote.article}, not {case.claim.subject}")
        if quote.version != article.get("version"):
            return check.failed("wrong_version", f"{_shown(quote)} cites v{quote.version}, not v{article['version']}")
        if folded(quote.words) not in known:
            return check.failed("not_quoted", f"{_shown(quote)} is no whole statement of the article")
    return check.passed(f"{len(quotes)} whole statements of {case.claim.subject} v{article['version']}")


def _shown(quote: Quote) -> str:
    return repr(quote.words if len(quote.words) <= 120 else quote.words[:119] + "…")
