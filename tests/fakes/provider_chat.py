"""Answers of chat completions, built from the OpenAI SDK's own types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall, ChoiceDeltaToolCallFunction
from openai.types.chat.chat_completion_message_function_tool_call import (
    ChatCompletionMessageFunctionToolCall,
    Function,
)
from openai.types.completion_usage import CompletionTokensDetails, PromptTokensDetails

from tests.fakes.provider import Reply, json_reply, sse_reply


def called(
    name: str, its_id: str = "call_1", *, raw: str | None = None, **arguments: Any
) -> ChatCompletionMessageFunctionToolCall:
    words = json.dumps(arguments) if raw is None else raw
    function = Function(name=name, arguments=words)
    return ChatCompletionMessageFunctionToolCall(id=its_id, type="function", function=function)


def answer(
    words: str | None = None,
    *calls: ChatCompletionMessageFunctionToolCall,
    stop: str | None = None,
    thought: str | None = None,
    refusal: str | None = None,
) -> ChatCompletion:
    message = ChatCompletionMessage.model_construct(
        role="assistant", content=words, refusal=refusal, tool_calls=list(calls) or None, reasoning_content=thought
    )
    finish = stop or ("tool_calls" if calls else "stop")
    return ChatCompletion(
        id="chat_1",
        object="chat.completion",
        created=1,
        model="model-2026",
        choices=[Choice.model_construct(index=0, finish_reason=finish, message=message, logprobs=None)],
        usage=CompletionUsage(
            prompt_tokens=1110,
            completion_tokens=7,
            total_tokens=1117,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=100, cache_write_tokens=1000),
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=3),
        ),
    )


def whole(completion: ChatCompletion) -> Reply:
    return json_reply(completion.to_json().encode(), x_request_id="req_1")


def streamed(completion: ChatCompletion, *, numbered: bool = True) -> Reply:
    """The same answer as a stream; ``numbered=False``: calls come without an index, as some servers send them."""
    lines = [("", chunk.to_json(indent=None)) for chunk in _chunks(completion, numbered)]
    return sse_reply([*lines, ("", "[DONE]")], x_request_id="req_1")


def _chunks(completion: ChatCompletion, numbered: bool) -> Iterator[ChatCompletionChunk]:
    choice = completion.choices[0]
    message = choice.message
    yield _chunk(completion, ChoiceDelta(role="assistant", content=""))
    if thought := getattr(message, "reasoning_content", None):
        yield _chunk(completion, ChoiceDelta.model_construct(reasoning_content=thought))
    for word in (message.content or "").split(" "):
        yield _chunk(completion, ChoiceDelta(content=word))
    if message.refusal:
        yield _chunk(completion, ChoiceDelta(refusal=message.refusal))
    calls = [call for call in message.tool_calls or () if isinstance(call, ChatCompletionMessageFunctionToolCall)]
    if not numbered:
        whole = [
            ChoiceDeltaToolCall.model_construct(
                id=call.id,
                function=ChoiceDeltaToolCallFunction(**call.function.to_dict()),  # type: ignore[arg-type]
            )
            for call in calls
        ]
        yield _chunk(completion, ChoiceDelta(tool_calls=whole))
    for index, call in enumerate(calls if numbered else ()):
        begun = ChoiceDeltaToolCallFunction(name=call.function.name, arguments="")
        yield _chunk(completion, _call(index, begun, id=call.id, type="function"))
        words = call.function.arguments
        for piece in (words[: len(words) // 2], words[len(words) // 2 :]):
            yield _chunk(completion, _call(index, ChoiceDeltaToolCallFunction(arguments=piece)))
    yield _chunk(completion, ChoiceDelta(), finish=choice.finish_reason)
    yield _chunk(completion, None, usage=completion.usage)


def _call(index: int, function: ChoiceDeltaToolCallFunction, **more: Any) -> ChoiceDelta:
    return ChoiceDelta(tool_calls=[ChoiceDeltaToolCall(index=index, function=function, **more)])


def _chunk(
    completion: ChatCompletion,
    delta: ChoiceDelta | None,
    *,
    finish: str | None = None,
    usage: CompletionUsage | None = None,
) -> ChatCompletionChunk:
    choices = [] if delta is None else [ChunkChoice.model_construct(index=0, delta=delta, finish_reason=finish)]
    return ChatCompletionChunk(
        id=completion.id,
        object="chat.completion.chunk",
        created=1,
        model=completion.model,
        choices=choices,
        usage=usage,
    )
