"""What every adapter shares: what is refused before it is sent, times, failures, and what an answer must be.

An adapter turns a request into its provider's words (`WireModel.body`), sends it (`send`, `open`) and turns the answer
back (`read`). It never retries: that is the router's, which pays for each attempt.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from agents.errors import ModelFailed
from agents.models.arguments import load
from agents.models.failures import broken_off, failure
from agents.models.messages import (
    Abilities,
    Finish,
    Image,
    ModelRequest,
    ModelResponse,
    Part,
    StreamEvent,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)

MAX_TEXT = 4 * 1024 * 1024
"""Characters of one answer; longer ones are malformed."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an adapter read."""

    parts: tuple[Part, ...]
    finish: Finish
    usage: Usage
    model: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An answer as it came: JSON data and headers."""

    data: Any
    headers: Mapping[str, str]


class WireModel(ABC):
    """A model behind a provider's SDK."""

    sdk: str
    """The module that is imported when the model is first asked."""
    request_id_header = "x-request-id"

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], Any],
        abilities: Abilities,
        key: str = "",
        seconds: float = 300.0,
    ) -> None:
        """Nothing is imported or sent yet.

        Args:
            name: ``provider:model``.
            connect: makes the SDK's client, without retries; called once for each event loop.
            abilities: what the model can do.
            key: the secret in use, to keep it out of errors.
            seconds: for a whole answer.
        """
        self.name = name
        self.abilities = abilities
        self.provider, _, self.model = name.partition(":")
        self._connect = connect
        self._key = key
        self._seconds = seconds
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    @abstractmethod
    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request in the provider's words."""

    @abstractmethod
    async def send(self, client: Any, body: dict[str, Any]) -> Received:
        """Send it and read the whole answer."""

    @abstractmethod
    def open(self, client: Any, body: dict[str, Any]) -> AsyncGenerator[TextDelta | Received, None]:
        """Send it and read the answer as it comes; the last item is the whole of it, missing if it broke off."""

    @abstractmethod
    def read(self, data: Any) -> Answer:
        """An answer out of the provider's words; any KeyError, TypeError or ValueError means that it is malformed."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Its answer, whole; `ModelFailed` if there is none."""
        body = self.body(self._prepared(request))
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                received = await self.send(await self._client(), body)
            return self._response(request, received, time.monotonic() - begun, None)
        except Exception as error:
            failed = self._failed(error)
        raise failed

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """Its answer as it comes, the whole of it last; `ModelFailed` if it breaks off."""
        body = self.body(self._prepared(request))
        begun = time.monotonic()
        first: float | None = None
        received: Received | None = None
        failed: ModelFailed | None = None
        length = 0
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(deadline):
                client = await self._client()
            async with aclosing(self.open(client, body)) as events:
                while received is None:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events, None)
                    if first is None:
                        first = time.monotonic() - begun
                    if event is None:
                        raise broken_off(self.name)
                    if isinstance(event, Received):
                        received = event
                        continue
                    length += len(event.text)
                    if length > MAX_TEXT:
                        raise ValueError("too long")
                    if event.text:
                        yield event
            response = self._response(request, received, time.monotonic() - begun, first)
        except Exception as error:
            failed = self._failed(error)
        if failed is not None:
            raise failed
        yield response

    async def aclose(self) -> None:
        """Close the connections that were opened on this event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    async def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        if self.sdk not in sys.modules:
            await asyncio.to_thread(importlib.import_module, self.sdk)
        if loop not in self._clients:
            try:
                self._clients[loop] = self._connect()
            except Exception as error:
                kind = type(error).__name__
            else:
                return self._clients[loop]
            message = f"its client cannot be made ({kind}); check the variables in docs/models.md"
            raise ModelFailed(self.name, message, code="not_allowed")
        return self._clients[loop]

    def _failed(self, error: Exception) -> ModelFailed:
        """The failure to raise outside of ``except``, so that no SDK error with its request hangs on to it."""
        failed = failure(self.name, error, key=self._key)
        if failed is None:
            raise error
        return failed

    def _prepared(self, request: ModelRequest) -> ModelRequest:
        can = self.abilities
        if lacking := unable(can, request):
            raise ModelFailed(self.name, lacking, code="invalid_request")
        messages = answered(request.messages)
        if request.output is not None and not can.output_schema:
            wanted = json.dumps(request.output.schema, ensure_ascii=False)
            words = f"Answer with one JSON value that fits this JSON Schema, and nothing else:\n{wanted}"
            request = replace(request, output=None, system=f"{request.system}\n\n{words}".strip())
        return replace(request, messages=messages, effort=request.effort if can.effort else None)

    def _response(
        self, request: ModelRequest, received: Received, seconds: float, first: float | None
    ) -> ModelResponse:
        answer = self.read(received.data)
        if sum(len(part.text) for part in answer.parts if isinstance(part, Text)) > MAX_TEXT:
            raise ValueError("too long")
        return ModelResponse(
            turn=Turn(role="assistant", parts=_checked(request, answer)),
            finish=answer.finish,
            usage=answer.usage,
            model=f"{self.provider}:{answer.model or self.model}",
            request_id=received.headers.get(self.request_id_header) or answer.id,
            seconds=seconds,
            seconds_to_first_token=first,
        )


def unable(can: Abilities, request: ModelRequest) -> str:
    """What the request needs and the model is not declared to do; empty if there is nothing."""
    if request.tools and not can.tools:
        return "is not declared to call tools"
    if not can.images and any(_has_image(turn) for turn in request.messages):
        return "is not declared to see pictures"
    return ""


def answered(messages: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The conversation with a result for every tool call: providers refuse one that has none (after a crash)."""
    turns: list[Turn] = []
    for index, turn in enumerate(messages):
        turns.append(turn)
        after = messages[index + 1] if index + 1 < len(messages) else None
        given = {part.call_id for part in after.parts if isinstance(part, ToolResult)} if after else set()
        missing = [
            ToolResult(call_id=each.id, content=(Text(text="interrupted; there is no result"),), failed=True)
            for each in turn.tool_calls
            if each.id not in given
        ]
        if missing:
            turns.append(Turn(role="user", parts=tuple(missing)))
    return tuple(_joined(turns))


