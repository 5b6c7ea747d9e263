"""What every proof begins with: the claim is about the right kind of record, and made for the right requester."""

from __future__ import annotations

from agents.errors import ExpressionError
from agents.expressions import Expression
from evaluators.case import Case, Subject
from evaluators.checks.answer import Check
from evaluators.proof import Values, explain, holds
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult


def standing(check: Check, case: Case, terms: OutcomeTerms) -> CheckResult | None:
    """Why the claim has no standing: ``wrong_subject``, ``wrong_requester``, ``source_unavailable``; None if it has."""
    problem = subject_problem(case.claim.subject, terms)
    if problem:
        return check.failed("wrong_subject", problem)
    if case.claim.requester_email.casefold() != case.requester_email.casefold():
        return check.failed(
            "wrong_requester",
            f"the claim is for {case.claim.requester_email!r} and the ticket's requester is {case.requester_email!r}",
        )
    if case.unavailable:
        return check.undetermined("source_unavailable", case.unavailable)
    return None


def subject_problem(text: str, terms: OutcomeTerms) -> str:
    """Why ``text`` cannot be the subject of such an outcome; empty if it can."""
    subject = Subject.parse(text)
    if subject is None:
        return f"{text[:80]!r} is not kind:key with a key of 1 to 64 letters, digits, _ or -"
    if subject.kind != terms.subject:
        return f"the claim is about a {subject.kind!r} and the contract about a {terms.subject!r}"
    if subject.kind != terms.proof.kind:
        return f"the contract is about a {terms.subject!r} and its proof reads a {terms.proof.kind!r}"
    return ""


def unmet(
    check: Check, expression: Expression, values: Values, code: str, told: Values | None = None
) -> CheckResult | None:
    """``code`` if ``expression`` says no on ``values``, ``undetermined`` if it cannot say; None if it says yes.

    ``told`` are the values that the reason names, where they are not those that were tested.
    """
    try:
        if holds(expression, values):
            return None
    except ExpressionError as error:
        return check.undetermined("undetermined", str(error))
    return check.failed(code, f"{explain(expression, told or values)}: not `{expression.source}`")
