"""One tool call, from the decision to the receipt: the only way to a tool.

"About to" is written before an effect and "done" after it. In between nobody knows, so a call that is found there is
looked up, never repeated blindly; the same key with other arguments is a conflict and goes to a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import JsonValue

from agents.canonical import fingerprint
from agents.clock import Clock
from agents.effect import EffectObserver, PendingEffect
from agents.errors import ToolFailed, ToolOutcomeUnknown
from agents.journal import Journal, TargetTaken, target_of
from agents.policy.approval import Approval, ApprovalState
from agents.policy.decision import Call, Deny, NeedsApproval, decide
from agents.policy.grant import Grant, Source
from agents.policy.labels import WITHHELD, Label
from agents.receipt import REPLY_TOOL, Effect, Receipt, ReceiptState
from agents.task import Run, Task
from agents.ticket import Helpdesk
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox
from agents.trace import Event, EventKind, Listener, event_number

APPROVAL_LIFETIME = timedelta(hours=24)
EFFECT_TRIES = 2
"""An effect is tried again only when a lookup proves that the first try did nothing."""
MAX_REASON = 500
"""Characters of why a call failed that are kept: tools repeat what other systems say."""
READ_PAUSE = 0.2
"""Seconds before a failed read is tried again, doubled each time."""


class CallEnd(StrEnum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    NEEDS_APPROVAL = "needs_approval"
    SUPERSEDED = "superseded"
    """A newer message or change came in: the run starts over with it in view."""
    STOPPED = "stopped"
    """Nothing is to go out now: the call was not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of a call, small enough to be kept by any runtime: the result itself is in the receipt."""

    end: CallEnd
    code: str = ""
    reason: str = ""
    receipt: Receipt | None = None
    """At hand when the call was made just now; a runtime remembers the rest only."""

    def data(self) -> dict[str, JsonValue]:
        """As JSON data."""
        return {"end": self.end.value, "code": self.code, "reason": self.reason}

    @classmethod
    def of(cls, data: Mapping[str, JsonValue]) -> Answer:
        """From JSON data."""
        return cls(end=CallEnd(str(data["end"])), code=str(data["code"]), reason=str(data["reason"]))


_STOPPED = Answer(end=CallEnd.STOPPED, code="stopped", reason="nothing is to go out now")
_SUPERSEDED = Answer(end=CallEnd.SUPERSEDED, code="superseded", reason="the ticket changed meanwhile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call that a step of a run wants to make."""

    task: Task
    run: Run
    grant: Grant
    ticket_version: int
    """The version of the ticket that the run has seen."""
    step: str
    slot: str
    """The step of the plan whose room the call takes: ``step`` itself, or the open step that it is part of."""
    tool: str
    args: Mapping[str, JsonValue]
    sources: Mapping[str, Source]
    labels: Mapping[str, Label]
    key: str
    calls_of_step: int
    calls_of_run: int
    outcome_type: str
    subject: str
    """Empty where no subject is known yet; effects other than replies need one."""
    approval_required: bool = False
    by_model: bool = False
    approval_id: str = ""
    """Set once a person has put other arguments in place: what they were asked stands under the original ones."""
    events: tuple[Event, ...] = ()
    """What the run did since its last call; recorded together with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Makes calls."""

    toolbox: Toolbox
    journal: Journal
    helpdesk: Helpdesk
    observer: EffectObserver
    clock: Clock
    context: ToolContext
    """What every call is given; the call's own parts are filled in per call."""
    on_event: Listener
    stopped: Callable[[], bool] = lambda: False
    """Asked ahead of every effect and every reply; True keeps it from being made."""

    async def make(self, request: Request) -> Answer:
        """Decide on the call and, if it is allowed, make it once."""
        tool = self.toolbox.get(request.tool)
        try:
            fingerprint(request.args)
        except TypeError as error:
            return _failed("bad_argument", f"{request.tool} cannot be called with this: {error}")
        standing = approval = None
        if tool is None or tool.effect is not Effect.READ:
            standing = self.journal.receipt(request.task.tenant, request.key)
            approval = self.journal.approval(request.task.tenant, _approval_id(request))
            request = _as_modified(request, approval)
        if standing is not None:
            if tool is not None and standing.state is ReceiptState.ABOUT_TO and _same_call(standing, request):
                return await self._finish_effect(request, tool, standing)
            self.journal.record(request.events)
            return self._of_standing(request, standing)
        call = self._call(request, approval)
        match decide(call, request.labels, request.grant, tool):
            case Deny(code, reason):
                return _failed(code, reason)
            case NeedsApproval(reason):
                return self._ask(request, call, reason, approval)
        assert tool is not None, "decide denies unknown tools"
        if tool.effect is Effect.READ:
            return await self._read(request, tool)
        return await self._effect(request, tool, approval)

    async def _read(self, request: Request, tool: Tool) -> Answer:
        receipt = self._receipt(request, tool)
        context = self._context(request, tool)
        for attempt in range(1, tool.tries + 1):
            try:
                result = await tool.call(context, request.args)
            except ToolFailed as error:
                if error.retryable and attempt < tool.tries:
                    await asyncio.sleep(READ_PAUSE * 2 ** (attempt - 1))
                    continue
                return self._fail(request, receipt, error.code, _said(tool, error))
            except ToolOutcomeUnknown as error:
                return self._fail(request, receipt, "tool_failed", _said(tool, error))
            break
        return self._done(request, receipt, context, result)

    async def _effect(self, request: Request, tool: Tool, approval: Approval | None) -> Answer:
        if tool.sinks and not request.subject:
            return _failed("no_subject", f"nothing says what {tool.name} is about before it is called")
        if await self._changed(request):
            return _SUPERSEDED
        receipt = self._receipt(request, tool)
        if tool.sinks:
            try:
                await self.observer.before_effect(
                    PendingEffect(
                        tenant=request.task.tenant,
                        task_id=request.task.id,
                        key=request.key,
                        tool=tool.name,
                        args=dict(request.args),
                        outcome_type=request.outcome_type,
                        subject=request.subject,
                        requester_email=request.task.requester.email,
                    )
                )
            except Exception as error:
                return _failed("no_snapshot", f"the state before {tool.name} could not be read: {error}")
        if self.stopped():
            return _STOPPED
        event = self._event(request, EventKind.EFFECT_ABOUT_TO, {"tool": tool.name, "key": request.key})
        try:
            used = approval.id if approval is not None else None
            self.journal.begin(
                receipt, target=target_of(tool, receipt), approval_id=used, events=[*request.events, event]
            )
        except TargetTaken:
            return _failed("target_taken", f"{tool.name} was already called for this task with the same target")
        self.on_event(event)
        return await self._finish_effect(request, tool, receipt, fresh=True)

    async def _finish_effect(self, request: Request, tool: Tool, receipt: Receipt, *, fresh: bool = False) -> Answer:
        context = self._context(request, tool)
        failure = f"{tool.name} did not succeed"
        try:
            for attempt in range(1, EFFECT_TRIES + 1):
                if not fresh or attempt > 1:
                    found = await tool.look_up(context, request.args)
                    if found is not None:
                        return self._done(request, receipt, context, found)
                    denied = self._no_longer_allowed(request, tool)
                    if denied is not None:
                        return self._fail(request, receipt, denied.code, denied.reason)
                    if await self._changed(request):
                        return _SUPERSEDED
                    if self.stopped():
                        return _STOPPED
                try:
                    result = await tool.call(context, request.args)
                    self.on_event(self._event(request, EventKind.EFFECT_CALLED, {"tool": tool.name}))
                    return self._done(request, receipt, context, result)
                except ToolOutcomeUnknown as error:
                    failure = _said(tool, error)
            found = await tool.look_up(context, request.args)
        except ToolFailed as error:
            return self._fail(request, receipt, error.code, _said(tool, error))
        except ToolOutcomeUnknown as error:
            reason = without(_said(tool, error), self.context.secrets)
            return _failed("outcome_unknown", f"nobody knows whether {tool.name} took effect: {reason}")
        if found is not None:
            return self._done(request, receipt, context, found)
        return self._fail(request, receipt, "tool_failed", failure)

    async def _changed(self, request: Request) -> bool:
        ticket = await self.helpdesk.get(request.task.ticket_id)
        return ticket.version != request.ticket_version

    def _no_longer_allowed(self, request: Request, tool: Tool) -> Deny | None:
        """Decide again on an effect that was begun and did nothing; the approval it used up still counts."""
        approval = self.journal.approval(request.task.tenant, _approval_id(request))
        if approval is not None and approval.state is ApprovalState.USED:
            approval = approval.model_copy(update={"state": ApprovalState.APPROVED})
        match decide(self._call(request, approval), request.labels, request.grant, tool):
            case Deny() as denied:
                return denied
            case NeedsApproval():
                return Deny("approval_expired", f"the approval of {tool.name} ended before it took effect")
        return None

    def _call(self, request: Request, approval: Approval | None) -> Call:
        return Call(
            tenant=request.task.tenant,
            run_id=request.run.id,
            step=request.slot,
            tool=request.tool,
            args=request.args,
            sources=request.sources,
            at=self.clock.now(),
            calls_of_step=request.calls_of_step,
            calls_of_run=request.calls_of_run,
            approval_required=request.approval_required,
            by_model=request.by_model,
            approval=approval,
        )

    def _ask(self, request: Request, call: Call, reason: str, standing: Approval | None) -> Answer:
        if standing is not None and standing.state is ApprovalState.REJECTED:
            note = f": {standing.note}" if standing.note else ""
            return _failed("approval_rejected", f"{standing.decided_by} said no{note}")
        if standing is not None and standing.state is ApprovalState.USED:
            return _failed("approval_used", f"the approval of {request.tool} was used up")
        if standing is not None and call.at >= standing.expires_at:
            return _failed("approval_expired", "nobody answered in time")
        event = self._event(request, EventKind.APPROVAL_ASKED, {"tool": request.tool, "reason": reason})
        self.journal.ask(
            Approval(
                tenant=request.task.tenant,
                id=_approval_id(request),
                task_id=request.task.id,
                ticket_id=request.task.ticket_id,
                run_id=request.run.id,
                step=request.step,
                tool=request.tool,
                args=dict(request.args),
                args_sha256=call.args_sha256,
                reason=reason,
                expires_at=call.at + APPROVAL_LIFETIME,
            ),
            events=[*request.events, event],
        )
        self.on_event(event)
        return Answer(end=CallEnd.NEEDS_APPROVAL, code="needs_approval", reason=reason)

    def _receipt(self, request: Request, tool: Tool) -> Receipt:
        return Receipt(
            tenant=request.task.tenant,
            key=request.key,
            task_id=request.task.id,
            run_id=request.run.id,
            step=request.step,
            tool=tool.name,
            tool_version=tool.version,
            effect=tool.effect,
            args=dict(request.args),
            args_sha256=fingerprint(request.args),
            procedure=request.run.procedure,
            state=ReceiptState.ABOUT_TO,
            started_at=self.clock.now(),
        )

    def _done(self, request: Request, receipt: Receipt, context: ToolContext, result: dict[str, JsonValue]) -> Answer:
        done = receipt.with_(
            state=ReceiptState.DONE,
            result=without(result, self.context.secrets),
            finished_at=self.clock.now(),
            evidence=tuple(context.kept),
        )
        kind = EventKind.STEP_DONE if receipt.effect is Effect.READ else EventKind.EFFECT_DONE
        event = self._event(request, kind, {"tool": receipt.tool, "receipt": receipt.key})
        standing = self.journal.finish(done, events=[*request.events, event])
        self.on_event(event)
        return self._of_standing(request, standing)

    def _fail(self, request: Request, receipt: Receipt, code: str, reason: str) -> Answer:
        reason = without(reason, self.context.secrets)[:MAX_REASON]
        failed = receipt.with_(state=ReceiptState.FAILED, error=reason, finished_at=self.clock.now())
        event = self._event(request, EventKind.STEP_FAILED, {"tool": receipt.tool, "code": code})
        standing = self.journal.finish(failed, events=[*request.events, event])
        self.on_event(event)
        return _failed(code, reason) if standing == failed else self._of_standing(request, standing)

    def _of_standing(self, request: Request, standing: Receipt) -> Answer:
        """The answer that the receipt gives which stands under the call's key."""
        if not _same_call(standing, request):
            return _failed("key_conflict", f"{standing.tool} was already called for this step with other arguments")
        if standing.state is ReceiptState.DONE:
            return Answer(end=CallEnd.DONE, receipt=standing)
        return _failed("tool_failed", standing.error or "the tool is gone")

    def _context(self, request: Request, tool: Tool) -> ToolContext:
        """Only the built-in reply tool gets at the helpdesk, so no other can write to a ticket."""
        helpdesk = self.helpdesk if tool.name == REPLY_TOOL else None
        return replace(self.context, key=request.key, kept=[], helpdesk=helpdesk)

    def _event(self, request: Request, kind: EventKind, data: dict[str, JsonValue]) -> Event:
        return Event(
            tenant=request.task.tenant,
            run_id=request.run.id,
            step=request.step,
            n=event_number(request.run.job, kind),
            kind=kind,
            at=self.clock.now(),
            data=data,
        )


