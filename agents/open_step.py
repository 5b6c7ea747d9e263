"""An open step: a model works towards a goal with the tools of its slots, and ends with the values that it has to find.

The conversation is built anew from receipts in every job, so a crash, an approval that takes a day, or an answer of
the requester that takes three, continue it where it stood: each answer of the model is asked for and paid once. What
the model says is labelled with the join of all it was shown, and each of its calls goes through the grant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from agents.answers import Answers
from agents.call import Answer, CallEnd
from agents.canonical import fingerprint
from agents.models.messages import (
    Finish,
    Model,
    ModelRequest,
    ModelResponse,
    Part,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    user,
)
from agents.models.tool_names import ToolNames
from agents.open_context import FINISH, GIVE_UP, as_text, known, opening, prompt, specs
from agents.planner.plan import WRITTEN, OpenStep, OpenTool, model_label, said_by
from agents.policy.labels import PLAN, Label, Labelled
from agents.policy.links import leads_elsewhere
from agents.progress import Progress
from agents.receipt import REPLY_TOOL, Effect
from agents.task import TaskState
from agents.tools.tool import Tool
from agents.trace import EventKind

MAX_MISTAKES = 5
"""Answers in a row that lead to nothing (an unknown tool, bad arguments, a refused call) before a person takes over."""
MAX_DECLINED = 2
"""Calls to which a person says no before they are asked nothing more."""
MAX_SAME = 3
"""How often the same call may have the same answer before a person takes over; the model is told at the second."""
MAX_SHOWN = 20_000
"""Characters of one answer of a tool that a model is shown."""
NOTHING_BEGUN = frozenset(
    {
        "approval_rejected",
        "bad_argument",
        "calls_used_up",
        "foreign_address",
        "host_not_granted",
        "not_for_reader",
        "not_granted",
        "not_the_requesters",
        "secret_argument",
        "unplanned_argument",
    }
)
"""Why an effect was not begun, after which the model may go on."""


class OpenLoop:
    """One open step of a pass."""

    def __init__(self, now: Progress, step: OpenStep, model: Model, *, approve: bool) -> None:
        """``approve``: the procedure asks a person before every effect."""
        self._now = now
        self._step = step
        self._model = model
        self._approve = approve
        self._tools = {one.tool: one for one in step.tools}
        self._names = ToolNames(self._tools)
        self._specs = specs(step, now.caller.toolbox, self._names)
        self._context: list[Label] = [said_by(now.work.task.requester.email)]
        self._history: list[Turn] = []
        self._seen: Counter[str] = Counter()
        self._effects: Counter[str] = Counter()
        self._mistakes = 0
        self._declined: set[str] = set()
        self._place = now.place(step.id)
        self._answers = Answers(now, self._place, model)

    async def go(self) -> Labelled:
        """What the model found out; the walk stops where a person, or the requester, is needed first."""
        number = heard = 0
        while number < self._step.max_answers:
            number += 1
            words = self._now.work.ticket.requester_messages()
            standing = self._answers.heard(number)
            now_heard = len(words) if standing is None else standing
            if number == 1:
                self._context += [value.shown_label() for value in known(self._now).values()]
                self._history.append(opening(self._now, self._step, self._model, heard=now_heard))
            elif now_heard > heard:
                said: list[JsonValue] = [message.text for message in words[heard:now_heard]]
                self._history.append(user(as_text({"requester": said})))
            answer = await self._answers.ask(number, now_heard, self._request)
            heard = now_heard
            self._history.append(answer.turn)
            found = await self._act(number, answer)
            if found is not None:
                return found
            if not answer.turn.tool_calls and heard == len(words) and self._mistakes == 0:
                self._now.stop(TaskState.WAITING_REQUESTER, "input_missing", "asked the requester", self._step.id)
            if self._mistakes > MAX_MISTAKES:
                self._now.hand_off("model_lost", "the model's last answers led to nothing", self._step.id)
        return self._now.hand_off("step_unfinished", "the model's answers are used up", self._step.id)

    def _request(self) -> ModelRequest:
        return ModelRequest(system=prompt(), messages=tuple(self._history), tools=self._specs)

    async def _act(self, number: int, answer: ModelResponse) -> Labelled | None:
        """Do what the answer asks for; what was found, if it ends the step."""
        results: list[Part] = []
        found: Labelled | None = None
        before = self._mistakes
        calls = answer.turn.tool_calls
        for index, one in enumerate(calls, start=1):
            if one.name == FINISH and not one.malformed:
                found, said = self._finish(one)
                results.append(_result(one, said, failed=found is None))
            else:
                results.append(await self._call(f"{self._place}.{number}.{index}", one))
        if not calls and answer.turn.text.strip() and answer.finish is Finish.ANSWERED:
            results += await self._write(number, answer.turn.text.strip())
        elif not calls:
            self._mistakes += 1
            results.append(Text(text="That was no answer: call a tool, or write to the requester in plain words."))
        if self._mistakes == before:
            self._mistakes = 0
        if results and found is None:
            self._history.append(user(*results))
        return found

    async def _call(self, place: str, call: ToolCall) -> ToolResult:
        if call.malformed:
            return self._mistake(place, call, f"the arguments cannot be used: {call.malformed}")
        if call.name == GIVE_UP:
            self._now.hand_off("model_gave_up", str(call.arguments.get("reason", "")), self._step.id)
        one = self._tools.get(self._names.meant(call.name) or "")
        if one is None:
            return self._mistake(place, call, f"there is no tool {call.name}")
        return await self._make(place, call, one)

    async def _make(self, place: str, call: ToolCall, one: OpenTool) -> ToolResult:
        now, task = self._now, self._now.work.task
        fixed = sorted(call.arguments.keys() & one.args.keys())
        if fixed:
            return self._mistake(place, call, f"{', '.join(fixed)} is filled in already")
        tool = now.caller.toolbox.get(one.tool)
        reads = tool is not None and tool.effect is Effect.READ
        if reads:
            key = f"{now.work.run.id}:{place}"
        else:
            self._effects[one.tool] += 1
            key = f"{task.id}:{self._step.id}.{one.tool}.{self._effects[one.tool]}"
        chosen = {name: self._chosen(one, name, value) for name, value in call.arguments.items()}
        args = now.fill(one.args, self._step.id) | chosen
        sources = {name: source for name, source in one.sources().items() if name in args}
        wanted = one.tool + as_text({name: args[name].data for name in sorted(args)})
        if wanted in self._declined:
            return self._mistake(place, call, "a person said no to this very call")
        answer = await now.attempt(
            place,
            one.tool,
            args,
            sources,
            key=key,
            slot=self._step.id,
            approve=self._approve,
            by_model=self._step.approve is None,
        )
        if answer.end is CallEnd.FAILED:
            if not reads and answer.code not in NOTHING_BEGUN:
                now.hand_off(answer.code, answer.reason, place)
            if answer.code == "approval_rejected":
                self._declined.add(wanted)
                if len(self._declined) == MAX_DECLINED:
                    now.hand_off(answer.code, answer.reason, place)
            return self._mistake(place, call, self._refusal(answer, tool, place, args))
        assert tool is not None, "an unknown tool is denied"
        assert answer.receipt is not None, "a call that is done has a receipt"
        output = tool.labelled(answer.receipt.result, step=place, args=args, requester=task.requester.email)
        self._context.append(output.shown_label())
        return _result(call, self._shown(call, as_text({"answer": output.without_secrets()})), failed=False)

    def _refusal(self, answer: Answer, tool: Tool | None, place: str, args: Mapping[str, Labelled]) -> str:
        """Why a call failed, as the model is told: tools say in errors what they say in answers, for the same eyes."""
        if answer.code == "approval_rejected":
            return f"{answer.code}: a person said no"
        if tool is not None:
            said = tool.labelled({}, step=place, args=args, requester=self._now.work.task.requester.email).label
            if said.readers != frozenset():  # of such a tool nothing is repeated
                self._context.append(said)
        return f"{answer.code}: {answer.reason}"

    def _shown(self, call: ToolCall, text: str) -> str:
        """``text`` within bounds, with a remark where the same call has answered the same before."""
        same = fingerprint([call.name, call.arguments, text])
        self._seen[same] += 1
        if self._seen[same] >= MAX_SAME:
            self._now.hand_off("no_progress", f"{call.name} was called again and again, with the same answer", "")
        cut = f"… ({len(text) - MAX_SHOWN} more characters)" if len(text) > MAX_SHOWN else ""
        return text[:MAX_SHOWN] + cut + (" (the same call had the same answer before)" if self._seen[same] > 1 else "")

    def _chosen(self, one: OpenTool, name: str, value: JsonValue) -> Labelled:
        """What the model filled in: as good as its context, or as the procedure where that lists the choices."""
        hole = one.holes.get(name)
        listed = hole is not None and bool(hole.one_of) and value in hole.one_of
        return Labelled(data=value, label=PLAN if listed else model_label(self._context, self._step.id))

    async def _write(self, number: int, text: str) -> list[Part]:
        """Tell the requester; what the model is told where that is refused."""
        label = model_label(self._context, self._step.id)
        place = f"{self._place}.{number}"
        answer = await self._now.attempt(
            place,
            REPLY_TOOL,
            {"text": Labelled(data=self._now.letter(text), label=label)},
            WRITTEN,
            key=f"{self._now.work.run.id}:{place}.message",
            slot=self._step.id,
        )
        if answer.end is not CallEnd.FAILED:
            return []
        if answer.code not in NOTHING_BEGUN:
            self._now.hand_off(answer.code, answer.reason, place)
        self._mistakes += 1
        return [Text(text=f"That was not sent: {self._refusal(answer, None, place, {})}")]

    def _finish(self, call: ToolCall) -> tuple[Labelled | None, str]:
        try:
            found = self._step.leaves.model_validate(call.arguments, strict=True)
        except ValidationError as error:
            self._mistakes += 1
            first = error.errors(include_url=False)[0]
            return None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        hosts = self._now.caller.context.http.rules.hosts
        linked = [name for name, value in found.model_dump(mode="json").items() if leads_elsewhere(value, hosts)]
        if linked:
            self._mistakes += 1
            return None, f"{', '.join(linked)} names a web address of a host not granted; leave it out"
        label = model_label(self._context, self._step.id)
        return Labelled(data=found.model_dump(mode="json"), label=label), ""

    def _mistake(self, place: str, call: ToolCall, message: str) -> ToolResult:
        self._mistakes += 1
        said: dict[str, JsonValue] = {"tool": call.name[:100], "why": message[:300]}
        self._now.note(EventKind.CALL_REFUSED, place, said)
        return _result(call, message, failed=True)


def _result(call: ToolCall, text: str, *, failed: bool) -> ToolResult:
    return ToolResult(call_id=call.id, content=(Text(text=text),), failed=failed)
