"""What the evaluators would say of a rehearsed claim, as far as anybody can know before it is real.

An answer that changes nothing is put to the whole panel, on a fresh reading. An effect that was only rehearsed is on no
record: that it would be there (``became``, ``by``) is *assumed*, and everything else is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.claim import Claim
from agents.clock import Clock
from agents.money import Money
from agents.receipt import Receipt
from agents.ticket import Ticket
from evaluators.case import Case, Subject, case_of
from evaluators.checks.answer import Check
from evaluators.checks.asked_for import asked_for
from evaluators.checks.reply import reply
from evaluators.checks.standing import standing, subject_problem, unmet
from evaluators.checks.value import measured
from evaluators.errors import SourceUnavailable
from evaluators.panel import examine
from evaluators.proof import explain, visible
from evaluators.reading import Sources, read_subject
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult, EvidenceClass, Finding

EFFECT_ASSUMED = Check(name="effect_assumed", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would be found. It is no verdict: nobody signs it, and nothing can be billed on it."""

    finding: Finding
    code: str
    """``ok``, or the code of the check that decides."""
    reason: str
    """The deciding check's reason in words; empty when passed."""
    assumed: bool
    """True if it rests on an effect that was not made."""
    value: Money | None = None
    """What the record says the outcome is worth; None where the contract does not ask, or it is not on record yet."""


async def foresee(
    claim: Claim,
    *,
    terms: OutcomeTerms,
    ticket: Ticket,
    receipts: Sequence[Receipt],
    sources: Sources,
    clock: Clock,
) -> Foreseen:
    """Read the claim's subject and put the claim to every check that ``terms`` require.

    Args:
        ticket: the claim's ticket as the rehearsal left it.
        receipts: all receipts of the rehearsal.

    Raises:
        UnknownSource: the contract reads from a source that is not set up.
    """
    case = case_of(claim, ticket, receipts)
    subject = Subject.parse(claim.subject)
    if subject is not None and not subject_problem(claim.subject, terms):
        try:
            record = (await read_subject(sources, clock, subject, terms)).record
        except SourceUnavailable as error:
            case = replace(case, unavailable=str(error))
        else:
            effect = terms.evidence_class is EvidenceClass.EFFECT_VERIFIED
            case = replace(case, before=record) if effect else replace(case, after=record)
    if terms.evidence_class is not EvidenceClass.EFFECT_VERIFIED:
        examination = examine(case, terms)
        return _foreseen(examination.finding, examination.checks, assumed=False, value=examination.value)
    named = {"proof": effect_assumed, "asked_for": asked_for, "reply_ok": reply}
    checks = tuple(named[name](case, terms) for name in dict.fromkeys(terms.requires) if name in named)
    found = {check.finding for check in checks}
    finding = next((each for each in (Finding.FAILED, Finding.UNDETERMINED) if each in found), Finding.PASSED)
    return _foreseen(finding, checks, assumed=True, value=measured(case, terms))


def effect_assumed(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Test what can be tested ahead of an effect: the right subject, a completed effect, the requester's own record.

    Codes: ``wrong_subject``, ``wrong_requester``, ``no_effect``, ``record_missing``, ``not_theirs``;
    ``source_unavailable`` and ``undetermined`` are findings of their own.
    """
    check = EFFECT_ASSUMED
    refused = standing(check, case, terms)
    if refused is not None:
        return refused
    if not case.completed_effects():
        return check.failed("no_effect", f"run {case.claim.run_id} completed no effect")
    if case.before is None:
        return check.failed("record_missing", f"the system of record has no {case.claim.subject}")
    values = visible(replace(case, after=case.before))
    lost = unmet(check, terms.proof.belongs_to, values, "not_theirs")
    return lost or check.passed(f"{explain(terms.proof.belongs_to, values)}; the effect itself is assumed")


def _foreseen(finding: Finding, checks: Sequence[CheckResult], *, assumed: bool, value: Money | None) -> Foreseen:
    deciding = next((check for check in checks if check.finding is finding), None)
    if finding is Finding.PASSED or deciding is None:
        return Foreseen(finding=finding, code="ok", reason="", assumed=assumed, value=value)
    return Foreseen(finding=finding, code=deciding.code, reason=deciding.reason, assumed=assumed)
