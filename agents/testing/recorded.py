"""A model that answers as a recorded conversation did, and reports where the tools now answer otherwise.

    recorded = RecordedModel(json.loads(Path("refund.json").read_text()), names={"get_orders": "shop.find"})
    bench = Workbench(tools, procedure=PROCEDURE, replies=REPLIES, model=recorded)
    await bench.resolve(*recorded.words)
    recorded.assert_same()

A transcript is a list of chat messages as OpenAI's API has them, with their tool calls; those that benchmarks keep
(a call with ``name`` and ``arguments`` of its own) are read too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import JsonValue

from agents.models.messages import ModelRequest, ModelResponse, Part, Text, ToolCall, ToolResult, Turn, assistant
from agents.models.scripted import Answer, ScriptedModel

MISSING = "(nothing)"
"""What a difference shows for the side that has no such value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where what happens now is not what was recorded."""

    tool: str
    """The tool, as the transcript calls it."""
    call_id: str
    path: str
    """The place within its arguments or its answer: ``arguments.email``, ``answer.items[0].total``."""
    recorded: JsonValue
    now: JsonValue

    def __str__(self) -> str:
        return f"{self.tool} ({self.call_id}), {self.path}: recorded {self.recorded!r}, now {self.now!r}"


class TranscriptDiffers(AssertionError):
    """What happened is not what the transcript says; ``differences`` lists it."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__("\n".join(str(one) for one in differences))


class RecordedModel(ScriptedModel):
    """Answers with the assistant's turns of a transcript, in order."""

    def __init__(
        self,
        transcript: Iterable[Mapping[str, Any]],
        *,
        names: Mapping[str, str] | None = None,
        then: Iterable[Answer] = (),
        name: str = "recorded:model",
    ) -> None:
        """Read ``transcript``.

        Args:
            transcript: messages with ``role`` (``system``, ``user``, ``assistant`` or ``tool``) and ``content``.
            names: the transcript's name of a tool to the one it has here, ``shop.find``; others keep theirs.
            then: what the model answers after the last turn of the transcript, for example a call of ``finish``.

        Raises:
            ValueError: a message is not one; the message says which and why.
        """
        self.words: list[str] = []
        """What the requester wrote, in order: the first opens the ticket, the others are `replies`."""
        self.differences: list[Difference] = []
        """Where the answers of tools, or the arguments they could be given, were not as recorded, so far."""
        self._names = {theirs: ours.replace(".", "__") for theirs, ours in (names or {}).items()}
        self._calls: dict[str, ToolCall] = {}
        self._results: dict[str, JsonValue] = {}
        """By call: what the transcript's tools answered, as far as nothing was compared with it yet."""
        turns: list[Turn] = []
        for number, message in enumerate(transcript):
            try:
                self._read(message, turns)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"message {number} of the transcript cannot be read: {error!r}") from None
        super().__init__([*turns, *then], name=name)

    @property
    def replies(self) -> list[str]:
        """What the requester wrote after the words that opened the ticket."""
        return self.words[1:]

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The next turn, once what the tools answered to the last one is compared with the transcript."""
        for part in request.messages[-1].parts:
            if isinstance(part, ToolResult) and part.call_id in self._results:
                self._compare(part, self._results.pop(part.call_id))
        response = await super().respond(request)
        return replace(response, turn=self._fitted(response.turn, request))

    def assert_same(self) -> None:
        """`TranscriptDiffers` if there is any difference, and `ScriptedModel.finish`."""
        if self.differences:
            raise TranscriptDiffers(self.differences)
        self.finish()

    def _read(self, message: Mapping[str, Any], turns: list[Turn]) -> None:
        match message["role"]:
            case "user":
                self.words.append(_words(message["content"]))
            case "assistant" if self.words:  # a greeting before anybody wrote is no answer to anything
                said = _words(message.get("content"))
                calls = [self._call(one) for one in message.get("tool_calls") or ()]
                parts: list[str | Part] = [*([said] if said else []), *calls]
                turns.append(assistant(*parts))
            case "tool":
                call_id = message.get("tool_call_id") or message["id"]
                if call_id not in self._calls:
                    raise ValueError(f"it answers the call {call_id!r}, which nobody made")
                self._results[call_id] = _data(_words(message["content"]))
            case "assistant" | "system" | "developer":
                pass
            case role:
                raise ValueError(f"there is no role {role!r}")

    def _call(self, data: Mapping[str, Any]) -> ToolCall:
        function = data.get("function") or data
        arguments = function["arguments"]
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        if not isinstance(arguments, dict):
            raise TypeError(f"the arguments of {function['name']} are no object")
        name = function["name"]
        call = ToolCall(id=data["id"], name=self._names.get(name, name.replace(".", "__")), arguments=arguments)
        if call.id in self._calls:
            raise ValueError(f"two calls have the id {call.id!r}")
        self._calls[call.id] = replace(call, name=name)
        return call

    def _fitted(self, turn: Turn, request: ModelRequest) -> Turn:
        """``turn`` without the arguments that the tools offered here do not take: the procedure fills those in."""
        offered: dict[str, Any] = {spec.name: spec.parameters.get("properties") or {} for spec in request.tools}
        parts: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolCall) and part.id in self._calls and part.name in offered:
                taken = {name: value for name, value in part.arguments.items() if name in offered[part.name]}
                for name in part.arguments.keys() - taken.keys():
                    self._differs(part.id, f"arguments.{name}", part.arguments[name], MISSING)
                part = replace(part, arguments=taken)
            parts.append(part)
        return replace(turn, parts=tuple(parts))

    def _compare(self, result: ToolResult, recorded: JsonValue) -> None:
        words = "".join(part.text for part in result.content if isinstance(part, Text))
        now = _shown(words)
        if isinstance(now, dict) and now.keys() == {"answer"}:
            now = now["answer"]
        for path, before, after in _differences(recorded, now, "answer"):
            self._differs(result.call_id, path, before, after)

    def _differs(self, call_id: str, path: str, recorded: JsonValue, now: JsonValue) -> None:
        tool = self._calls[call_id].name
        self.differences.append(Difference(tool=tool, call_id=call_id, path=path, recorded=recorded, now=now))


def _words(content: Any) -> str:
    """The words of a message's content: text, or a list of parts of which only text is looked at."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") in ("text", "input_text", "output_text"))


def _data(text: str) -> JsonValue:
    """What JSON ``text`` is, or else the text."""
    try:
        data: JsonValue = json.loads(text)
    except ValueError:
        return text
    return data


def _shown(words: str) -> JsonValue:
    """What an open step shows a model of an answer: JSON, perhaps with a remark behind it, or else words."""
    try:
        data: JsonValue = json.JSONDecoder().raw_decode(words)[0]
    except ValueError:
        return words
    return data


def _differences(before: JsonValue, after: JsonValue, path: str) -> Iterator[tuple[str, JsonValue, JsonValue]]:
    match before, after:
        case dict(), dict():
            for name in [*before, *(name for name in after if name not in before)]:
                yield from _differences(before.get(name, MISSING), after.get(name, MISSING), f"{path}.{name}")
        case list(), list():
            for index in range(max(len(before), len(after))):
                one = before[index] if index < len(before) else MISSING
                other = after[index] if index < len(after) else MISSING
                yield from _differences(one, other, f"{path}[{index}]")
        case _ if isinstance(before, bool) is not isinstance(after, bool) or before != after:
            yield path, before, after
