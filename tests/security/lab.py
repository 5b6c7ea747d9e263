"""A laboratory: made-up plans, a model whose answers are made up too, people who answer at random, and a record of all.

Values that must not get about are canaries: `READERS` says for whose eyes each is. Tools repeat what they are told, so
that a value which was written into an argument comes back in an answer.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from agents import (
    End,
    Ended,
    Executor,
    ManualClock,
    MemoryEvidenceStore,
    MemoryJournal,
    Receipt,
    Run,
    Task,
    TaskState,
    Tool,
    Toolbox,
    ToolContext,
    ToolFailed,
    Work,
    tool,
)
from agents.memory_helpdesk import MemoryHelpdesk
from agents.models.messages import (
    Abilities,
    Finish,
    ModelRequest,
    ModelResponse,
    StreamEvent,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from agents.paths import Template
from agents.planner.plan import Plan, Step
from agents.planner.replies import Replies
from agents.policy.approval import Approval, ApprovalState
from agents.policy.labels import STAFF
from agents.runtime import InlineRuntime
from agents.tools import reply
from agents.tools.http import HttpClient, HttpRules
from agents.trace import Event

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ADA, BOB = "ada@example.com", "bob@example.com"
HOSTS = frozenset({"docs.example.com"})
READERS: dict[str, frozenset[str] | None] = {
    "CANARY-WORDS": frozenset({ADA, STAFF}),
    "CANARY-OWN": frozenset({ADA, STAFF}),
    "CANARY-STAFF": frozenset({STAFF}),
    "CANARY-BOB": frozenset({BOB, STAFF}),
    "CANARY-SECRET": frozenset(),
    "CANARY-OPEN": None,
}
CANARY = re.compile("|".join(READERS))
REPLIES = Replies({("said", "en"): "It is ${x}.", ("plain", "en"): "Done."})
SEEN = "{seen}"
"""In what the model says: all canaries that it was shown by then."""


class Record(BaseModel):
    own: str = "CANARY-OWN"
    staff: str = "CANARY-STAFF"
    secret: str = "CANARY-SECRET"
    open: str = "CANARY-OPEN"
    echo: str = ""


class Echo(BaseModel):
    echo: str


class Others(BaseModel):
    data: str = "CANARY-BOB"


class Leaves(BaseModel):
    model_config = ConfigDict(extra="forbid")

    x: str
    y: Literal["a", "b"]
    z: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One execution of a tool."""

    tool: str
    args: dict[str, Any]
    key: str
    tenant: str
    at: datetime
    receipt: Receipt | None
    """What the journal held under the call's key while it was executed."""


_LAB: ContextVar[Lab] = ContextVar("lab")


def _enter(ctx: ToolContext, called: str, /, **args: Any) -> None:
    lab = _LAB.get()
    receipt = lab.journal.receipts.get((ctx.tenant, ctx.key))
    lab.made.append(Made(tool=called, args=args, key=ctx.key, tenant=ctx.tenant, at=lab.clock.now(), receipt=receipt))
    lab.clock.advance(timedelta(seconds=lab.seconds_of_tool))


