"""Whether the requester surely wants what a procedure would change: the desk's and the rehearsal's question."""

from __future__ import annotations

from agents.planner import Procedure
from agents.planner.issues import named
from agents.planner.limits import limits, number
from agents.planner.wishes import doubt
from agents.task import Task
from agents.ticket import Ticket
from billing.contract import Contract
from evaluators import EvidenceClass
from service.related import ForAPerson


def doubtful(
    task: Task, ticket: Ticket, procedure: Procedure, contract: Contract, *, limits_alone: bool = False
) -> ForAPerson | None:
    """Why the effect of ``procedure`` may not be what the requester wants; None where nothing says so.

    None, too, for an outcome that changes nothing. A limit to an amount that is one of the procedure's inputs is what
    the procedure does.

    Args:
        limits_alone: look for limits only: the words answer a question of the agent's.
    """
    terms = contract.outcomes.get(procedure.plan.outcome)
    if terms is None or terms.evidence_class is not EvidenceClass.EFFECT_VERIFIED:
        return None
    said = ticket.own_words()
    asked = {number(value) for value in named(procedure, said)}
    for limit in limits(said, terms.asked):
        if limit.amount is None or limit.amount not in asked:
            return ForAPerson(code="limited_wish", reason=f"the requester wrote {limit.words!r}")
    words = (*task.about, *ticket.later_words(task.heard)) if task.about else said
    unclear = "" if limits_alone else doubt(words, terms.asked)
    return ForAPerson(code="unclear_wish", reason=unclear) if unclear else None
