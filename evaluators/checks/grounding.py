"""The proof of an answer that changes nothing: its condition holds on the record, and all it states is on record."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.case import Case
from evaluators.checks.answer import Check
from evaluators.checks.standing import standing, unmet
from evaluators.facts import Fact, facts_in, known_in
from evaluators.proof import explain, visible
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult

GROUNDING = Check(name="grounding", number=1)

MAX_REPLY = 20_000
"""Characters of a reply; longer ones fail."""


def grounding(case: Case, terms: OutcomeTerms) -> CheckResult:
    """Test ``belongs_to`` and ``holds`` on the fresh record, that the task has no effect, and every fact in the reply.

    Codes: ``wrong_subject``, ``wrong_requester``, ``effect_made``, ``record_missing``, ``not_theirs``,
    ``condition_not_met``, ``reply_too_long``, ``ungrounded``; ``source_unavailable`` and ``undetermined`` are findings
    of their own.
    """
    check = GROUNDING
    refused = rightly_answered(check, case, terms)
    if refused is not None:
        return refused
    unknown = ungrounded(facts_in(case.claim.reply), case, terms)
    if unknown:
        return check.failed("ungrounded", f"neither a receipt nor the record has {named(unknown)}")
    assert terms.proof.holds is not None, "it was tested"
    return check.passed(f"{explain(terms.proof.holds, visible(case))}; every fact in the reply is on record")


def rightly_answered(check: Check, case: Case, terms: OutcomeTerms) -> CheckResult | None:
    """Why it was not right to answer so, whatever the reply says; None if it was.

    The record is the requester's (``belongs_to``), its condition ``holds``, nothing was changed.
    """
    refused = standing(check, case, terms)
    if refused is not None:
        return refused
    condition = terms.proof.holds
    if condition is None:
        return check.undetermined("undetermined", "the contract does not say which condition makes the answer right")
    effects = [receipt for receipt in case.receipts if receipt.changes_record]
    if effects or case.before is not None:
        made = ", ".join(f"{receipt.tool} ({receipt.state})" for receipt in effects) or "an effect that left no receipt"
        return check.failed("effect_made", f"such an outcome changes nothing, and this task has {made}")
    if case.after is None:
        return check.failed("record_missing", f"the system of record has no {case.claim.subject}")
    values = visible(case)
    unproven = unmet(check, terms.proof.belongs_to, values, "not_theirs") or unmet(
        check, condition, values, "condition_not_met"
    )
    if unproven is not None:
        return unproven
    if len(case.claim.reply) > MAX_REPLY:
        return check.failed(
            "reply_too_long", f"the reply has {len(case.claim.reply)} characters; at most {MAX_REPLY} are read"
        )
    return None


def ungrounded(facts: Iterable[Fact], case: Case, terms: OutcomeTerms) -> list[Fact]:
    """Those of ``facts`` that are on no record.

    On record is what stands in the system of record (before or after), in the results of the claim's completed calls,
    in the arguments of its completed effects (those of reads are the agent's own choice), or in the contract's terms.
    What the requester wrote is no source, nor is its echo in a receipt.
    """
    calls = [receipt.result for receipt in case.completed()]
    calls += [receipt.args for receipt in case.completed_effects()]
    proof = terms.proof
    signed = [terms.means, *(str(each.source) for each in (proof.holds, proof.became) if each is not None)]
    known = known_in([case.after, case.before, signed]) | known_in(calls, except_words=case.words)
    return [fact for fact in facts if not fact.known(known)]


def named(facts: Iterable[Fact]) -> str:
    """The first few of ``facts`` as the reply writes them."""
    texts = list(dict.fromkeys(repr(fact.text[:40]) for fact in facts))
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