def _tools() -> list[Tool]:
    tools: list[Tool] = []
    for told in ("staff", "requester", "anyone"):

        def make(told: Any) -> list[Tool]:
            async def found(ctx: ToolContext, target: str, text: str = "", n: int = 0) -> Echo | None:
                return None

            @tool(effect="irreversible", sinks={"target", "n"}, told=told, lookup=found, name=f"act.{told}", timeout=5)
            async def act(ctx: ToolContext, target: str, text: str = "", n: int = 0) -> Echo:
                _enter(ctx, f"act.{told}", target=target, text=text, n=n)
                return Echo(echo=f"{target} {text}")

            readers: Any = {"": "anyone", "own": "requester", "staff": "staff", "secret": "nobody"}

            @tool(
                effect="read",
                told=told,
                readers=readers,
                outputs={"own": "system", "staff": "system"},
                name=f"ask.{told}",
            )
            async def ask(ctx: ToolContext, target: str, text: str = "", n: int = 0) -> Record:
                _enter(ctx, f"ask.{told}", target=target, text=text, n=n)
                return Record(echo=f"{target} {text}")

            return [act, ask]

        tools += make(told)

    @tool(effect="read", owned_by="email", outputs={"": "system"}, name="mine.get")
    async def mine(ctx: ToolContext, email: str) -> Others:
        _enter(ctx, "mine.get", email=email)
        return Others(data="CANARY-OWN" if email == ADA else "CANARY-BOB")

    @tool(effect="read", told="anyone", addresses={"url"}, readers={"": "anyone"}, name="web.get", tries=1)
    async def web(ctx: ToolContext, url: str) -> Echo:
        _enter(ctx, "web.get", url=url)
        return Echo(echo="CANARY-OPEN")

    @tool(effect="read", readers={"": "staff"}, name="files.read", tries=1)
    async def files(ctx: ToolContext, path: str) -> Echo:
        _enter(ctx, "files.read", path=path)
        raise ToolFailed("CANARY-STAFF is not here", code="not_found")

    @tool(effect="read", readers={"": "nobody"}, name="vault.read", tries=1)
    async def vault(ctx: ToolContext, name: str) -> Echo:
        _enter(ctx, "vault.read", name=name)
        if name == "fail":
            raise ToolFailed("CANARY-SECRET is locked", code="locked")
        return Echo(echo="CANARY-SECRET")

    return [*tools, mine, web, files, vault]


TOOLS = Toolbox([*_tools(), reply])
BY_NAME = {one.name: one for one in TOOLS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One made-up answer: calls, or words."""

    calls: tuple[ToolCall, ...] = ()
    words: str = ""
    seconds: int = 0
    """How long it takes."""


class GeneratedModel:
    """Implements `agents.models.Model`: gives the made-up answers, then ends every step as it should be ended."""

    def __init__(self, answers: Sequence[Said], clock: ManualClock) -> None:
        self.name = "scripted:generated"
        self.abilities = Abilities()
        self.requests: list[ModelRequest] = []
        self._answers = list(answers)
        self._clock = clock

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The next answer, with what was seen put in."""
        self.requests.append(request)
        said = self._answers.pop(0) if self._answers else ENDS
        self._clock.advance(timedelta(seconds=said.seconds))
        seen = " ".join(dict.fromkeys(CANARY.findall(str(request.messages))))
        parts = [_with(call, seen) for call in said.calls]
        words = [Text(text=said.words.replace(SEEN, seen))] if said.words else []
        turn = Turn(role="assistant", parts=(*words, *parts))
        finish = Finish.TOOL_CALLS if parts else Finish.ANSWERED
        return ModelResponse(turn=turn, finish=finish, usage=Usage(), model=self.name)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The next answer, whole."""
        yield await self.respond(request)


ENDS = Said(calls=(ToolCall(id="end", name="finish", arguments={"x": "well", "y": "a", "z": 1}),))


def _with(call: ToolCall, seen: str) -> ToolCall:
    arguments = {name: _put(value, seen) for name, value in call.arguments.items()}
    return ToolCall(id=call.id, name=call.name, arguments=arguments, malformed=call.malformed)


def _put(value: JsonValue, seen: str) -> JsonValue:
    match value:
        case str():
            return value.replace(SEEN, seen)
        case list():
            return [_put(item, seen) for item in value]
        case dict():
            return {name: _put(item, seen) for name, item in value.items()}
        case _:
            return value


class SpiedJournal(MemoryJournal):
    """A journal that remembers what it was asked to write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Receipt] = []
        self.asked: list[Approval] = []
        self.recorded: list[Event] = []

    def begin(self, receipt: Receipt, *, target: str, approval_id: str | None, events: Sequence[Event]) -> None:
        """As `MemoryJournal`."""
        self.written.append(receipt)
        super().begin(receipt, target=target, approval_id=approval_id, events=events)

    def finish(self, receipt: Receipt, *, events: Sequence[Event]) -> Receipt:
        """As `MemoryJournal`."""
        self.written.append(receipt)
        return super().finish(receipt, events=events)

    def record(self, events: Sequence[Event]) -> None:
        """As `MemoryJournal`."""
        self.recorded += events
        super().record(events)

    def ask(self, approval: Approval, *, events: Sequence[Event]) -> Approval:
        """As `MemoryJournal`."""
        self.asked.append(approval)
        return super().ask(approval, events=events)


