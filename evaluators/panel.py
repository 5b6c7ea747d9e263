"""The panel: every check that an outcome requires, on one Case. Pure, so that anyone can repeat it later."""

from __future__ import annotations

from dataclasses import dataclass

from agents.money import Money
from evaluators.case import Case
from evaluators.checks.asked_for import asked_for
from evaluators.checks.citations import citations
from evaluators.checks.effect import effect
from evaluators.checks.grounding import grounding
from evaluators.checks.reply import reply
from evaluators.checks.value import measured, value
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult, EvidenceClass, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the panel found; a Verdict is this, signed."""

    finding: Finding
    """Passed if every check passed, failed if one failed, undetermined otherwise."""
    evidence_class: EvidenceClass | None
    """None unless passed."""
    code: str
    """``ok``, or the code of the first check whose finding is this one."""
    checks: tuple[CheckResult, ...]
    """In the contract's order; the proof alone when the record could not be read."""
    value: Money | None = None
    """What the record says the outcome is worth; None unless passed, and where the contract does not ask."""


def examine(case: Case, terms: OutcomeTerms) -> Examination:
    """Put ``case`` to every check that ``terms`` require. No I/O and no clock: equal arguments, equal results."""
    proof = effect if terms.evidence_class is EvidenceClass.EFFECT_VERIFIED else grounding
    if terms.frame:
        proof = citations
    named = {"proof": proof, "asked_for": asked_for, "reply_ok": reply, "value": value}
    worth = ("value",) if terms.worth is not None else ()
    required = ("proof",) if case.unavailable else tuple(dict.fromkeys((*terms.requires, *worth)))
    checks = tuple(named[name](case, terms) for name in required)
    for finding in (Finding.FAILED, Finding.UNDETERMINED):
        deciding = next((check for check in checks if check.finding is finding), None)
        if deciding is not None:
            return Examination(finding=finding, evidence_class=None, code=deciding.code, checks=checks)
    return Examination(
        finding=Finding.PASSED,
        evidence_class=terms.evidence_class,
        code="ok",
        checks=checks,
        value=measured(case, terms),
    )
