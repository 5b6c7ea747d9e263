"""Runs tools and one procedure on a ticket in memory, and says what was called, granted and decided.

    bench = Workbench([Path("tools/vouchers.py")], procedure=VOUCHER_LOST, replies={"done.en": "It is on its way."})
    end = await bench.resolve("My voucher for order #10001 is lost")
    assert isinstance(end, Claimed)
    bench.assert_called("vouchers.issue", order_id="10001")

The executor, the policy, the receipts and the replies are the ones of live work; only journal, evidence and helpdesk
are in memory. Nothing is verified and nothing charged: that is for evaluators and billing, whose tests are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from agents.clock import ManualClock
from agents.documents import parse_document, read_document
from agents.effect import EffectObserver, PendingEffect
from agents.evidence import MemoryEvidenceStore
from agents.executor import Executor
from agents.journal import MemoryJournal
from agents.memory_helpdesk import MemoryHelpdesk
from agents.models.messages import Model
from agents.planner import Plan, Procedure, Replies
from agents.planner.plan import said_by
from agents.planner.procedure import compile_procedure
from agents.policy.approval import ApprovalState
from agents.policy.decision import Call, Decision, decide
from agents.policy.grant import Filled, Fixed, Grant, Slot, Source
from agents.policy.labels import PLAN, STAFF, Integrity, Label, Labelled
from agents.receipt import Receipt
from agents.runtime import InlineRuntime
from agents.task import Run, Task, TaskState
from agents.tools import Tool, Toolbox, ToolContext, knowledge, reply, widen
from agents.tools.http import HttpClient
from agents.trace import Event
from agents.work import End, Ended, Superseded, Work

if TYPE_CHECKING:
    from agents.tools.browser import Browser

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
"""The time at which a test begins, unless it brings a clock of its own."""
REQUESTER = "ada@example.com"
"""Whose ticket `Workbench` works on."""
TICKET = "T-1"
TENANT = "acme"
TASK = "task-1"


class SeenEffects:
    """An `EffectObserver` that remembers which effects were announced to it."""

    def __init__(self) -> None:
        self.seen: list[PendingEffect] = []

    async def before_effect(self, effect: PendingEffect) -> None:
        """Remember it."""
        self.seen.append(effect)


def said(value: JsonValue) -> Labelled:
    """``value`` as an argument that comes from the requester's own words."""
    return Labelled(data=value, label=said_by(REQUESTER))


def on_record(value: JsonValue, *, of: str = REQUESTER) -> Labelled:
    """``value`` as an argument that the system of record vouches for, of the record of the customer ``of``."""
    label = Label(integrity=Integrity.SYSTEM, origins=frozenset({"a record"}), owner=of, readers=frozenset({of, STAFF}))
    return Labelled(data=value, label=label)


