"""A plan of N bound steps that read nothing much: what is measured is everything around the tool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from agents import (
    Author,
    Executor,
    Journal,
    MemoryEvidenceStore,
    Message,
    PendingEffect,
    Requester,
    Run,
    SystemClock,
    Task,
    Ticket,
    TicketStatus,
    Toolbox,
    ToolContext,
    Work,
    tool,
)
from agents.errors import AttachmentMissing
from agents.paths import Template
from agents.planner.plan import Plan, ToolStep
from agents.planner.replies import Replies

TENANT = "bench"


class Answer(BaseModel):
    value: str
    count: int


@tool(effect="read", outputs={"": "system"})
async def look(ctx: ToolContext, what: str) -> Answer:
    """Answer at once."""
    return Answer(value=what, count=len(what))


class QuietHelpdesk:
    """A helpdesk with one ticket that never changes."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    async def get(self, ticket_id: str) -> Ticket:
        return self._ticket

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        return Message(id=key, author=Author.AGENT, text=text, at=self._ticket.opened_at)

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        return None

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        pass

    async def changed(self, since: datetime | None) -> Sequence[str]:
        return [self._ticket.id]

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        pass

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        raise AttachmentMissing(ticket_id, attachment_id)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        pass


class BlindObserver:
    """There are no effects here to look at."""

    async def before_effect(self, effect: PendingEffect) -> None:
        pass


def executor(journal: Journal) -> Executor:
    """An executor with one tool."""
    return Executor(
        toolbox=Toolbox([look]),
        replies=Replies({}),
        journal=journal,
        helpdesk=QuietHelpdesk(_ticket("T-1")),
        evidence=MemoryEvidenceStore(),
        observer=BlindObserver(),
        clock=SystemClock(),
    )


def work(name: str, steps: int) -> Work:
    """One run of ``steps`` bound steps, each fed by the one before."""
    first = ToolStep(id="s0", tool="look", args={"what": Template.compile("a fact")}, approve=None, when=None)
    rest = [
        ToolStep(
            id=f"s{number}",
            tool="look",
            args={"what": Template.compile(f"${{s{number - 1}.value}}")},
            approve=None,
            when=None,
        )
        for number in range(1, steps)
    ]
    plan = Plan(
        procedure="bench@1",
        sha256="0" * 64,
        outcome="nothing",
        subject=Template.compile("thing:1"),
        inputs=(),
        steps=(first, *rest),
    )
    ticket = _ticket(name)
    task = Task(
        tenant=TENANT,
        id=f"{name}:task-1",
        ticket_id=name,
        requester=ticket.requester,
        language="en",
        opened_at=ticket.opened_at,
    )
    run = Run(tenant=TENANT, id=f"{task.id}:run-1", task_id=task.id, procedure="bench@1", job=1)
    return Work(task=task, run=run, plan=plan, ticket=ticket)


def _ticket(name: str) -> Ticket:
    return Ticket(
        tenant=TENANT,
        id=name,
        subject="Hello",
        requester=Requester(email="someone@example.com"),
        messages=(),
        opened_at=datetime.now(UTC),
        version=1,
    )
