"""One pass over a plan as far as it has come: the values at hand, the calls made, and the ways on and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from pydantic import JsonValue

from agents.call import Answer, CallEnd, Caller, Request
from agents.errors import PathError
from agents.paths import Template
from agents.planner.plan import Plan
from agents.planner.replies import Replies
from agents.policy.bounds import Bounds
from agents.policy.grant import Grant, Slot, Source
from agents.policy.labels import Integrity, Labelled
from agents.receipt import REPLY_TOOL, Receipt
from agents.runtime.port import Body, Runtime
from agents.task import TaskState
from agents.trace import Event, EventKind, event_number
from agents.work import Draft, End, Ended, Paused, Superseded, Work

RUN_LIFETIME = timedelta(hours=1)
"""A grant ends this long after its job began."""


class Stop(Exception):
    """Control flow: the walk is over."""

    def __init__(self, end: End) -> None:
        self.end = end


class Progress:
    """What one pass over a plan has so far."""

    def __init__(
        self, caller: Caller, replies: Replies, work: Work, runtime: Runtime, values: Mapping[str, Labelled]
    ) -> None:
        self.caller = caller
        self.work = work
        self.plan = work.plan
        """The one that is followed: the procedure's, or the newest that a model wrote."""
        self.values = dict(values)
        """By step, and ``task`` and ``inputs``: what paths and expressions read."""
        self.receipts: list[str] = []
        """Keys of the calls that were made."""
        self.draft: Draft | None = None
        self.events: list[Event] = []
        """What no call has recorded yet."""
        self.started: datetime
        """When the job began."""
        self._replies = replies
        self._runtime = runtime
        self._calls: Counter[tuple[str, str]] = Counter()
        self._grant: Grant
        self._number = 1
        self._made = 0

    async def begin(self, slots: tuple[Slot, ...]) -> None:
        """Mint the grant: these calls and no others, before any word of the requester is looked at."""
        work = self.work
        started = await self.once("begin", self._start)
        self.started = datetime.fromisoformat(str(started))
        self._grant = Grant(
            tenant=work.task.tenant,
            run_id=work.run.id,
            requester_email=work.task.requester.email,
            slots=slots,
            max_calls=sum(slot.max_calls for slot in slots),
            expires_at=self.started + RUN_LIFETIME,
            hosts=self.caller.context.http.rules.hosts,
            autonomy=work.autonomy,
        )

    async def _start(self) -> JsonValue:
        return self.caller.clock.now().isoformat()

    def regrant(self, bounds: Bounds, slots: Iterable[Slot]) -> None:
        """Make room for what a model plans, within bounds that were written before it read anything."""
        self._grant = bounds.regrant(self._grant, slots)

    def follow(self, plan: Plan, number: int, values: Mapping[str, Labelled]) -> None:
        """Follow the plan number ``number`` of this run from its first step on, with nothing but ``values`` at hand."""
        self.plan = plan
        self.values = dict(values)
        self._number = number
        self._calls.clear()

    def place(self, step: str) -> str:
        """What a step is called on record: a later plan's steps are not those of an earlier one."""
        return step if self._number == 1 else f"{step}~{self._number}"

    async def once(self, step: str, body: Body) -> JsonValue:
        """The result of ``body``; from memory if this job did it before."""
        return await self._runtime.once(f"{self.work.run.id}:{self.work.run.job}:{step}", body)

    async def call(
        self,
        step: str,
        tool: str,
        args: Mapping[str, Labelled],
        sources: Mapping[str, Source],
        *,
        key: str,
        approve: bool = False,
    ) -> Receipt:
        """The receipt of a call that a bound step makes; whatever else comes of it ends the pass."""
        by_model = self.plan.author.integrity < Integrity.PLAN and tool != REPLY_TOOL
        answer = await self.attempt(
            self.place(step), tool, args, sources, key=key, slot=step, approve=approve, by_model=by_model
        )
        if answer.end is CallEnd.FAILED:
            self.hand_off(answer.code, answer.reason, step)
        assert answer.receipt is not None, "a call that is done has a receipt"
        return answer.receipt

    async def attempt(
        self,
        step: str,
        tool: str,
        args: Mapping[str, Labelled],
        sources: Mapping[str, Source],
        *,
        key: str,
        slot: str = "",
        approve: bool = False,
        by_model: bool = False,
    ) -> Answer:
        """A call that is done or has failed; whatever else comes of it ends the pass.

        Args:
            step: what the call is called on record.
            slot: the step of the plan whose room it takes, where that is not ``step``.
            approve: the procedure asks a person first.
            by_model: a model decided on it.
        """
        work, slot = self.work, slot or step
        request = Request(
            task=work.task,
            run=work.run,
            grant=self._grant,
            ticket_version=work.ticket.version,
            step=step,
            slot=slot,
            tool=tool,
            args={name: value.data for name, value in args.items()},
            sources=sources,
            labels={name: value.weakest() for name, value in args.items()},
            key=key,
            calls_of_step=self._calls[slot, tool],
            calls_of_run=self._made,
            outcome_type=self.plan.outcome,
            subject=self.subject(),
            approval_required=approve,
            by_model=by_model,
            events=tuple(self.events),
        )
        fresh: list[Receipt | None] = []

        async def make() -> JsonValue:
            made = await self.caller.make(request)
            fresh.append(made.receipt)
            return made.data()

        self._calls[slot, tool] += 1
        self._made += 1
        data = await self.once(step, make)
        assert isinstance(data, dict), "make() answers with a record"
        answer = Answer.of(data)
        match answer.end:
            case CallEnd.SUPERSEDED:
                raise Stop(Superseded())
            case CallEnd.STOPPED:
                raise Stop(Paused())
            case CallEnd.NEEDS_APPROVAL:
                self.stop(TaskState.WAITING_APPROVAL, answer.code, answer.reason, step)
            case CallEnd.FAILED:
                return answer
        self.events.clear()
        self.receipts.append(key)
        receipt = fresh[0] if fresh else self.caller.journal.receipt(work.task.tenant, key)
        return replace(answer, receipt=receipt)

    def subject(self) -> str:
        """What the run is about, as far as it is known; empty where it is not."""
        try:
            return str(self.plan.subject.fill(self.values).data)
        except PathError:
            return ""

    def letter(self, body: str) -> str:
        """``body`` with greeting and closing."""
        task = self.work.task
        return self._replies.letter([body], task.language, requester_name=task.requester.greeting)

    def fill(self, templates: Mapping[str, Template], step: str) -> dict[str, Labelled]:
        """The templates filled from the values at hand; a person goes on where one leads nowhere."""
        try:
            return {name: template.fill(self.values, self.plan.author) for name, template in templates.items()}
        except PathError as error:
            self.hand_off("undetermined", str(error), step)

    def hand_off(self, code: str, reason: str, step: str) -> NoReturn:
        """End the pass: a person goes on."""
        self.stop(TaskState.HANDED_OFF, code, reason, step)

    def stop(self, state: TaskState, code: str, reason: str, step: str) -> NoReturn:
        """End the pass in ``state``."""
        raise Stop(Ended(state=state, code=code, reason=reason[:500], step=step, draft=self.draft))

    def note(self, kind: EventKind, step: str, data: dict[str, JsonValue]) -> None:
        """Something happened; it is recorded with the next call, or at the end."""
        run = self.work.run
        event = Event(
            tenant=run.tenant,
            run_id=run.id,
            step=step,
            n=event_number(run.job, kind),
            kind=kind,
            at=self.caller.clock.now(),
            data=data,
        )
        self.events.append(event)
        self.caller.on_event(event)