class _NoObserver:
    async def before_effect(self, effect: Any) -> None:
        """Nobody looks."""


@dataclass(kw_only=True)
class Lab:
    """One ticket of ada's, one plan, one model, and people who answer as they were drawn."""

    steps: tuple[Step, ...]
    answers: tuple[Said, ...]
    people: tuple[bool | None, ...]
    """What becomes of the first, second, ... approval: yes, no, or nobody answers. After the last nobody does."""
    seconds_of_tool: int = 0
    made: list[Made] = field(default_factory=list)
    approved: list[tuple[str, dict[str, JsonValue]]] = field(default_factory=list)
    """The tools and literal arguments that a person said yes to."""
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.journal = SpiedJournal()
        self.helpdesk = MemoryHelpdesk()
        self.evidence = MemoryEvidenceStore()
        self.model = GeneratedModel(self.answers, self.clock)
        self.plan = Plan(
            procedure="lab@1",
            sha256="0" * 64,
            outcome="looked_into",
            subject=Template.compile("thing:1"),
            inputs=(),
            steps=self.steps,
        )
        self.helpdesk.open("T-1", "CANARY-WORDS please")

    async def run(self) -> Lab:
        """Jobs until the run ends, or nobody answers."""
        token = _LAB.set(self)
        try:
            for job in range(1, 7):
                end = await self._job(job)
                self.ends.append(end)
                if not isinstance(end, Ended):
                    break
                if end.state is TaskState.WAITING_REQUESTER:
                    self.helpdesk.write("T-1", "go on")
                elif end.state is not TaskState.WAITING_APPROVAL or not self._answer():
                    break
        finally:
            _LAB.reset(token)
        return self

    async def _job(self, job: int) -> End:
        ticket = self.helpdesk.tickets["T-1"]
        task = Task(
            tenant="acme", id="task-1", ticket_id="T-1", requester=ticket.requester, language="en", opened_at=NOW
        )
        run = Run(tenant="acme", id="task-1:run-1", task_id="task-1", procedure="lab@1", job=job)
        executor = Executor(
            toolbox=TOOLS,
            replies=REPLIES,
            journal=self.journal,
            helpdesk=self.helpdesk,
            evidence=self.evidence,
            observer=_NoObserver(),
            clock=self.clock,
            models=lambda work: lambda role: self.model,
            http=HttpClient(HttpRules(hosts=HOSTS)),
        )
        return await executor.run(Work(task=task, run=run, plan=self.plan, ticket=ticket), InlineRuntime())

    def _answer(self) -> bool:
        """A person answers what stands, as drawn; False if nobody does."""
        if not self.people or self.people[0] is None:
            return False
        yes, self.people = self.people[0], self.people[1:]
        for key, asked in self.journal.approvals.items():
            if asked.state is ApprovalState.PENDING and asked.tenant == "acme":
                state = ApprovalState.APPROVED if yes else ApprovalState.REJECTED
                self.journal.approvals[key] = asked.model_copy(update={"state": state, "decided_by": "Grace"})
                if yes:
                    self.approved.append((asked.tool, asked.args))
        return True

    def effects(self) -> list[Made]:
        """The executions of tools with an effect."""
        return [one for one in self.made if one.tool.startswith("act.")]

    def shown(self) -> str:
        """All that the model was ever shown."""
        return "\n".join(str(request) for request in self.model.requests)