def _joined(turns: list[Turn]) -> list[Turn]:
    """Turns of one role after another are one, results of tools before all else."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            turn = Turn(role=turn.role, parts=joined.pop().parts + turn.parts)
        joined.append(turn)
    return [
        replace(turn, parts=tuple(sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult))))
        for turn in joined
    ]


def _has_image(turn: Turn) -> bool:
    shown = [part.content if isinstance(part, ToolResult) else (part,) for part in turn.parts]
    return any(isinstance(part, Image) for parts in shown for part in parts)


def _checked(request: ModelRequest, answer: Answer) -> tuple[Part, ...]:
    """The parts with every tool call that must not be carried out marked so, and every id its own."""
    offered = {tool.name for tool in request.tools}
    taken = {call.id for turn in request.messages for call in turn.tool_calls}
    parts: list[Part] = []
    for part in answer.parts:
        if isinstance(part, ToolCall):
            wrong = part.malformed
            if answer.finish is not Finish.TOOL_CALLS:
                wrong = f"the answer is not whole ({answer.finish})"
            elif part.name not in offered:
                wrong = "there is no such tool"
            if not part.id or part.id in taken:
                part = replace(part, id=f"call_{uuid4().hex}")
            taken.add(part.id)
            name = _NO_NAME.sub("_", part.name)[:64] or "unknown"
            part = replace(part, name=name, malformed=wrong, arguments={} if wrong else part.arguments)
        parts.append(part)
    return tuple(parts)


def count(value: object) -> int:
    """A number of tokens; 0 where the provider says none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no number of tokens")
    return value


def text(value: object) -> str:
    """Words; a `TypeError` if they are something else."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where words were expected")
    return value.encode(errors="replace").decode()


def received_json(content: bytes, headers: Mapping[str, str]) -> Received:
    """An answer that came whole."""
    return Received(data=load(content), headers=headers)
