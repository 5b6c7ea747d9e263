"""What became of each ticket and each outcome: the rows that people and programs read."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from agents import tables
from agents.task import Task, TaskState
from agents.ticket import Ticket
from billing import Outcome
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from evaluators import Verdict
from evaluators.tables import verdict_of_claim
from service.database import Database
from service.tables import RolloutRow, rollout_of

UNSIGNED = "contract_not_signed"
"""The terms that it was verified under were not signed by both sides when the ticket was opened."""
_CHARGED = (OutcomeState.SETTLED, OutcomeState.INVOICED)
_WITHOUT_CLAIM = {TaskState.HANDED_OFF: "escalated", TaskState.EXCLUDED: "void", TaskState.ANSWERED: "void"}
"""How a task that ended without a claim appears among the outcomes."""


class OutcomeLine(BaseModel):
    """One outcome, as `settle outcomes` lists it."""

    model_config = ConfigDict(frozen=True)

    ticket: str
    task: str
    outcome_type: str | None
    """None where nothing was claimed."""
    subject: str
    state: str
    """claimed, verified, settled, invoiced, reversed, rejected, escalated or void"""
    reason: str
    """Coded reason of the state; `UNSIGNED` for a claim that has its verdict and no price."""
    evidence_class: str | None
    amount_minor: int
    """What is charged now, in minor units; 0 for everything that is not settled or was reversed."""
    price_minor: int | None
    """What it costs, or would have cost; None where nothing was priced."""
    currency: str
    invoice: str | None


class TicketLine(BaseModel):
    """One task of a ticket with its end: what happened, what the evaluators say, what it costs."""

    model_config = ConfigDict(frozen=True)

    ticket: str
    task: str
    """Empty as long as nobody looked at the ticket."""
    subject: str
    requester: str
    language: str
    happened: str
    """In words, for people."""
    task_state: str
    """Of the task; where none was begun, how the rollout treats the ticket: ``shadow``, ``people``, ``later``."""
    verdict: str
    """passed, failed, undetermined, or empty where nothing was claimed."""
    outcome: OutcomeLine | None
    """None while the ticket is under way."""


def outcome_lines(database: Database, tenant: str, currency: str) -> list[OutcomeLine]:
    """Every outcome, and every task that ended without one, by ticket."""
    with database.transaction() as session:
        found = outcomes(session, tenant=tenant)
        verdicts = {one.id: verdict_of_claim(session, tenant, one.id) for one in found}
        ended = [task for task in tables.tasks(session, tenant) if task.state in _WITHOUT_CLAIM]
    lines = [_line(one, verdicts[one.id], currency) for one in found]
    claimed = {line.task for line in lines}
    lines += [_without_claim(task, currency) for task in ended if task.id not in claimed]
    return sorted(lines, key=lambda line: (line.ticket, line.task))


def ticket_lines(database: Database, tenant: str, currency: str, tickets: Iterable[Ticket]) -> list[TicketLine]:
    """Every task of every ticket with its end; a ticket that nobody looked at has one line all the same."""
    lines = {line.task: line for line in outcome_lines(database, tenant, currency)}
    rows = []
    for ticket in tickets:
        with database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, tenant, ticket.id)
            verdicts = {task.id: verdict_of_claim(session, tenant, f"{task.id}:claim") for task in tasks}
            decided = rollout_of(session, tenant, ticket.id)
        listed: list[Task | None] = [*tasks] or [None]
        for task in listed:
            verdict = verdicts[task.id] if task else None
            line = lines.get(task.id) if task else None
            rows.append(
                TicketLine(
                    ticket=ticket.id,
                    task=task.id if task else "",
                    subject=ticket.subject,
                    requester=ticket.requester.email,
                    language=task.language if task else "",
                    happened=_happened(task, line, decided),
                    task_state=task.state.value if task else decided.treatment if decided else TaskState.OPEN.value,
                    verdict=verdict.finding.value if verdict else "",
                    outcome=line,
                )
            )
    return rows


def _line(outcome: Outcome, verdict: Verdict | None, currency: str) -> OutcomeLine:
    price = outcome.price
    return OutcomeLine(
        ticket=outcome.ticket_id,
        task=outcome.task_id,
        outcome_type=outcome.outcome_type,
        subject=outcome.subject,
        state=outcome.state.value,
        reason=UNSIGNED if verdict and outcome.state is OutcomeState.CLAIMED else outcome.code,
        evidence_class=verdict.evidence_class.value if verdict and verdict.evidence_class else None,
        amount_minor=price.minor if price and outcome.state in _CHARGED else 0,
        price_minor=price.minor if price else None,
        currency=price.currency if price else currency,
        invoice=outcome.invoice,
    )


def _without_claim(task: Task, currency: str) -> OutcomeLine:
    return OutcomeLine(
        ticket=task.ticket_id,
        task=task.id,
        outcome_type=None,
        subject="",
        state=_WITHOUT_CLAIM[task.state],
        reason=task.reason,
        evidence_class=None,
        amount_minor=0,
        price_minor=None,
        currency=currency,
        invoice=None,
    )


def _happened(task: Task | None, line: OutcomeLine | None, decided: RolloutRow | None) -> str:
    if task is None:
        return str(decided) if decided else "not looked at yet"
    did = line.outcome_type.replace("_", " ") if line and line.outcome_type else ""
    why = f"{task.reason.replace('_', ' ')}" + (f": {task.detail}" if task.detail else "")
    match task.state:
        case TaskState.CLAIMED:
            return did
        case TaskState.HANDED_OFF:
            return f"{did + ', then ' if did else ''}handed to a person ({why})"
        case TaskState.EXCLUDED:
            return f"not worked on ({why})"
        case TaskState.ANSWERED:
            return f"answered, nothing claimed ({why})"
        case TaskState.WAITING_REQUESTER:
            return f"waits for the requester ({why})"
        case TaskState.WAITING_APPROVAL:
            return f"waits for a person's approval ({why})"
        case _:
            return "under way"
