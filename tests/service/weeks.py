"""Several weeks of a desk's work, written through the packages' own functions: each ticket is a short story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session

from agents import tables
from agents.policy.approval import Approval
from agents.receipt import MODEL_PREFIX, REPLY_TOOL, Effect, Receipt, ReceiptState
from agents.task import Run, Task, TaskState
from agents.ticket import Requester, Ticket
from billing import record_claim, record_verdict, requester_returned
from billing.outcome import settle
from evaluators import Finding
from service.satisfaction import keep_rating
from tests.billing.books import claim, contract, looked, verdict

MONDAY = datetime(2026, 10, 4, 22, tzinfo=UTC)
"""Monday, 5 October 2026, 00:00 in Berlin."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PRICES = {"refund_issued": 99, "order_status_told": 29}
SETTLES, RETURNS = 3 * DAY, 5 * DAY
"""After the claim: the window ends, and the requester who is charged and not content comes back."""


class End(StrEnum):
    """How a task goes."""

    CHARGED = "charged"
    WINDOW = "window"
    UNDECIDED = "undecided"
    REJECTED = "rejected"
    VOID = "void"
    REVERSED = "reversed"
    HANDED = "handed"
    WAITING = "waiting"
    APPROVAL = "approval"
    ANSWERED = "answered"
    SPAM = "spam"
    OPEN = "open"


CLAIMED = (End.CHARGED, End.WINDOW, End.UNDECIDED, End.REJECTED, End.VOID, End.REVERSED)
_STATES = {
    End.REJECTED: (TaskState.HANDED_OFF, "not_proven"),
    End.VOID: (TaskState.HANDED_OFF, "reopened"),
    End.REVERSED: (TaskState.HANDED_OFF, "reopened"),
    End.WAITING: (TaskState.WAITING_REQUESTER, "input_missing"),
    End.APPROVAL: (TaskState.WAITING_APPROVAL, "needs_approval"),
    End.ANSWERED: (TaskState.ANSWERED, "order_not_found"),
    End.SPAM: (TaskState.EXCLUDED, "spam"),
    End.OPEN: (TaskState.OPEN, ""),
}


@dataclass(frozen=True, kw_only=True)
class Issue:
    """One task of a ticket."""

    end: End
    procedure: str = "refund-damaged-item@3"
    outcome_type: str = "refund_issued"
    brought_after: timedelta = timedelta()
    """After the ticket was opened; the other times count from then."""
    claimed_after: timedelta = HOUR
    reason: str = "no_procedure"
    """Of those that are handed to a person at once."""
    replied_after: timedelta | None = None
    """The agent's reply, if it wrote one."""
    answers: tuple[int | None, ...] = ()
    """Of a model: what each cost in millionths of a dollar, None where nobody counted."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """One ticket."""

    opened_at: datetime
    issues: tuple[Issue, ...] = field(default_factory=tuple)
    language: str = "en"
    rating: int | None = None


def tell(session: Session, tenant: str, stories: Sequence[Story]) -> None:
    """Write everything that these tickets left in the database."""
    for number, story in enumerate(stories):
        requester = Requester(email=f"r{number}@example.com", name="Ann")
        ticket = Ticket(
            tenant=tenant, id=f"T-{number}", subject="Help", requester=requester, messages=(),
            opened_at=story.opened_at, version=1, satisfaction=story.rating,
        )  # fmt: skip
        keep_rating(session, ticket, now=story.opened_at + DAY)
        for place, issue in enumerate(story.issues, start=1):
            _tell(session, ticket, story, issue, place)


def _tell(session: Session, ticket: Ticket, story: Story, issue: Issue, place: int) -> None:
    tenant, task_id = ticket.tenant, f"{ticket.id}:task-{place}"
    brought_at = story.opened_at + issue.brought_after
    state, reason = _STATES.get(issue.end, (TaskState.CLAIMED, ""))
    if issue.end is End.HANDED:
        state, reason = TaskState.HANDED_OFF, issue.reason
    task = Task(
        tenant=tenant, id=task_id, ticket_id=ticket.id, requester=ticket.requester, language=story.language,
        opened_at=brought_at, state=state, reason=reason,
    )  # fmt: skip
    tables.save_task(session, task)
    if not issue.procedure:
        return
    run = Run(tenant=tenant, id=f"{task_id}:run-1", task_id=task_id, procedure=issue.procedure, job=1)
    tables.save_run(session, run, "0" * 64)
    _call(session, run, "orders", "shop.find_orders", Effect.READ, brought_at + MINUTE, 2)
    for number, micros in enumerate(issue.answers, start=1):
        took: dict[str, JsonValue] = {"input_tokens": 1_000, "output_tokens": 24, "micros": micros}
        _call(session, run, f"look.{number}", f"{MODEL_PREFIX}test:one", Effect.READ, brought_at, 60, took)
    if issue.replied_after is not None:
        _call(session, run, "reply", REPLY_TOOL, Effect.IRREVERSIBLE, brought_at + issue.replied_after, 0)
    if issue.end is End.APPROVAL:
        tables.save_approval(
            session,
            Approval(
                tenant=tenant, id=f"{task_id}:refund:x", task_id=task_id, ticket_id=ticket.id, run_id=run.id,
                step="refund", tool="back_office.refund", args={}, args_sha256="", reason="dear",
                expires_at=story.opened_at + DAY,
            ),
        )  # fmt: skip
    if issue.end in CLAIMED:
        _claim(session, ticket, task, issue, brought_at + issue.claimed_after)


def _claim(session: Session, ticket: Ticket, task: Task, issue: Issue, at: datetime) -> None:
    made = claim(
        tenant=task.tenant, id=f"{task.id}:claim", task_id=task.id, ticket_id=ticket.id, made_at=at,
        requester_email=ticket.requester.email, outcome_type=issue.outcome_type, procedure=issue.procedure,
        subject=f"order:{task.id}", run_id=f"{task.id}:run-1",
    )  # fmt: skip
    tables.save_claim(session, made)
    record_claim(session, made, now=at)
    if issue.end is End.UNDECIDED:
        return
    refused: dict[str, Any] = {"finding": Finding.FAILED, "code": "state_unchanged", "evidence_class": None}
    found = verdict(made, decided_at=at, **refused if issue.end is End.REJECTED else {})
    record_verdict(session, made, found, contract(), ticket_opened_at=ticket.opened_at, ticket_tags=(), now=at)
    if issue.end is End.VOID:
        _return(session, ticket, at + DAY)
    if issue.end in (End.CHARGED, End.REVERSED):
        settle(
            session, tenant=task.tenant, outcome_id=made.id, still_stands=looked(), ticket_tags=(), now=at + SETTLES
        )  # fmt: skip
    if issue.end is End.REVERSED:
        _return(session, ticket, at + RETURNS)


def _return(session: Session, ticket: Ticket, at: datetime) -> None:
    requester_returned(session, tenant=ticket.tenant, ticket_id=ticket.id, written_at=at, now=at)


def _call(
    session: Session,
    run: Run,
    step: str,
    tool: str,
    effect: Effect,
    at: datetime,
    seconds: int,
    result: JsonValue = None,
) -> None:
    receipt = Receipt(
        tenant=run.tenant, key=f"{run.id}:{step}", task_id=run.task_id, run_id=run.id, step=step, tool=tool,
        tool_version="1", effect=effect, args={}, args_sha256="", procedure=run.procedure, state=ReceiptState.DONE,
        result=result, started_at=at, finished_at=at + timedelta(seconds=seconds),
    )  # fmt: skip
    tables.finish_receipt(session, receipt)
