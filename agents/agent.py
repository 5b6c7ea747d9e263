"""An agent in your own program: a model, plain functions, and nothing else to set up.

    agent = Agent("anthropic:claude-sonnet-5", [order_status])
    result = await agent.run("Where is order 10482?")
    print(result.reply)

Everything is in memory and in order; the same grant, policy and receipts hold as in a deployment. Nothing is verified
and nothing is charged: for that, a procedure, a contract and evaluators belong around it.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count

from pydantic import BaseModel, ConfigDict

from agents.canonical import fingerprint
from agents.clock import Clock, SystemClock
from agents.effect import PendingEffect
from agents.errors import InvalidTool
from agents.evidence import MemoryEvidenceStore
from agents.executor import Executor
from agents.journal import MemoryJournal
from agents.language import FUNCTION_WORDS, detect_language
from agents.memory_helpdesk import MemoryHelpdesk
from agents.models.messages import Model
from agents.models.naming import open_model
from agents.paths import Template
from agents.planner.plan import OpenStep, OpenTool, Plan, ReplyStep
from agents.planner.replies import Replies
from agents.policy.approval import Approval, ApprovalState
from agents.policy.grant import Hole
from agents.policy.labels import STAFF
from agents.receipt import REPLY_TOOL, Effect, Receipt
from agents.runtime.inline import InlineRuntime
from agents.task import Run, Task
from agents.tools.conversation import reply
from agents.tools.signature import read_signature
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox
from agents.work import Claimed, Ended, Work

Approver = Callable[[Approval], Awaitable[bool]]
"""A person's yes or no to one call with its literal arguments."""
MAX_ANSWERS = 20
_NAME = "agent"
_STEP = "task"
_LANGUAGES = (*FUNCTION_WORDS, "zh")


