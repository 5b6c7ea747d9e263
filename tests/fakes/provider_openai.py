"""Answers of OpenAI Responses, built from the SDK's own types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputItem,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_error import ResponseError
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from tests.fakes.provider import Reply, json_reply, sse_reply

Stop = Literal["max_output_tokens", "content_filter"]


def said(words: str) -> ResponseOutputMessage:
    content = ResponseOutputText(type="output_text", text=words, annotations=[])
    return ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[content])


def refused(words: str) -> ResponseOutputMessage:
    content = ResponseOutputRefusal(type="refusal", refusal=words)
    return ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[content])


def thought(encrypted: str | None = "secret thoughts") -> ResponseReasoningItem:
    return ResponseReasoningItem(
        id="rs_1", type="reasoning", summary=[], encrypted_content=encrypted, status="completed"
    )


def called(name: str, its_id: str = "call_1", *, raw: str | None = None, **arguments: Any) -> ResponseFunctionToolCall:
    words = json.dumps(arguments) if raw is None else raw
    return ResponseFunctionToolCall(type="function_call", call_id=its_id, name=name, arguments=words, id="fc_1")


def answer(*output: ResponseOutputItem, stop: Stop | None = None, error: str | None = None) -> Response:
    return Response(
        id="resp_1",
        object="response",
        created_at=1.0,
        model="gpt-5-2026-01-01",
        output=list(output),
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=[],
        status="failed" if error else "incomplete" if stop else "completed",
        incomplete_details=IncompleteDetails(reason=stop) if stop else None,
        error=ResponseError.model_construct(code=error, message="no") if error else None,
        usage=ResponseUsage(
            input_tokens=1110,
            input_tokens_details=InputTokensDetails(cached_tokens=100, cache_write_tokens=1000),
            output_tokens=7,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=3),
            total_tokens=1117,
        ),
    )


def whole(response: Response) -> Reply:
    return json_reply(response.to_json().encode(), x_request_id="req_1")


def streamed(response: Response) -> Reply:
    return sse_reply(((event.type, event.to_json(indent=None)) for event in _events(response)), x_request_id="req_1")


def _events(response: Response) -> Iterator[Any]:
    begun = response.model_copy(update={"output": [], "usage": None, "status": "in_progress", "error": None})
    yield ResponseCreatedEvent(type="response.created", response=begun, sequence_number=0)
    for index, item in enumerate(response.output):
        if isinstance(item, ResponseOutputMessage) and isinstance(item.content[0], ResponseOutputText):
            for word in item.content[0].text.split(" "):
                yield ResponseTextDeltaEvent(
                    type="response.output_text.delta",
                    content_index=0,
                    delta=word,
                    item_id="msg_1",
                    logprobs=[],
                    output_index=index,
                    sequence_number=1,
                )
        yield ResponseOutputItemDoneEvent(
            type="response.output_item.done", item=item, output_index=index, sequence_number=2
        )
    match response.status:
        case "failed":
            yield ResponseFailedEvent(type="response.failed", response=response, sequence_number=3)
        case "incomplete":
            yield ResponseIncompleteEvent(type="response.incomplete", response=response, sequence_number=3)
        case _:
            yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=3)


def error(code: str, status: int, words: str = "no", **headers: str) -> Reply:
    data = {"error": {"message": words, "type": "some_error", "code": code, "param": None}}
    return json_reply(data, status=status, **headers)