class Workbench:
    """Tools, and perhaps a procedure, with everything they need in memory."""

    def __init__(
        self,
        tools: Iterable[Tool | Path] = (),
        *,
        procedure: str | Path = "",
        replies: Replies | Mapping[str, str] | Path | None = None,
        settings: Mapping[str, str] | None = None,
        model: Model | None = None,
        language: str = "en",
        clock: ManualClock | None = None,
        helpdesk: MemoryHelpdesk | None = None,
        journal: MemoryJournal | None = None,
        evidence: MemoryEvidenceStore | None = None,
        observer: EffectObserver | None = None,
        http: HttpClient | None = None,
        browser: Browser | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            tools: tools, and files of tools: those of ``vouchers.py`` are called ``vouchers.…`` as in a deployment.
            procedure: its YAML, or the file; needed by whatever resolves the ticket.
            replies: a folder of replies, or ``{"refund-done.en": "Refunded ${amount}."}``.
            settings: what ``ctx.setting`` tells the tools.
            model: for open steps; a `ScriptedModel`, for example.
            observer: told ahead of every effect, as the evaluators are in live work; see `observed` otherwise.
            http: what ``ctx.http`` is; by default one that reaches public addresses alone.

        Raises:
            InvalidDocument: a file of tools or replies is refused; everything wrong is listed.
        """
        given = list(tools)
        ready = [reply, widen, knowledge.search, knowledge.answer, *(one for one in given if isinstance(one, Tool))]
        self.toolbox = Toolbox.load([one for one in given if isinstance(one, Path)], builtin=ready)
        self.text = procedure
        """The procedure's YAML, or its file."""
        self.replies = _replies(replies)
        self.settings = dict(settings or {})
        self.model = model
        self.language = language
        self.clock = clock or ManualClock(NOW)
        self.helpdesk = helpdesk or MemoryHelpdesk()
        self.journal = journal or MemoryJournal()
        self.evidence = evidence or MemoryEvidenceStore()
        self.http = http or HttpClient()
        self.browser = browser
        self.key = "key-1"
        """The idempotency key under which `call` and `look_up` go."""
        self.told: list[Event] = []
        """What happened in runs, in order."""
        self._seen = SeenEffects()
        self.observer: EffectObserver = observer or self._seen
        self._jobs = 0

    async def call(self, tool: str, /, **args: Any) -> dict[str, JsonValue]:
        """What one tool answers when it is called once, as JSON data; no policy is asked.

        Raises:
            ToolFailed: it failed and changed nothing.
            ToolOutcomeUnknown: nobody knows whether its effect took place.
        """
        return await self._tool(tool).call(self._context(), args)

    async def look_up(self, tool: str, /, **args: Any) -> dict[str, JsonValue] | None:
        """What the tool's lookup finds of an earlier call under `key`; None if it certainly had no effect."""
        return await self._tool(tool).look_up(self._context(), args)

    def decide(self, tool: str, /, **args: Any) -> Decision:
        """What the policy says to a call of ``tool`` whose arguments come from where `said` and `on_record` say.

        Plain values are as if they stood in the procedure. Nothing is called.
        """
        values = {
            name: value if isinstance(value, Labelled) else Labelled(data=value, label=PLAN)
            for name, value in args.items()
        }
        sources: dict[str, Source] = {
            name: Filled(name) if isinstance(args[name], Labelled) else Fixed(value.data)
            for name, value in values.items()
        }
        grant = Grant(
            tenant=TENANT,
            run_id=f"{TASK}:run-1",
            requester_email=REQUESTER,
            slots=(Slot(step="test", tool=tool, args=sources),),
            max_calls=1,
            expires_at=self.clock.now() + timedelta(hours=1),
            hosts=self.http.rules.hosts,
        )
        call = Call(
            tenant=TENANT,
            run_id=f"{TASK}:run-1",
            step="test",
            tool=tool,
            args={name: value.data for name, value in values.items()},
            sources=sources,
            at=self.clock.now(),
            calls_of_step=0,
            calls_of_run=0,
        )
        return decide(call, {name: value.weakest() for name, value in values.items()}, grant, self.toolbox.get(tool))

    async def resolve(self, *words: str, approving: bool = False) -> End:
        """Work on the ticket until it ends or waits for somebody else than the words at hand.

        The first of ``words`` opens the ticket if there is none yet; each of the others is the requester's next
        message, delivered when the run waits for them. Without words the ticket is taken up as it stands, for
        example after `approve`; with ``approving`` a person says yes whenever one is asked. Words that nobody waited
        for are an `AssertionError`.
        """
        left = list(words)
        if TICKET not in self.helpdesk.tickets:
            assert left, "say what the requester writes: await bench.resolve('My mug arrived broken')"
            self.helpdesk.open(TICKET, left.pop(0), email=REQUESTER, tenant=TENANT)
        elif left:
            self.helpdesk.write(TICKET, left.pop(0))
        while True:
            self._jobs += 1
            end = await self.executor().run(self.work(job=self._jobs), InlineRuntime())
            waits_for = end.state if isinstance(end, Ended) else None
            if waits_for is TaskState.WAITING_REQUESTER and left:
                self.helpdesk.write(TICKET, left.pop(0))
            elif waits_for is TaskState.WAITING_APPROVAL and approving:
                self.approve()
            elif not isinstance(end, Superseded):
                assert not left, f"nobody waited for {left[0]!r}: it ended with {end}"
                return end

    def approve(self) -> None:
        """A person says yes to every call that waits for one; `resolve` then goes on."""
        self._answer(ApprovalState.APPROVED)

    def reject(self) -> None:
        """A person says no to every call that waits for a yes; `resolve` then goes on."""
        self._answer(ApprovalState.REJECTED)

    @property
    def receipts(self) -> list[Receipt]:
        """The calls of tools that were made, in order, replies included; answers of models are left out."""
        return [one for one in self.journal.receipts.values() if not one.tool.startswith("model:")]

    @property
    def sent(self) -> list[str]:
        """What the requester was told, in order."""
        return self.helpdesk.replies(TICKET)

    @property
    def observed(self) -> list[PendingEffect]:
        """The effects that were announced ahead of being made; empty where there is an observer of one's own."""
        return self._seen.seen

    @property
    def plan(self) -> Plan:
        """What the procedure compiles to."""
        return self.procedure().plan

    @property
    def granted(self) -> dict[tuple[str, str], int]:
        """How often which step may call which tool: all that a run of the procedure may do."""
        return {(slot.step, slot.tool): slot.max_calls for slot in self.plan.slots()}

    def assert_called(self, tool: str, /, **args: JsonValue) -> list[Receipt]:
        """The receipts of calls of ``tool`` with, among others, these arguments; an `AssertionError` without any."""
        made = self._called(tool, args)
        if not made:
            raise AssertionError(f"{tool} was not called{_with(args)}; {self._calls()}")
        return made

    def assert_not_called(self, tool: str, /, **args: JsonValue) -> None:
        """An `AssertionError` if ``tool`` was called with, among others, these arguments."""
        if self._called(tool, args):
            raise AssertionError(f"{tool} was called{_with(args)}; {self._calls()}")

    def procedure(self) -> Procedure:
        """The procedure, compiled; `InvalidDocument` lists what is wrong with it."""
        text = self.text
        source = read_document(text) if isinstance(text, Path) else parse_document(text, "procedure.yaml")
        return compile_procedure(source, self.toolbox, self.replies)

    def work(self, *, job: int = 1, run: int = 1) -> Work:
        """A job on the ticket as it stands."""
        ticket = self.helpdesk.tickets[TICKET]
        task = Task(
            tenant=TENANT,
            id=TASK,
            ticket_id=TICKET,
            requester=ticket.requester,
            language=self.language,
            opened_at=ticket.opened_at,
        )
        plan = self.plan
        made = Run(tenant=TENANT, id=f"{TASK}:run-{run}", task_id=TASK, procedure=plan.procedure, job=job)
        return Work(task=task, run=made, plan=plan, ticket=ticket)

    def executor(self) -> Executor:
        """An executor on this bench's parts."""
        return Executor(
            toolbox=self.toolbox,
            replies=self.replies,
            journal=self.journal,
            helpdesk=self.helpdesk,
            evidence=self.evidence,
            observer=self.observer,
            clock=self.clock,
            settings=self.settings,
            models=lambda work: lambda role: self.model,
            browser=self.browser,
            http=self.http,
            on_event=self.told.append,
        )

    def _answer(self, state: ApprovalState) -> None:
        waiting = [one for one in self.journal.approvals.items() if one[1].state is ApprovalState.PENDING]
        assert waiting, "nothing waits for a person's answer"
        for key, asked in waiting:
            self.journal.approvals[key] = asked.model_copy(update={"state": state, "decided_by": "Grace"})

    def _called(self, tool: str, args: Mapping[str, JsonValue]) -> list[Receipt]:
        return [
            one
            for one in self.receipts
            if one.tool == tool and all(name in one.args and one.args[name] == args[name] for name in args)
        ]

    def _calls(self) -> str:
        made = [f"{one.tool}{_with(one.args)}: {one.state.value}" for one in self.receipts]
        return "these calls were made:" + "".join(f"\n  {one}" for one in made) if made else "no call was made"

    def _tool(self, name: str) -> Tool:
        tool = self.toolbox.get(name)
        assert tool is not None, f"there is no tool {name}; there are {', '.join(self.toolbox.names())}"
        return tool

    def _context(self) -> ToolContext:
        return ToolContext(
            tenant=TENANT,
            task_id=TASK,
            ticket_id=TICKET,
            requester_email=REQUESTER,
            language=self.language,
            key=self.key,
            clock=self.clock,
            settings=self.settings,
            evidence_store=self.evidence,
            helpdesk=self.helpdesk,
            http=self.http,
            browser=self.browser,
        )


def _replies(given: Replies | Mapping[str, str] | Path | None) -> Replies:
    if isinstance(given, Replies):
        return given
    if isinstance(given, Path):
        return Replies.load(given)
    texts = {}
    for name, text in (given or {}).items():
        reply_name, _, language = name.rpartition(".")
        assert reply_name, f"name replies with their language: {name}.en"
        texts[reply_name, language] = text
    return Replies(texts)


def _with(args: Mapping[str, JsonValue]) -> str:
    return f" with {', '.join(f'{name}={value!r}' for name, value in args.items())}" if args else ""
