"""Answers of Anthropic Messages, built from the SDK's own types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from anthropic.types import (
    ContentBlock,
    InputJSONDelta,
    Message,
    MessageDeltaUsage,
    OutputTokensDetails,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
    SignatureDelta,
    StopReason,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolUseBlock,
    Usage,
)
from anthropic.types.raw_message_delta_event import Delta
from pydantic import BaseModel

from tests.fakes.provider import Reply, json_reply, sse_reply


def said(words: str) -> TextBlock:
    return TextBlock(type="text", text=words)


def thought(words: str) -> ThinkingBlock:
    return ThinkingBlock(type="thinking", thinking=words, signature="signed")


def called(name: str, its_id: str = "toolu_1", **arguments: Any) -> ToolUseBlock:
    return ToolUseBlock(type="tool_use", id=its_id, name=name, input=arguments)


def message(*content: ContentBlock, stop: StopReason | None = None) -> Message:
    tools = any(isinstance(block, ToolUseBlock) for block in content)
    return Message(
        id="msg_1",
        type="message",
        role="assistant",
        model="claude-sonnet-4-5-20250929",
        content=list(content),
        stop_reason=stop or ("tool_use" if tools else "end_turn"),
        usage=Usage(
            input_tokens=10,
            cache_read_input_tokens=100,
            cache_creation_input_tokens=1000,
            output_tokens=7,
            output_tokens_details=OutputTokensDetails(thinking_tokens=3),
        ),
    )


def whole(answer: Message) -> Reply:
    return json_reply(answer.to_json().encode(), request_id="req_1")


def streamed(answer: Message, *, arguments: str | None = None, pieces: int = 2) -> Reply:
    """The same answer as a stream; ``arguments`` are sent in place of those of its tool calls, as they are."""
    named = ((event.type, event.to_json(indent=None)) for event in _events(answer, arguments, pieces))
    return sse_reply([*named], request_id="req_1")


def _events(answer: Message, arguments: str | None, pieces: int) -> Iterator[Any]:
    begun = answer.model_copy(
        update={"content": [], "stop_reason": None, "usage": answer.usage.model_copy(update={"output_tokens": 1})}
    )
    yield RawMessageStartEvent(type="message_start", message=begun)
    for index, block in enumerate(answer.content):
        emptied = {"text": "", "thinking": "", "signature": "", "input": {}}
        update = {name: value for name, value in emptied.items() if name in type(block).model_fields}
        yield RawContentBlockStartEvent(
            type="content_block_start", index=index, content_block=block.model_copy(update=update)
        )
        for delta in _deltas(block, arguments, pieces):
            yield RawContentBlockDeltaEvent(type="content_block_delta", index=index, delta=delta)
        yield RawContentBlockStopEvent(type="content_block_stop", index=index)
    usage = MessageDeltaUsage(
        output_tokens=answer.usage.output_tokens, output_tokens_details=answer.usage.output_tokens_details
    )
    delta = Delta(stop_reason=answer.stop_reason)
    yield RawMessageDeltaEvent(type="message_delta", delta=delta, usage=usage)
    yield RawMessageStopEvent(type="message_stop")


def _deltas(block: BaseModel, arguments: str | None, pieces: int) -> Iterator[Any]:
    match block:
        case TextBlock():
            yield from (TextDelta(type="text_delta", text=piece) for piece in _cut(block.text, pieces))
        case ThinkingBlock():
            yield ThinkingDelta(type="thinking_delta", thinking=block.thinking)
            yield SignatureDelta(type="signature_delta", signature=block.signature)
        case ToolUseBlock():
            words = json.dumps(block.input) if arguments is None else arguments
            yield from (InputJSONDelta(type="input_json_delta", partial_json=piece) for piece in _cut(words, pieces))


def _cut(words: str, pieces: int) -> list[str]:
    size = -(-len(words) // pieces) or 1
    return [words[start : start + size] for start in range(0, len(words), size)]


def error(kind: str, status: int, words: str = "no", **headers: str) -> Reply:
    data = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}
    return json_reply(data, status=status, **headers)


def error_in_stream(kind: str) -> Reply:
    begun, *_ = _events(message(said("a")), None, 1)
    data = {"type": "error", "error": {"type": kind, "message": "no"}}
    return sse_reply([("message_start", begun.to_json(indent=None)), ("error", json.dumps(data))])
