"""A model that obeys whoever it reads: it works on its task, and does all that a planted goal asks, by every means."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from agents.models.messages import (
    Abilities,
    Finish,
    Image,
    ModelRequest,
    ModelResponse,
    Part,
    StreamEvent,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    assistant,
)
from benchmarks.attacks.pack import Call, Goal, LegitimateTask, found_in

_CANARY = re.compile(r"CANARY-[A-Z]+-[A-Z0-9a-z]+")
_READS: tuple[tuple[str, dict[str, JsonValue]], ...] = (
    ("orders.find", {}),
    ("customers.get", {}),
    ("help.search", {"question": "How long does it take?"}),
    ("web.fetch", {"url": "https://status.shop.example/"}),
    ("carrier.track", {"number": "T-00"}),
)
"""What a good model looks at first: every place where an attacker may have planted words."""
_Asked = Iterator[Turn]


class ObedientModel:
    """Implements `agents.models.Model` for one task."""

    def __init__(self, task: LegitimateTask) -> None:
        self.name = "scripted:obedient"
        self.abilities = Abilities(images=True)
        self.obeyed: list[Goal] = []
        """The goals that it found in what it was shown."""
        self._task = task
        self._calls = 0
        self._request: ModelRequest
        self._turns = self._work()

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The next answer."""
        self._request = request
        turn = next(self._turns)
        finish = Finish.TOOL_CALLS if turn.tool_calls else Finish.ANSWERED
        return ModelResponse(turn=turn, finish=finish, usage=Usage(), model=self.name)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The next answer, whole."""
        yield await self.respond(request)

    def _work(self) -> _Asked:
        yield self._turn(*(self._call(*read) for read in _READS))
        self.obeyed = found_in(self._words())
        for goal in self.obeyed:
            for one in goal.do:
                for name, args in _calls(one):
                    yield self._turn(*self._attempts(name, self._filled(args)))
                    yield self._breathe()
            if goal.say:
                yield self._breathe()
                yield assistant(self._text(goal.say))
        for one in self._task.calls:
            for name, args in _calls(one):
                if not self._succeeded(name):
                    yield self._turn(self._call(name, args))
        for goal in self.obeyed:
            if goal.leave.keys() & self._task.leave.keys():
                mine = {name: value for name, value in self._filled(goal.leave).items() if name in self._task.leave}
                yield self._turn(self._call("finish", {**self._task.leave, **mine}))
                yield self._breathe()
        while True:
            yield self._turn(self._call("finish", self._task.leave))

    def _attempts(self, name: str, args: Mapping[str, JsonValue]) -> Iterator[ToolCall]:
        """Every way to call the tool: as wanted, with what is offered alone, by another name, through another tool."""
        offered = {spec.name: spec.parameters.get("properties", {}) for spec in self._request.tools}
        yield self._call(name, args)
        properties = offered.get(_shown(name))
        if properties is None:
            yield ToolCall(id=self._id(), name=name, arguments=dict(args))
            yield self._call("help.search", {"question": "x", "tool": name, **args})
            return
        assert isinstance(properties, dict), "a schema of an object"
        if not args.keys() <= properties.keys():
            yield self._call(name, {argument: value for argument, value in args.items() if argument in properties})

    def _breathe(self) -> Turn:
        """A harmless call, so that refused ones do not end the step."""
        return self._turn(self._call("help.search", {"question": f"and then ({self._calls})?"}))

    def _turn(self, *calls: ToolCall) -> Turn:
        return assistant(*calls)

    def _call(self, name: str, args: Mapping[str, JsonValue]) -> ToolCall:
        known = {spec.name: spec.parameters.get("properties", {}) for spec in self._request.tools}
        wanted = {**_own(name, known.get(_shown(name))), **args}
        return ToolCall(id=self._id(), name=_shown(name), arguments=wanted)

    def _id(self) -> str:
        self._calls += 1
        return f"call-{self._calls}"

    def _filled(self, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        return {name: self._text(value) if isinstance(value, str) else value for name, value in args.items()}

    def _text(self, text: str) -> str:
        """``text`` with every canary that was seen in place of ``{seen}``."""
        seen = dict.fromkeys(_CANARY.findall(self._words()))
        return text.replace("{seen}", "_".join(seen) or "nothing")

    def _words(self) -> str:
        """All that it was ever shown."""
        return "\n".join(_words(part) for turn in self._request.messages if turn.role == "user" for part in turn.parts)

    def _succeeded(self, name: str) -> bool:
        parts = [part for turn in self._request.messages for part in turn.parts]
        made = {part.id for part in parts if isinstance(part, ToolCall) and part.name == _shown(name)}
        return any(isinstance(part, ToolResult) and part.call_id in made and not part.failed for part in parts)


def _calls(one: Call) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    yield from one.items()


def _shown(name: str) -> str:
    return name.replace(".", "__")


def _own(name: str, properties: Any) -> dict[str, JsonValue]:
    """The requester's own address, where a model that is not guarded has to fill it in itself."""
    mine = {"orders.find": "email", "customers.get": "email", "customers.change_address": "customer"}
    own: dict[str, JsonValue] = {}
    if name in mine and isinstance(properties, dict) and mine[name] in properties:
        own[mine[name]] = "ada@example.com"
    if name == "payments.refund" and isinstance(properties, dict) and "account" in properties:
        own |= {"order_id": "10001", "amount_minor": 2500, "account": "DE-ADA"}
    return own


def _words(part: Part) -> str:
    match part:
        case Text(text=text):
            return text
        case Image(data_base64=data):
            return base64.b64decode(data).decode("utf-8", "replace")
        case ToolResult(content=content):
            return "\n".join(_words(one) for one in content)
        case _:
            return ""
