"""The same requester's other tickets about the same thing: one Episode, however many threads it comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents import tables
from agents.planner import Procedure
from agents.planner.issues import named
from agents.task import Task, TaskState
from agents.ticket import Helpdesk, Ticket
from billing import Outcome
from billing.reversal import reopenable
from evaluators import EvidenceClass, OutcomeTerms
from service.database import Database

_BUSY = (TaskState.OPEN, TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The requester sent the same words before; the other ticket answers them."""

    ticket_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForAPerson:
    """Somebody has to look at both tickets together."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The requester came back about what an earlier ticket claimed; those outcomes do not count any more."""

    outcomes: tuple[Outcome, ...]
    for_a_person: ForAPerson | None
    """Set where an effect was made: doing it again is not the agent's decision."""


class Related:
    """Looks up what else a requester wrote about the subject of a task."""

    def __init__(
        self, *, tenant: str, database: Database, helpdesk: Helpdesk, terms: Mapping[str, OutcomeTerms]
    ) -> None:
        """``terms`` are those of the contract, by outcome type."""
        self._tenant = tenant
        self._database = database
        self._helpdesk = helpdesk
        self._terms = terms

    async def to(self, task: Task, ticket: Ticket, procedure: Procedure) -> Duplicate | ForAPerson | Again | None:
        """How ``task``, which nobody has worked on yet, stands to the requester's other tickets; None: it is the first.

        Raises:
            HelpdeskUnavailable, TicketNotFound: another ticket of the requester cannot be read.
        """
        values = named(procedure, task.about or ticket.own_words())
        if not values:
            return None
        for other in self._earlier(task, procedure):
            thread = await self._helpdesk.get(other.ticket_id)
            if values & named(procedure, other.about or thread.own_words()):
                return _twice(ticket, thread)
        again = [
            outcome
            for outcome in self._outcomes(task.requester.email, task.opened_at)
            if outcome.ticket_id != ticket.id
            and outcome.outcome_type in procedure.outcomes
            and outcome.subject.partition(":")[2] in values
        ]
        for outcome in again:
            if task.opened_at <= self._claimed_at(outcome):
                return _twice(ticket, await self._helpdesk.get(outcome.ticket_id))
        return self._again(again) if again else None

    def _earlier(self, task: Task, procedure: Procedure) -> Sequence[Task]:
        """Tasks under way for the same requester and procedure on tickets that were opened earlier."""
        with self._database.transaction() as session:
            found = tables.tasks_of_requester(session, self._tenant, task.requester.email)
        mine = (task.opened_at, task.ticket_id)
        return [
            one
            for one in found
            if one.ticket_id != task.ticket_id
            and one.procedure == procedure.name
            and one.state in _BUSY
            and (one.opened_at, one.ticket_id) < mine
        ]

    def _outcomes(self, email: str, at: datetime) -> tuple[Outcome, ...]:
        with self._database.transaction() as session:
            return reopenable(session, tenant=self._tenant, requester_email=email, at=at)

    def _claimed_at(self, outcome: Outcome) -> datetime:
        with self._database.transaction() as session:
            claim = tables.claim_of(session, self._tenant, outcome.id)
        assert claim is not None, "an outcome rests on a claim"
        return claim.made_at

    def _again(self, outcomes: Sequence[Outcome]) -> Again:
        effects = [one for one in outcomes if self._is_effect(one.outcome_type)]
        named_effects = ", ".join(f"{one.outcome_type} for {one.subject} in ticket {one.ticket_id}" for one in effects)
        reason = f"the requester came back in a new thread about {named_effects}"
        return Again(
            outcomes=tuple(outcomes),
            for_a_person=ForAPerson(code="reopened", reason=reason) if effects else None,
        )

    def _is_effect(self, outcome_type: str) -> bool:
        terms = self._terms.get(outcome_type)
        return terms is None or terms.evidence_class is EvidenceClass.EFFECT_VERIFIED


def _twice(ticket: Ticket, other: Ticket) -> Duplicate | ForAPerson:
    if _folded(ticket) == _folded(other):
        return Duplicate(ticket_id=other.id)
    return ForAPerson(code="already_under_way", reason=f"ticket {other.id} of the same requester is about the same")


def _folded(ticket: Ticket) -> list[str]:
    return "\n".join(each.text for each in ticket.requester_messages()).casefold().split()
