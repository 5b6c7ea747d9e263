"""Anthropic Messages: the API itself, or on Bedrock and Vertex through the same SDK's clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from agents.models.arguments import Fragments, check, parse
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
from agents.models.schemas import closed
from agents.models.wire import Answer, Received, WireModel, count, received_json, text

_CACHED = {"cache_control": {"type": "ephemeral"}}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_FINISHES = {
    "end_turn": Finish.ANSWERED,
    "stop_sequence": Finish.ANSWERED,
    "pause_turn": Finish.ANSWERED,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSED,
    "model_context_window_exceeded": Finish.OVERFLOW,
}
"""Anything else, ``max_tokens`` above all, means that the answer may be incomplete."""


class AnthropicModel(WireModel):
    """A Claude model."""

    sdk = "anthropic"
    request_id_header = "request-id"

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request as Messages takes it; system, tools and the conversation so far are marked for the cache."""
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_output_tokens,
            "messages": [_message(turn) for turn in request.messages],
        }
        if request.system:
            body["system"] = [{"type": "text", "text": request.system, **_CACHED}]
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in request.tools
            ]
            body["tool_choice"] = {"type": _CHOICES[request.tool_choice]}
            if not request.system:
                body["tools"][-1].update(_CACHED)
        if body["messages"] and body["messages"][-1]["role"] == "user":
            body["messages"][-1]["content"][-1].update(_CACHED)
        config: dict[str, Any] = {}
        if request.effort is not None:
            config["effort"] = request.effort
            if request.tool_choice != "required":  # thinking and a forced tool exclude each other
                body["thinking"] = {"type": "adaptive"}
        if request.output is not None:
            config["format"] = {"type": "json_schema", "schema": closed(request.output.schema)}
        if config:
            body["output_config"] = config
        return body

    async def send(self, client: Any, body: dict[str, Any]) -> Received:
        """Ask for the answer in one piece of JSON."""
        response = await client.messages.with_raw_response.create(**body, timeout=self._seconds)
        return received_json(await response.read(), response.headers)

    async def open(self, client: Any, body: dict[str, Any]) -> AsyncGenerator[TextDelta | Received, None]:
        """Ask for the answer as a stream; it is whole when ``message_stop`` has come."""
        message: dict[str, Any] = {}
        inputs: dict[int, Fragments] = {}
        async with await client.messages.create(**body, stream=True, timeout=self._seconds) as stream:
            async for event in stream:
                match event.type:
                    case "message_start":
                        message = event.message.to_dict(warnings=False)
                        message["content"] = []
                    case "content_block_start":
                        if event.index != len(message["content"]):
                            raise ValueError("a block is missing")
                        message["content"].append(event.content_block.to_dict(warnings=False))
                    case "content_block_delta":
                        block, delta = message["content"][event.index], event.delta
                        match delta.type:
                            case "text_delta":
                                block["text"] += delta.text
                                yield TextDelta(text=delta.text)
                            case "input_json_delta":
                                inputs.setdefault(event.index, Fragments()).add(delta.partial_json)
                            case "thinking_delta":
                                block["thinking"] += delta.thinking
                            case "signature_delta":
                                block["signature"] = block.get("signature", "") + delta.signature
                    case "message_delta":
                        message["stop_reason"] = event.delta.stop_reason
                        said = event.usage.to_dict(warnings=False)
                        message["usage"] |= {key: value for key, value in said.items() if value is not None}
                    case "message_stop":
                        for index, fragments in inputs.items():
                            message["content"][index]["input"] = fragments.text
                        yield Received(data=message, headers=stream.response.headers)
                        return

    def read(self, data: Any) -> Answer:
        """A ``Message``; arguments are data where it came whole, and words where it was streamed."""
        parts: list[Part] = []
        for block in data["content"]:
            match block["type"]:
                case "text":
                    parts.append(Text(text=text(block["text"])))
                case "thinking" | "redacted_thinking":
                    parts.append(Thinking(provider="anthropic", data=block))
                case "tool_use":
                    given = block["input"]
                    arguments, malformed = parse(given) if isinstance(given, str) else check(given)
                    name, its_id = text(block["name"]), text(block["id"])
                    parts.append(ToolCall(id=its_id, name=name, arguments=arguments, malformed=malformed))
        return Answer(
            parts=tuple(parts),
            finish=_FINISHES.get(data["stop_reason"], Finish.LENGTH),
            usage=_usage(data["usage"]),
            model=text(data["model"]),
            id=text(data["id"]),
        )


def _message(turn: Turn) -> dict[str, Any]:
    content = [block for part in turn.parts for block in _blocks(part)]
    return {"role": turn.role, "content": content or [{"type": "text", "text": "(nothing)"}]}


def _blocks(part: Part) -> list[dict[str, Any]]:
    """None for what this provider is not given: empty words, and what another provider's model thought."""
    match part:
        case Text(text=words):
            return [{"type": "text", "text": words}] if words.strip() else []
        case Image():
            source = {"type": "base64", "media_type": part.media_type, "data": part.data_base64}
            return [{"type": "image", "source": source}]
        case ToolCall():
            return [{"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}]
        case ToolResult():
            content = [block for shown in part.content for block in _blocks(shown)]
            result = {"type": "tool_result", "tool_use_id": part.call_id, "content": content}
            return [result | {"is_error": True} if part.failed else result]
        case Thinking():
            return [dict(part.data)] if part.provider == "anthropic" else []


def _usage(usage: dict[str, Any]) -> Usage:
    read = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=count(usage["input_tokens"]) + read + written,
        output_tokens=count(usage["output_tokens"]),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count((usage.get("output_tokens_details") or {}).get("thinking_tokens")),
    )
