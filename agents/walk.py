"""One pass over a plan: its steps in order, each call through the grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from agents.call import Caller
from agents.claim import Claim
from agents.errors import ExpressionError, PathError
from agents.expressions import Expression
from agents.models.router import Role
from agents.models.run_model import ModelFor
from agents.open_step import OpenLoop
from agents.paths import resolve
from agents.planned import Planned
from agents.planner.issues import MAX_WORDS, matches
from agents.planner.plan import (
    RENDERED,
    HandOff,
    Input,
    OpenStep,
    Otherwise,
    Plan,
    ReplyStep,
    RequireStep,
    SelectStep,
    ToolStep,
    reply_slot,
    said_by,
    sources,
    task_values,
)
from agents.planner.replies import Replies
from agents.policy.labels import PLAN, Label, Labelled, join_all
from agents.progress import Progress, Stop
from agents.receipt import REPLY_TOOL, Effect
from agents.runtime.port import Runtime
from agents.task import Task, TaskState
from agents.ticket import Ticket
from agents.trace import EventKind
from agents.work import Claimed, Draft, End, Ended, Paused, Superseded, Work

MAX_ASKS = 3
"""How often one run asks for the same thing before a person takes over."""


class Walk:
    """One pass over a plan."""

    def __init__(self, caller: Caller, replies: Replies, work: Work, runtime: Runtime, model_for: ModelFor) -> None:
        self._caller = caller
        self._replies = replies
        self._work = work
        self._model_for = model_for
        self._reply = ""
        self._now = Progress(caller, replies, work, runtime, {"task": _task_values(work.task, work.ticket)})

    async def go(self) -> End:
        """Take every step; raises `Stop` where the run ends before the last one."""
        plan = self._work.plan
        await self._now.begin(plan.slots())
        self._now.note(EventKind.PLAN_MADE, "plan", {"procedure": plan.procedure, "sha256": plan.sha256})
        await self._find_inputs()
        if plan.outline is None:
            await self._take(plan)
        elif (planner := self._model_for(Role.PLANNER)) is None:
            self._now.hand_off("no_model", "the plan is for a model to write, and the deployment has none", "plan")
        else:
            await Planned(self._now, self._replies, planner, self._take).go()
        return self._claimed(plan.outcome)

    async def _take(self, plan: Plan) -> None:
        """Take the steps of a plan; raises `Stop` where they end before the last one."""
        for step in plan.steps:
            match step:
                case ToolStep():
                    await self._tool(step)
                case OpenStep():
                    await self._open(step)
                case SelectStep():
                    await self._select(step)
                case RequireStep():
                    await self._require(step)
                case ReplyStep():
                    await self._send(step)

    async def tell(self, text: Labelled) -> None:
        """Send the requester ``text``, made of what the tasks of the ticket drafted; raises `Stop` where it cannot."""
        step = f"final.{self._work.run.job}"
        await self._now.begin((reply_slot(step),))
        await self._reply_call(step, text, key=f"{self._work.run.id}:{step}")

    def note_end(self, end: End) -> None:
        """Record how the run ended, and what no call has recorded yet."""
        match end:
            case Claimed(claim=claim):
                self._now.note(EventKind.RUN_ENDED, "end", {"end": "claimed", "outcome": claim.outcome_type})
            case Ended():
                self._now.note(EventKind.RUN_ENDED, "end", {"end": end.state.value, "code": end.code, "step": end.step})
            case Superseded():
                self._now.note(EventKind.RUN_ENDED, "end", {"end": "superseded"})
            case Paused():
                self._now.note(EventKind.RUN_ENDED, "end", {"end": "paused"})
        self._caller.journal.record(self._now.events)

    async def _find_inputs(self) -> None:
        found: dict[str, JsonValue] = {}
        for wanted in self._work.plan.inputs:
            try:
                values = _values(wanted, self._work)
            except TimeoutError:
                self._now.hand_off("pattern_too_slow", f"the pattern of {wanted.name} takes too long here", wanted.name)
            if len(values) > 1:
                self._now.hand_off(
                    "ambiguous_input", f"several values for {wanted.name}: {', '.join(values[:3])}", wanted.name
                )
            if not values:
                await self._ask(wanted)
            found[wanted.name] = values[0]
        origins = frozenset(message.id for message in self._work.ticket.requester_messages())
        self._now.values["inputs"] = Labelled(data=found, label=said_by(self._work.task.requester.email, origins))

    async def _ask(self, wanted: Input) -> None:
        run = self._work.run
        before = [f"{run.id}:{job}:ask.{wanted.name}" for job in range(1, run.job)]
        asked = sum(self._caller.journal.receipt(run.tenant, key) is not None for key in before)
        if asked and not self._work.ticket.unanswered_words():
            self._now.stop(TaskState.WAITING_REQUESTER, "input_missing", f"asked for {wanted.name}", wanted.name)
        if asked >= MAX_ASKS:
            self._now.hand_off("no_answer", f"asked {MAX_ASKS} times for {wanted.name}", wanted.name)
        text = self._now.letter(self._render(wanted.ask, {}))
        await self._reply_call(f"ask.{wanted.name}", _plan_text(text), key=f"{run.id}:{run.job}:ask.{wanted.name}")
        self._now.stop(TaskState.WAITING_REQUESTER, "input_missing", f"asked for {wanted.name}", wanted.name)

    async def _tool(self, step: ToolStep) -> None:
        if step.when is not None and not self._yes(step.when, step.id):
            self._now.note(EventKind.STEP_SKIPPED, step.id, {})
            return
        args = self._now.fill(step.args, step.id)
        approve = step.approve is not None and self._yes(step.approve, step.id)
        tool = self._caller.toolbox.get(step.tool)
        reads = tool is not None and tool.effect is Effect.READ
        key = self._key_of_read(step) if reads else f"{self._work.task.id}:{step.id}"
        receipt = await self._now.call(step.id, step.tool, args, sources(step.args), key=key, approve=approve)
        assert tool is not None, "an unknown tool is denied"
        self._now.values[step.id] = tool.labelled(
            receipt.result, step=step.id, args=args, requester=self._work.task.requester.email
        )

    async def _open(self, step: OpenStep) -> None:
        model = self._model_for(step.agent or Role.EXECUTOR)
        if model is None:
            self._now.hand_off("no_model", "the step is for a model, and the deployment has none", step.id)
        approve = step.approve is not None and self._yes(step.approve, step.id)
        self._now.values[step.id] = await OpenLoop(self._now, step, model, approve=approve).go()
        self._now.note(EventKind.STEP_DONE, step.id, {"found": True})

    async def _require(self, step: RequireStep) -> None:
        if not self._yes(step.condition, step.id):
            await self._otherwise(step.otherwise, step.id, f"`{step.condition.source}` does not hold")
        self._now.note(EventKind.STEP_DONE, step.id, {"holds": step.condition.source})

    async def _select(self, step: SelectStep) -> None:
        try:
            source = resolve(step.source, self._now.values)
        except PathError as error:
            self._now.hand_off("undetermined", str(error), step.id)
        items = source.data if isinstance(source.data, list) else []
        chosen = [index for index, item in enumerate(items) if self._yes(step.where, step.id, it=item)]
        if len(chosen) != 1:
            await self._otherwise(step.otherwise, step.id, f"{len(chosen)} records fit `{step.where.source}`")
        picked = source.at((chosen[0],))
        if picked.label.owner != self._work.task.requester.email:
            by = self._label_of(step.where, it=picked).join(self._now.plan.author)
            picked = picked.weakened(replace(by, owner=None))
        self._now.values[step.id] = picked
        self._now.note(EventKind.STEP_DONE, step.id, {"picked": chosen[0], "of": len(items)})

    def _label_of(self, expression: Expression, **extra: Labelled) -> Label:
        """The label of everything that an expression reads."""
        values = self._now.values | extra
        return join_all(values[name].reach(path).weakest() for name, *path in expression.paths)

    async def _send(self, step: ReplyStep) -> None:
        if step.when is not None and not self._yes(step.when, step.id):
            self._now.note(EventKind.STEP_SKIPPED, step.id, {})
            return
        values = self._now.fill(step.values, step.id)
        empty = sorted(name for name, value in values.items() if value.data is None)
        if empty:
            self._now.hand_off("undetermined", f"nothing to write for {', '.join(empty)} in {step.reply}", step.id)
        await self._reply_with(step.reply, values, step.id)

    async def _otherwise(self, end: Otherwise | HandOff | None, step: str, why: str) -> None:
        if not isinstance(end, Otherwise):
            self._now.hand_off("condition_not_met" if end is None else end.code, why, step)
        await self._reply_with(end.reply, {}, f"{step}.else")
        if end.outcome is not None:
            raise Stop(self._claimed(end.outcome))
        self._now.stop(TaskState.ANSWERED, end.reply.replace("-", "_"), why, step)

    async def _reply_with(self, reply: str, values: Mapping[str, Labelled], step: str) -> None:
        body = self._render(reply, {name: value.data for name, value in values.items()})
        label = join_all([PLAN, *(value.weakest() for value in values.values())])
        self._reply = self._now.letter(body)
        if self._work.alone:
            text = Labelled(data=self._reply, label=label)
            await self._reply_call(step, text, key=f"{self._work.run.id}:{self._now.place(step)}")
        else:
            self._now.draft = Draft(body=body, label=label)
            self._now.note(EventKind.STEP_DONE, step, {"drafted": reply})

    async def _reply_call(self, step: str, text: Labelled, *, key: str) -> None:
        await self._now.call(step, REPLY_TOOL, {"text": text}, RENDERED, key=key)

    def _claimed(self, outcome: str) -> Claimed:
        work = self._work
        newest = [self._caller.journal.receipt(work.task.tenant, key) for key in self._now.receipts]
        claim = Claim(
            tenant=work.task.tenant,
            id=f"{work.task.id}:claim",
            task_id=work.task.id,
            run_id=work.run.id,
            ticket_id=work.task.ticket_id,
            requester_email=work.task.requester.email,
            outcome_type=outcome,
            subject=self._now.subject(),
            procedure=work.run.procedure,
            reply=self._reply,
            language=work.task.language,
            receipts=tuple(self._now.receipts),
            autonomy=work.autonomy,
            made_at=max((receipt.started_at for receipt in newest if receipt is not None), default=self._now.started),
        )
        return Claimed(claim=claim, draft=self._now.draft)

    def _render(self, reply: str, values: Mapping[str, JsonValue]) -> str:
        task = self._work.task
        return self._replies.render(reply, task.language, values, requester_name=task.requester.greeting)

    def _yes(self, expression: Expression, step: str, **extra: Any) -> bool:
        values = {name: value.data for name, value in self._now.values.items()} | extra
        try:
            return expression(values)
        except ExpressionError as error:
            self._now.hand_off("undetermined", str(error), step)

    def _key_of_read(self, step: ToolStep) -> str:
        """A read is made afresh in every job, except ahead of an effect that stands: the run goes on from what that
        effect rested on, or it would judge the effect's own traces (an order that is refunded already)."""
        work, journal, place = self._work, self._caller.journal, self._now.place(step.id)
        if work.run.job == 1:
            return f"{work.run.id}:1:{place}"
        keys = [f"{work.run.id}:{job}:{place}" for job in range(work.run.job, 0, -1)]
        steps = self._now.plan.steps
        later = steps[steps.index(step) + 1 :]
        effects = [journal.receipt(work.task.tenant, f"{work.task.id}:{one.id}") for one in later]
        begun = [effect.started_at for effect in effects if effect is not None]
        if not begun:
            return keys[0]
        reads = [journal.receipt(work.task.tenant, key) for key in keys]
        before = [read for read in reads if read is not None and read.finished_at and read.finished_at <= min(begun)]
        return before[0].key if before else keys[0]


def _task_values(task: Task, ticket: Ticket) -> Labelled:
    requester: JsonValue = {"email": task.requester.email, "name": task.requester.name}
    words = "\n".join(task.about or ticket.own_words())[:MAX_WORDS]
    data = {"id": task.id, "ticket_id": task.ticket_id, "subject": ticket.subject, "language": task.language}
    return task_values({**data, "words": words, "requester": requester}, task.requester.email)


def _plan_text(text: str) -> Labelled:
    """A rendered reply: the words are the tenant's, and it can go to nobody but the requester."""
    return Labelled(data=text, label=PLAN)


def _values(wanted: Input, work: Work) -> list[str]:
    """What the requester's words say the input is: of several issues its own words, and what came later.

    Later words may answer a question; what they say otherwise than the issue's own is for a person to tell apart.
    """
    task, ticket = work.task, work.ticket
    if not task.about:
        return matches(wanted, ticket.own_words())
    own, later = matches(wanted, task.about), matches(wanted, ticket.later_words(task.heard))
    return list(dict.fromkeys([*own, *later]))
