"""Any server that speaks OpenAI's chat completions; where they differ, `ChatDialect` says how."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from agents.models.arguments import Fragments, parse
from agents.models.messages import (
    Finish,
    Image,
    ModelRequest,
    Part,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)
from agents.models.schemas import closed, strict
from agents.models.wire import Answer, Received, WireModel, count, received_json, text

_FINISHES = {
    "stop": Finish.ANSWERED,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.REFUSED,
    "sensitive": Finish.REFUSED,
}
"""Anything else, ``length`` above all, means that the answer may be incomplete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatDialect:
    """How a server's chat completions differ from those of others."""

    max_tokens: str = "max_tokens"
    """What the limit of the answer is called: OpenAI's own models want ``max_completion_tokens``."""
    required: bool = True
    """It knows ``tool_choice: required``; where not, ``auto`` is sent."""
    stream_usage: bool = True
    """It knows ``stream_options``; where not, it tells the usage of a stream unasked, or not at all."""
    reasoning_back: bool = False
    """It wants ``reasoning_content`` given back with the tool calls that it led to."""
    short_ids: bool = False
    """It takes ids of tool calls only if they are nine letters and digits, as its own are."""


class ChatModel(WireModel):
    """A model behind chat completions."""

    sdk = "openai"

    def __init__(self, name: str, *, dialect: ChatDialect | None = None, **wire: Any) -> None:
        """As every `WireModel`, with the server's dialect."""
        super().__init__(name, **wire)
        self.dialect = dialect or ChatDialect()

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request as chat completions take it."""
        messages: list[dict[str, Any]] = []
        if request.system:
            messages.append({"role": "system", "content": request.system})
        for turn in request.messages:
            messages += self._assistant(turn) if turn.role == "assistant" else self._user(turn)
        body = {"model": self.model, "messages": messages, self.dialect.max_tokens: request.max_output_tokens}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in request.tools
            ]
            known = self.dialect.required or request.tool_choice != "required"
            body["tool_choice"] = request.tool_choice if known else "auto"
        if request.effort is not None:
            body["reasoning_effort"] = request.effort
        if request.output is not None:
            schema = closed(request.output.schema)
            shape = {"name": request.output.name, "schema": schema, "strict": strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    async def send(self, client: Any, body: dict[str, Any]) -> Received:
        """Ask for the answer in one piece of JSON; ``extra_body`` spares the SDK's walk through every message."""
        response = await client.chat.completions.with_raw_response.create(
            model=self.model, messages=[], extra_body=body, timeout=self._seconds
        )
        return received_json(response.content, response.headers)

    async def open(self, client: Any, body: dict[str, Any]) -> AsyncGenerator[TextDelta | Received, None]:
        """Ask for the answer as a stream; it is whole when a reason to finish has come."""
        if self.dialect.stream_usage:
            body = body | {"stream_options": {"include_usage": True}}
        stream = await client.chat.completions.create(
            model=self.model, messages=[], stream=True, extra_body=body, timeout=self._seconds
        )
        answer: dict[str, Any] = {"id": "", "model": "", "usage": None}
        message: dict[str, Any] = {"content": "", "reasoning_content": "", "refusal": ""}
        calls: dict[int, dict[str, Any]] = {}
        finish: str | None = None
        async with stream:
            async for chunk in stream:
                data = chunk.to_dict(warnings=False)
                answer |= {name: data[name] for name in answer if data.get(name)}
                for choice in (data.get("choices") or [])[:1]:
                    finish = choice.get("finish_reason") or finish
                    delta = choice.get("delta") or {}
                    for name in message:
                        message[name] += delta.get(name) or ""
                    for place, piece in enumerate(delta.get("tool_calls") or ()):
                        _add(calls, place, piece)
                    if delta.get("content"):
                        yield TextDelta(text=delta["content"])
        if finish is None:
            return
        for call in calls.values():
            call["function"]["arguments"] = call["function"]["arguments"].text
        message["tool_calls"] = list(calls.values())
        choices = [{"message": message, "finish_reason": finish}]
        yield Received(data=answer | {"choices": choices}, headers=stream.response.headers)

    def read(self, data: Any) -> Answer:
        """A ``ChatCompletion``; without a choice it is malformed."""
        choice = data["choices"][0]
        message = choice["message"]
        finish = _FINISHES.get(choice["finish_reason"], Finish.LENGTH)
        parts: list[Part] = []
        if message.get("reasoning_content"):
            thought = text(message["reasoning_content"])
            parts.append(Thinking(provider=self.provider, data={"reasoning_content": thought}))
        for name in ("content", "refusal"):
            if message.get(name):
                parts.append(Text(text=text(message[name])))
        if message.get("refusal"):
            finish = Finish.REFUSED
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments, malformed = parse(text(function.get("arguments") or ""))
            its_id, name = text(call.get("id") or ""), text(function["name"])
            parts.append(ToolCall(id=its_id, name=name, arguments=arguments, malformed=malformed))
        if finish in (Finish.ANSWERED, Finish.TOOL_CALLS):
            called = any(isinstance(part, ToolCall) for part in parts)
            finish = Finish.TOOL_CALLS if called else Finish.ANSWERED
        return Answer(
            parts=tuple(parts),
            finish=finish,
            usage=_usage(data.get("usage") or {}),
            model=text(data.get("model") or ""),
            id=text(data.get("id") or ""),
        )

    def _assistant(self, turn: Turn) -> list[dict[str, Any]]:
        message: dict[str, Any] = {"role": "assistant", "content": turn.text}
        if turn.tool_calls:
            message["tool_calls"] = [
                {"id": self._id(call.id), "type": "function", "function": {"name": call.name, "arguments": _dump(call)}}
                for call in turn.tool_calls
            ]
            for part in turn.parts if self.dialect.reasoning_back else ():
                if isinstance(part, Thinking) and part.provider == self.provider:
                    message |= part.data
        return [message] if turn.text.strip() or turn.tool_calls else []

    def _user(self, turn: Turn) -> list[dict[str, Any]]:
        """Each result is a message; words and pictures are one, with the pictures that tools showed, behind them."""
        messages: list[dict[str, Any]] = []
        shown: list[Text | Image] = []
        for part in turn.parts:
            match part:
                case ToolResult():
                    words = [each.text for each in part.content if isinstance(each, Text)]
                    content = "\n".join(["failed", *words] if part.failed else words)
                    messages.append({"role": "tool", "tool_call_id": self._id(part.call_id), "content": content})
                    shown += [each for each in part.content if isinstance(each, Image)]
                case Image():
                    shown.append(part)
                case Text() if part.text.strip():
                    shown.append(part)
        if shown and all(isinstance(each, Text) for each in shown):
            words = [each.text for each in shown if isinstance(each, Text)]
            messages.append({"role": "user", "content": "\n".join(words)})
        elif shown:
            messages.append({"role": "user", "content": [_content(each) for each in shown]})
        return messages

    def _id(self, its_id: str) -> str:
        """The same short id for the same long one, which another provider gave."""
        short = re.fullmatch(r"[A-Za-z0-9]{9}", its_id) is not None
        return its_id if short or not self.dialect.short_ids else hashlib.sha256(its_id.encode()).hexdigest()[:9]


def _dump(call: ToolCall) -> str:
    return json.dumps(call.arguments)


def _add(calls: dict[int, dict[str, Any]], place: int, piece: dict[str, Any]) -> None:
    """A piece of a call: the id and the name come once, the arguments bit by bit; some servers number nothing."""
    index = piece.get("index")
    number = place if index is None else count(index)
    function = piece.get("function") or {}
    if number not in calls:
        calls[number] = {"id": "", "function": {"name": "", "arguments": Fragments()}}
    call = calls[number]
    call["id"] = call["id"] or piece.get("id") or ""
    call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
    call["function"]["arguments"].add(function.get("arguments") or "")


def _content(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data_base64}"}}


def _usage(usage: dict[str, Any]) -> Usage:
    """The cache's part has another name with some servers; where there is a choice, OpenAI's comes first."""
    read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cached = read.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens")
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cache_read_tokens=count(cached),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        reasoning_tokens=count(written.get("reasoning_tokens")),
    )
