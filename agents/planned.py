"""Working by plans that a model writes: ask for one, keep it to its bounds, take its steps, plan anew if they fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from agents.answers import Answers
from agents.call import CallEnd
from agents.errors import InvalidDocument
from agents.models.messages import Model, Turn, user
from agents.open_context import as_text
from agents.planner import model_planner
from agents.planner.plan import WIDEN, Outline, Plan, ToolStep, model_label, said_by
from agents.planner.replies import Replies
from agents.policy.grant import Filled, Slot, Source
from agents.policy.labels import Label, Labelled
from agents.progress import Progress, Stop
from agents.receipt import Effect, ReceiptState
from agents.task import TaskState
from agents.trace import EventKind
from agents.work import Ended

TRIES = 3
"""Answers for one plan: the first, and two more after what was wrong with it was said."""
STEP = "plan"
ANEW = frozenset({"condition_not_met", "no_progress", "model_lost", "step_unfinished", "undetermined"})
"""Ends after which another plan may do better; so may one after a read that failed. A person's no is the end."""
_ASKED: dict[str, Source] = {"tools": Filled(STEP)}


class Planned:
    """A run without steps of its own."""

    def __init__(self, now: Progress, replies: Replies, model: Model, take: Callable[[Plan], Awaitable[None]]) -> None:
        """``take`` takes the steps of a plan; it raises `Stop` where they end before the last."""
        outline = now.work.plan.outline
        assert outline is not None, "only outlines are planned for"
        self._now = now
        self._replies = replies
        self._take = take
        self._outline: Outline = outline
        self._bounds = outline.bounds()
        self._answers = Answers(now, STEP, model)
        self._history: list[Turn] = []
        self._context: list[Label] = [said_by(now.work.task.requester.email)]
        self._answer = 0

    async def go(self) -> None:
        """Plan and act until a plan was taken to its end; raises `Stop` where none is."""
        task = self._now.values["task"]
        self._history.append(
            model_planner.opening(self._outline, self._now.caller.toolbox, self._replies, _shown(task))
        )
        first = dict(self._now.values)
        for number in range(1, self._outline.replans + 2):
            plan = await self._plan()
            self._now.regrant(self._bounds, plan.slots())
            self._now.follow(plan, number, first)
            try:
                await self._take(plan)
            except Stop as stop:
                if number > self._outline.replans or not self._worth_another(stop, plan):
                    raise
                self._tell_what_happened(stop)
            else:
                return

    async def _plan(self) -> Plan:
        """The next plan that keeps to its bounds, or to what a person allowed beside them."""
        now = self._now
        for _ in range(TRIES):
            self._answer += 1
            heard = self._answers.heard(self._answer)
            words = len(now.work.ticket.requester_messages())
            response = await self._answers.ask(
                self._answer, words if heard is None else heard, lambda: model_planner.request(self._history)
            )
            self._history.append(response.turn)
            author = model_label(self._context, STEP)
            try:
                plan = model_planner.read_plan(
                    response.turn.text, now.work.plan, now.caller.toolbox, self._replies, author
                )
            except InvalidDocument as error:
                problems: list[JsonValue] = [str(problem) for problem in error.problems[:20]]
                self._history.append(user(as_text({"wrong with the plan": problems})))
                continue
            await self._widen(self._bounds.beyond(plan.slots()))
            now.note(EventKind.PLAN_MADE, f"{STEP}.{self._answer}", {"steps": [step.id for step in plan.steps]})
            return plan
        return now.hand_off("no_plan", f"{TRIES} plans of the model could not be used", STEP)

    async def _widen(self, tools: tuple[str, ...]) -> None:
        """Ask a person for tools beyond the bounds: the words of a ticket never widen them."""
        if not tools:
            return
        author = model_label(self._context, STEP)
        asked: list[JsonValue] = [*tools]
        self._now.regrant(self._bounds, [Slot(step=STEP, tool=WIDEN, args=_ASKED)])
        answer = await self._now.attempt(
            f"{STEP}.{self._answer}.widen",
            WIDEN,
            {"tools": Labelled(data=asked, label=author)},
            _ASKED,
            key=f"{self._now.work.task.id}:{STEP}.{self._answer}.widen",
            slot=STEP,
            approve=True,
        )
        if answer.end is CallEnd.FAILED:
            self._now.hand_off(answer.code, answer.reason, STEP)
        self._bounds = self._bounds.widened(tools)

    def _worth_another(self, stop: Stop, plan: Plan) -> bool:
        if not isinstance(stop.end, Ended) or stop.end.state is not TaskState.HANDED_OFF:
            return False
        failed = next((step for step in plan.steps if step.id == stop.end.step), None)
        tool = self._now.caller.toolbox.get(failed.tool) if isinstance(failed, ToolStep) else None
        return stop.end.code in ANEW or (tool is not None and tool.effect is Effect.READ)

    def _tell_what_happened(self, stop: Stop) -> None:
        """Show the planner how far the plan came."""
        assert isinstance(stop.end, Ended), "only these are planned for again"
        left = {name: value for name, value in self._now.values.items() if name not in ("task", "inputs")}
        self._context += [value.shown_label() for value in left.values()]
        done: list[JsonValue] = []
        for key in self._now.receipts:
            receipt = self._now.caller.journal.receipt(self._now.work.task.tenant, key)
            if receipt is not None and receipt.effect is not Effect.READ and receipt.state is ReceiptState.DONE:
                done.append(f"{receipt.step}: {receipt.tool}")
        happened = {
            "the plan stopped at": stop.end.step,
            "because": f"{stop.end.code}: {stop.end.reason}",
            "found so far": {name: value.without_secrets() for name, value in left.items()},
            "done, and not to be done again": done,
        }
        self._history.append(user(as_text({**happened, "next": "write another plan, from its first step on"})))


def _shown(task: Labelled) -> dict[str, JsonValue]:
    data = task.without_secrets()
    assert isinstance(data, dict), "task is a record"
    return data