def _as_modified(request: Request, approval: Approval | None) -> Request:
    """The call as the person who approved it wants it; nothing but that approval vouches for the arguments."""
    if approval is None or approval.modified_args is None:
        return request
    return replace(request, args=approval.modified_args, labels={}, approval_id=approval.id)


def _approval_id(request: Request) -> str:
    if request.approval_id:
        return request.approval_id
    return f"{request.task.id}:{request.step}:{fingerprint([request.tool, request.args])[:12]}"


def _same_call(receipt: Receipt, request: Request) -> bool:
    return (receipt.tool, receipt.args_sha256) == (request.tool, fingerprint(request.args))


def _said(tool: Tool, error: Exception) -> str:
    """What is repeated of a tool's error: nothing where its answers are for nobody."""
    return f"{tool.name} says why to nobody" if tool.readers[()] == "nobody" else str(error)


def without(value: Any, secrets: Collection[str]) -> Any:
    """``value`` with `WITHHELD` wherever one of ``secrets`` stands in its texts."""
    match value:
        case str():
            for secret in sorted(secrets, key=len, reverse=True):
                value = value.replace(secret, WITHHELD)
            return value
        case list():
            return [without(item, secrets) for item in value] if secrets else value
        case dict():
            return {name: without(item, secrets) for name, item in value.items()} if secrets else value
        case _:
            return value


def _failed(code: str, reason: str) -> Answer:
    return Answer(end=CallEnd.FAILED, code=code, reason=reason[:MAX_REASON])