class _Leaves(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reply: str
    """What the requester is told at the end."""


@dataclass(slots=True, kw_only=True)
class _Thread:
    """One conversation with everything that was kept of it."""

    ticket_id: str
    helpdesk: MemoryHelpdesk
    journal: MemoryJournal
    evidence: MemoryEvidenceStore
    job: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a task ended."""

    reply: str
    """What the model said last; empty where it said nothing."""
    finished: bool
    """False if it spoke without finishing (a question, mostly), or a person has to go on."""
    code: str
    """Why it is not finished, coded; empty if it is."""
    reason: str
    """The same in words."""
    receipts: tuple[Receipt, ...]
    """Every call of a tool and every answer of the model, in order."""
    thread: _Thread
    """For `Agent.run`, to go on from here."""


class Agent:
    """A model with tools, for tasks in your own program."""

    def __init__(
        self,
        model: str | Model,
        tools: Iterable[Tool | Callable[..., object]] = (),
        *,
        instructions: str = "Do what the requester asks for.",
        approve: Approver | None = None,
        max_answers: int = MAX_ANSWERS,
        clock: Clock | None = None,
    ) -> None:
        """An agent.

        Args:
            model: ``provider:model``, its key being in the environment; or any `Model`.
            tools: functions declared with `tool`, or plain ones. What a plain one does nobody knows: it counts as a
                write, and each call of it waits for a yes.
            instructions: the goal. What the requester writes is information, and never changes it.
            approve: asked before every effect; on a terminal, the person there is asked if it is left out.
            max_answers: answers of the model for one task.

        Raises:
            InvalidTool: a function cannot be a tool, or its effect is not declared and nobody is there to ask.
            ModelFailed: there is no such model, or its key is missing.
        """
        self._model = open_model(model) if isinstance(model, str) else model
        self._approve = approve or (on_terminal if sys.stdin is not None and sys.stdin.isatty() else None)
        self._toolbox = Toolbox([*(self._tool(one) for one in tools), reply])
        self._goal = instructions
        self._max_answers = max_answers
        self._clock = clock or SystemClock()
        self._numbers = count(1)

    async def run(self, task: str, *, requester: str = STAFF, after: Result | None = None) -> Result:
        """Work on ``task`` until it is finished, the model asks something, or a person has to go on.

        Args:
            task: the requester's words; data, whatever they say.
            requester: the e-mail address of the customer who is asking: tools that read a customer's records read
                theirs. Left out, whoever runs the program is asking.
            after: what came before; ``task`` is then the requester's next message.
        """
        thread = self._opened(task, requester) if after is None else after.thread
        if after is not None:
            thread.helpdesk.write(thread.ticket_id, task)
        told = len(thread.helpdesk.replies(thread.ticket_id))
        executor = Executor(
            toolbox=self._toolbox,
            replies=Replies({("said", language): "${text}" for language in _LANGUAGES}),
            journal=thread.journal,
            helpdesk=thread.helpdesk,
            evidence=thread.evidence,
            observer=_Nobody(),
            clock=self._clock,
            models=lambda work: lambda role: self._model,
        )
        while True:
            thread.job += 1
            end = await executor.run(self._work(thread), InlineRuntime())
            asked = [one for one in thread.journal.approvals.values() if one.state is ApprovalState.PENDING]
            if not asked:
                break
            for one in asked:
                thread.journal.approvals[one.tenant, one.id] = await self._decided(one)
        said = thread.helpdesk.replies(thread.ticket_id)[told:]
        return Result(
            reply=said[-1] if said else "",
            finished=isinstance(end, Claimed),
            code=end.code if isinstance(end, Ended) else "",
            reason=end.reason if isinstance(end, Ended) else "",
            receipts=tuple(thread.journal.receipts.values()),
            thread=thread,
        )

    def _tool(self, function: Tool | Callable[..., object]) -> Tool:
        """A tool as it is; a plain function as a write that nobody may repeat."""
        if isinstance(function, Tool):
            return function
        name = getattr(function, "__name__", type(function).__name__)
        shape = read_signature(function, name, ToolContext)
        if self._approve is None:
            raise InvalidTool(
                name,
                "does not say what it does, so it counts as a write, and nobody is here to approve its calls: "
                f'write @tool(effect="read") in the line above `def {name}` if it only reads, or give approve=',
            )
        return Tool(
            name=name,
            description=inspect.cleandoc(function.__doc__ or name),
            version=shape.version,
            effect=Effect.IRREVERSIBLE,
            sinks=frozenset(shape.input_model.model_fields),
            input_model=shape.input_model,
            output_model=shape.output_model,
            outputs={},
            owned_by=None,
            readers={(): "staff"},
            told="staff",
            addresses=frozenset(),
            timeout=30.0,
            tries=1,
            function=shape.function,
            lookup=None,
        )

    def _opened(self, task: str, requester: str) -> _Thread:
        ticket_id = f"{_NAME}-{next(self._numbers)}"
        helpdesk = MemoryHelpdesk()
        helpdesk.open(ticket_id, task, email=requester, name="", subject="", tenant=_NAME)
        return _Thread(ticket_id=ticket_id, helpdesk=helpdesk, journal=MemoryJournal(), evidence=MemoryEvidenceStore())

    def _work(self, thread: _Thread) -> Work:
        ticket = thread.helpdesk.tickets[thread.ticket_id]
        task = Task(
            tenant=_NAME,
            id=ticket.id,
            ticket_id=ticket.id,
            requester=ticket.requester,
            language=detect_language(ticket.messages[0].text, among=_LANGUAGES),
            opened_at=ticket.opened_at,
        )
        run = Run(tenant=_NAME, id=f"{ticket.id}:run", task_id=task.id, procedure=f"{_NAME}@1", job=thread.job)
        return Work(task=task, run=run, plan=self._plan(), ticket=ticket)

    def _plan(self) -> Plan:
        """One open step with every tool, and the reply that it ends with."""
        owner = Template.compile("${task.requester.email}")
        tools = tuple(
            OpenTool(
                tool=one.name,
                args={} if one.owned_by is None else {one.owned_by: owner},
                holes={name: Hole() for name in one.input_model.model_fields if name != one.owned_by},
            )
            for one in self._toolbox
            if one.name != REPLY_TOOL
        )
        step = OpenStep(
            id=_STEP,
            goal=self._goal,
            agent="",
            tools=tools,
            leaves=_Leaves,
            max_answers=self._max_answers,
            approve=None,
        )
        said = ReplyStep(id="reply", reply="said", values={"text": Template.compile(f"${{{_STEP}.reply}}")}, when=None)
        return Plan(
            procedure=f"{_NAME}@1",
            sha256=fingerprint([self._goal, self._toolbox.names()]),
            outcome="done",
            subject=Template.compile("task:${task.id}"),
            inputs=(),
            steps=(step, said),
        )

    async def _decided(self, asked: Approval) -> Approval:
        yes = self._approve is not None and await self._approve(asked)
        state = ApprovalState.APPROVED if yes else ApprovalState.REJECTED
        return asked.model_copy(update={"state": state, "decided_by": "the person here" if self._approve else "nobody"})


async def on_terminal(asked: Approval) -> bool:
    """Show the call on the terminal and wait for a yes."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in asked.args.items())
    answer = await asyncio.to_thread(input, f"{asked.tool}({arguments})\n{asked.reason}\nCall it? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


class _Nobody:
    """Looks at nothing: without evaluators nothing is proven."""

    async def before_effect(self, effect: PendingEffect) -> None:
        """Nothing to see."""
