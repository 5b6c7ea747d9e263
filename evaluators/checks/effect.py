"""The proof of an effect: the system of record changed as the contract says, and this run changed it."""

from __future__ import annotations

from evaluators.case import Case
from evaluators.checks.answer import Check
from evaluators.checks.standing import standing, unmet
from evaluators.proof import explain, visible
from evaluators.sources.source import without_age
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult

EFFECT = Check(name="effect", number=1)


def effect(case: Case, terms: OutcomeTerms, check: Check = EFFECT) -> CheckResult:
    """Test ``became``, ``by`` and ``belongs_to`` on the record before and after a completed effect of the claim's run.

    Codes: ``wrong_subject``, ``wrong_requester``, ``no_effect``, ``no_snapshot``, ``record_missing``,
    ``state_unchanged``, ``not_theirs``, ``not_as_promised``, ``not_by_this_run``; ``source_unavailable`` and
    ``undetermined`` are findings of their own.
    """
    refused = standing(check, case, terms)
    if refused is not None:
        return refused
    became, by, belongs_to = terms.proof.became, terms.proof.by, terms.proof.belongs_to
    if became is None or by is None:
        return check.undetermined("undetermined", "the contract does not say what must change and by whom")
    if not case.completed_effects():
        return check.failed("no_effect", f"no receipt of a completed effect of run {case.claim.run_id} is in the claim")
    receipt = case.effect()
    if case.before is None or receipt is None:
        return check.failed("no_snapshot", "nobody looked at the record ahead of the effect, so no change can be shown")
    if case.after is None:
        return check.failed("record_missing", f"the system of record has no {case.claim.subject} now")
    values = visible(case)
    if without_age(case.before) == without_age(case.after):
        return check.failed("state_unchanged", f"{explain(became, values)}; nothing else in the record changed")
    earlier = {**values, "after": case.before}
    return (
        unmet(check, belongs_to, earlier, "not_theirs", values)
        or unmet(check, belongs_to, values, "not_theirs")
        or unmet(check, became, values, "not_as_promised")
        or unmet(check, by, values, "not_by_this_run")
        or check.passed(f"{explain(became, values)}; {explain(by, values)}")
    )
