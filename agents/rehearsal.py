"""A rehearsal: the same run, and nothing goes out. Reads are real, effects are made up, replies and notes stay here.

    Executor(toolbox=rehearsed(toolbox), helpdesk=RehearsalHelpdesk(ticket, ...), journal=MemoryJournal(), ...)

What a rehearsed effect answers is made up: the tool's own ``rehearse`` function says, or else a sample of its output
model with the arguments in the fields of the same names. So a plan goes on to its end, and nothing that follows from
the answer of an effect is more than likely.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.clock import Clock
from agents.errors import AttachmentMissing, TicketNotFound, ToolFailed
from agents.journal import MemoryJournal
from agents.planner.samples import sample
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import REPLY_TOOL, Effect
from agents.ticket import Author, Message, Ticket, TicketStatus
from agents.tools.http import HttpClient
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox

ASSUMED = "assumed in a rehearsal"
"""Who answers approvals in a rehearsal."""


def rehearsed(toolbox: Toolbox) -> Toolbox:
    """The tools of ``toolbox``; of those that are not declared ``read``, nothing but the declaration is left.

    The built-in reply tool stays: it writes to the helpdesk it is given, which in a rehearsal is a `RehearsalHelpdesk`.
    """
    return Toolbox(
        tool if tool.effect is Effect.READ or tool.name == REPLY_TOOL else _made_up(tool) for tool in toolbox
    )


def _made_up(tool: Tool) -> Tool:
    return replace(tool, function=_answers(tool), lookup=_never_made)


async def _never_made(ctx: ToolContext, **args: Any) -> None:
    return None


def _answers(tool: Tool) -> Callable[..., Any]:
    said = tool.rehearse
    if said is not None:
        return _unconnected(said)

    async def answer(ctx: ToolContext, **args: Any) -> BaseModel:
        return _from_sample(tool, args)

    return answer


def _unconnected(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, given a context from which no other system can be reached."""

    async def answer(ctx: ToolContext, **args: Any) -> Any:
        cut_off = replace(ctx, settings={}, browser=None, helpdesk=None, mcp=None, http=HttpClient(resolver=_nowhere))
        return function(cut_off, **args)

    return answer


async def _nowhere(host: str, port: int) -> list[str]:
    return []


def _from_sample(tool: Tool, args: dict[str, Any]) -> BaseModel:
    model = tool.output_model
    data: dict[str, Any] = {name: value for name, value in sample(model).items() if name in model.model_fields}
    given = {name: value for name, value in args.items() if name in data}
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    for _ in range(len(given) + len(optional) + 1):
        try:
            return model.model_validate(data | given)
        except ValidationError as error:
            unfit = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
            if not unfit & (given.keys() | (optional & data.keys())):
                break
            data = {name: value for name, value in data.items() if name not in (unfit & optional) - given.keys()}
            given = {name: value for name, value in given.items() if name not in unfit}
    raise ToolFailed(
        f"no answer of {tool.name} can be made up; declare one with @tool(..., rehearse=function)",
        code="cannot_rehearse",
    )


def approve_all(journal: MemoryJournal) -> list[Approval]:
    """Answer every approval that waits with yes; returns them."""
    waiting = [(key, one) for key, one in journal.approvals.items() if one.state is ApprovalState.PENDING]
    for key, one in waiting:
        answer = {"state": ApprovalState.APPROVED, "decided_by": ASSUMED}
        journal.approvals[key] = one.model_copy(update=answer)
    return [one for _, one in waiting]


class RehearsalHelpdesk:
    """`agents.ticket.Helpdesk` of one ticket: what is written to it is kept here and reaches nobody."""

    def __init__(self, ticket: Ticket, *, later: Sequence[str] = (), clock: Clock) -> None:
        """``later`` is what the requester wrote after the messages in ``ticket``, oldest first."""
        self._ticket = ticket
        self._later = deque(later)
        self._clock = clock
        self._sent: dict[str, Message] = {}
        self._changes: set[str] = set()
        self.notes: list[str] = []

    @property
    def replies(self) -> list[str]:
        """What the requester would have been told, oldest first."""
        return [message.text for message in self._sent.values()]

    @property
    def unread(self) -> int:
        """How many of the later messages were not delivered."""
        return len(self._later)

    def deliver(self) -> bool:
        """Deliver the requester's next message; False if there is none."""
        if not self._later:
            return False
        message = Message(
            id=f"{self._ticket.id}:later-{len(self._ticket.messages)}",
            author=Author.REQUESTER,
            text=self._later.popleft(),
            at=self._clock.now(),
        )
        self._put(messages=(*self._ticket.messages, message), version=self._ticket.version + 1)
        return True

    async def changed(self, since: datetime | None) -> Sequence[str]:
        """The one ticket."""
        return [self._ticket.id]

    async def get(self, ticket_id: str) -> Ticket:
        """The ticket, with what the run wrote; `TicketNotFound` for any other."""
        if ticket_id != self._ticket.id:
            raise TicketNotFound(ticket_id)
        return self._ticket

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        """Keep a reply; the one that stands under ``key`` is returned."""
        if key not in self._sent:
            message = Message(id=key, author=Author.AGENT, text=text, at=self._clock.now())
            self._sent[key] = message
            self._put(messages=(*self._ticket.messages, message))
        return self._sent[key]

    async def find_reply(self, ticket_id: str, *, key: str) -> Message | None:
        """The reply kept under ``key``."""
        return self._sent.get(key)

    async def set_status(self, ticket_id: str, status: TicketStatus, *, key: str) -> None:
        """Change the status here, once per ``key``."""
        if self._first(key):
            self._put(status=status)

    async def note(self, ticket_id: str, text: str, *, key: str) -> None:
        """Keep a note, once per ``key``."""
        if self._first(key):
            self.notes.append(text)

    async def attachment(self, ticket_id: str, attachment_id: str) -> bytes:
        """Rehearsals have no attachments."""
        raise AttachmentMissing(ticket_id, attachment_id)

    async def hand_off(self, ticket_id: str, summary: str, *, key: str) -> None:
        """Keep the summary, once per ``key``."""
        if self._first(key):
            self.notes.append(summary)
            self._put(status=TicketStatus.WITH_STAFF)

    def _first(self, key: str) -> bool:
        first = key not in self._changes
        self._changes.add(key)
        return first

    def _put(self, **changes: object) -> None:
        self._ticket = self._ticket.model_copy(update=changes)
