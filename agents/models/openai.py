"""OpenAI Responses, stateless: nothing is kept at the provider, what the model thought travels encrypted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from agents.models.arguments import parse
from agents.models.failures import of_status
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


class OpenAIModel(WireModel):
    """A model behind the Responses API."""

    sdk = "openai"

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request as Responses takes it; equal beginnings share a key for the provider's cache."""
        body: dict[str, Any] = {
            "model": self.model,
            "input": [item for turn in request.messages for item in _items(turn)],
            "max_output_tokens": request.max_output_tokens,
            "store": False,
        }
        if request.system:
            body["instructions"] = request.system
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": False,
                }
                for tool in request.tools
            ]
            body["tool_choice"] = request.tool_choice
        body["prompt_cache_key"] = _prefix(body)
        if request.effort is not None:
            body["reasoning"] = {"effort": request.effort}
        if request.output is not None:
            schema = closed(request.output.schema)
            shape = {"type": "json_schema", "name": request.output.name, "schema": schema, "strict": strict(schema)}
            body["text"] = {"format": shape}
        return body

    async def send(self, client: Any, body: dict[str, Any]) -> Received:
        """Ask for the answer in one piece of JSON; ``extra_body`` spares the SDK's walk through every message."""
        response = await client.responses.with_raw_response.create(extra_body=body, timeout=self._seconds)
        return received_json(response.content, response.headers)

    async def open(self, client: Any, body: dict[str, Any]) -> AsyncGenerator[TextDelta | Received, None]:
        """Ask for the answer as a stream; it is whole in ``response.completed``."""
        stream = await client.responses.create(stream=True, extra_body=body, timeout=self._seconds)
        async with stream:
            async for event in stream:
                match event.type:
                    case "response.output_text.delta":
                        yield TextDelta(text=event.delta)
                    case "response.completed" | "response.incomplete" | "response.failed":
                        yield Received(data=event.response.to_dict(warnings=False), headers=stream.response.headers)
                        return
                    case "error":
                        raise of_status(self.name, 200, {"code": event.code, "message": event.message}, {})

    def read(self, data: Any) -> Answer:
        """A ``Response``; one that failed is a `ModelFailed`."""
        if data["status"] == "failed":
            raise of_status(self.name, 200, data["error"], {})
        finish = {"completed": Finish.ANSWERED, "incomplete": Finish.LENGTH}[data["status"]]
        if (data.get("incomplete_details") or {}).get("reason") == "content_filter":
            finish = Finish.REFUSED
        parts: list[Part] = []
        for item in data["output"]:
            match item["type"]:
                case "message":
                    for content in item["content"]:
                        if content["type"] == "refusal":
                            finish = Finish.REFUSED
                        parts.append(Text(text=text(content["refusal" if content["type"] == "refusal" else "text"])))
                case "reasoning" if item.get("encrypted_content"):
                    kept = {key: value for key, value in item.items() if value is not None and key != "status"}
                    parts.append(Thinking(provider="openai", data=kept))
                case "function_call":
                    arguments, malformed = parse(text(item["arguments"]))
                    if item.get("status", "completed") != "completed":
                        finish = Finish.LENGTH
                    name, its_id = text(item["name"]), text(item["call_id"])
                    parts.append(ToolCall(id=its_id, name=name, arguments=arguments, malformed=malformed))
        if finish is Finish.ANSWERED and any(isinstance(part, ToolCall) for part in parts):
            finish = Finish.TOOL_CALLS
        return Answer(
            parts=tuple(parts),
            finish=finish,
            usage=_usage(data.get("usage") or {}),
            model=text(data["model"]),
            id=text(data["id"]),
        )


def _prefix(body: dict[str, Any]) -> str:
    beginning = json.dumps([body.get("instructions"), body.get("tools")], sort_keys=True)
    return hashlib.sha256(beginning.encode()).hexdigest()[:32]


def _items(turn: Turn) -> list[dict[str, Any]]:
    """Messages, calls, results and reasoning are items of one list; words and pictures in a row are one message."""
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        match part:
            case ToolCall():
                arguments = json.dumps(part.arguments)
                items.append({"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments})
            case ToolResult():
                shown = [content for each in part.content for content in _content(each)]
                if part.failed:
                    shown.insert(0, {"type": "input_text", "text": "failed"})
                items.append({"type": "function_call_output", "call_id": part.call_id, "output": shown})
            case Thinking():
                if part.provider == "openai":
                    items.append(dict(part.data))
            case Text() if turn.role == "assistant":
                if part.text.strip():
                    items.append({"role": "assistant", "content": part.text})
            case _:
                content = _content(part)
                if items and items[-1].get("role") == "user":
                    items[-1]["content"] += content
                elif content:
                    items.append({"role": "user", "content": content})
    return items


def _content(part: Text | Image) -> list[dict[str, Any]]:
    if isinstance(part, Image):
        url = f"data:{part.media_type};base64,{part.data_base64}"
        return [{"type": "input_image", "image_url": url, "detail": "auto"}]
    return [{"type": "input_text", "text": part.text}] if part.text.strip() else []


def _usage(usage: dict[str, Any]) -> Usage:
    read, written = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        reasoning_tokens=count(written.get("reasoning_tokens")),
    )
