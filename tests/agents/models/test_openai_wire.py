"""OpenAI Responses and chat completions over the wire: sent, read, broken."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from agents.errors import ModelFailed
from agents.models.chat import ChatDialect, ChatModel
from agents.models.messages import (
    Abilities,
    Finish,
    Image,
    ModelRequest,
    OutputSchema,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    user,
)
from agents.models.openai import OpenAIModel
from agents.models.wire import WireModel
from tests.agents.models.asking import (
    ASK,
    BROKEN_ARGUMENTS,
    BROKEN_BODIES,
    BROKEN_NAMES,
    FIND,
    KEY,
    failure,
    streamed,
)
from tests.fakes import provider_chat as chat
from tests.fakes import provider_openai as responses
from tests.fakes.provider import DROPPED, SILENT, ProviderServer, Reply, json_reply, sse_reply

EVERYTHING = Abilities(images=True, output_schema=True, effort=True)
FULL = ModelRequest(
    system="be brief",
    messages=(
        user("look", Image(data_base64="aWk=", media_type="image/png"), " "),
        assistant(
            Thinking(provider="openai", data={"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}),
            Thinking(provider="some", data={"reasoning_content": "hm"}),
            "I look it up",
            ToolCall(id="c1", name=FIND.name, arguments={"email": "ä"}),
        ),
        user(ToolResult(call_id="c1", content=(Text(text="none"),), failed=True), "so?"),
    ),
    tools=(FIND,),
    tool_choice="required",
    output=OutputSchema(name="answer", schema={"type": "object", "properties": {"a": {"type": "string"}}}),
    effort="low",
)


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer(SILENT) as running:
        yield running


def model(kind: str, server: ProviderServer, *, seconds: float = 20.0, **dialect: Any) -> WireModel:
    def connect() -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)

    known: dict[str, Any] = {"connect": connect, "abilities": EVERYTHING, "key": KEY, "seconds": seconds}
    if kind == "responses":
        return OpenAIModel("openai:gpt-x", **known)
    return ChatModel("some:model-x", dialect=ChatDialect(**dialect), **known)


def replies(kind: str, *calls: str, words: str = "I look", stop: Any = None) -> list[Reply]:
    """The same answer whole and streamed; calls by their arguments."""
    if kind == "responses":
        made = [responses.called(FIND.name, f"t{n}", raw=raw) for n, raw in enumerate(calls)]
        response = responses.answer(responses.thought(), responses.said(words), *made, stop=stop)
        return [responses.whole(response), responses.streamed(response)]
    made_too = [chat.called(FIND.name, f"t{n}", raw=raw) for n, raw in enumerate(calls)]
    completion = chat.answer(words, *made_too, thought="hm", stop=stop)
    return [chat.whole(completion), chat.streamed(completion)]


THOUGHTS = {
    "responses": Thinking(
        provider="openai",
        data={"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "secret thoughts"},
    ),
    "chat": Thinking(provider="some", data={"reasoning_content": "hm"}),
}
BOTH = pytest.mark.parametrize("kind", ["responses", "chat"])


@BOTH
async def test_an_answer_whole_and_streamed_is_the_same(server: ProviderServer, kind: str) -> None:
    server.replies.clear()
    server.replies += replies(kind, '{"email": "a"}', "")
    asked = model(kind, server)
    whole = await asked.respond(ASK)
    words, last = await streamed(asked)
    assert words == "Ilook"
    assert last.seconds_to_first_token is not None
    first, second = (one.turn.parts for one in (whole, last))
    calls = (
        ToolCall(id="t0", name=FIND.name, arguments={"email": "a"}),
        ToolCall(id="t1", name=FIND.name, arguments={}),
    )
    assert first == (THOUGHTS[kind], Text(text="I look"), *calls)
    assert second[-2:] == calls
    assert second[0] == THOUGHTS[kind]
    for response in (whole, last):
        assert response.finish is Finish.TOOL_CALLS
        assert response.request_id == "req_1"
        assert response.usage == Usage(
            input_tokens=1110, output_tokens=7, cache_read_tokens=100, cache_write_tokens=1000, reasoning_tokens=3
        )
    assert [sent.headers["authorization"] for sent in server.asked] == [f"Bearer {KEY}"] * 2
    assert [sent.body.get("stream") for sent in server.asked] == [None, True]


@BOTH
@pytest.mark.parametrize("arguments, wrong", BROKEN_ARGUMENTS, ids=BROKEN_NAMES)
async def test_arguments_that_are_not_clear_are_no_arguments(
    server: ProviderServer, kind: str, arguments: str, wrong: str
) -> None:
    server.replies.clear()
    server.replies += replies(kind, arguments)
    asked = model(kind, server)
    for response in (await asked.respond(ASK), (await streamed(asked))[1]):
        [call] = response.turn.tool_calls
        assert wrong in call.malformed
        assert call.arguments == {}


@pytest.mark.parametrize(
    "kind, stop, finish",
    [
        ("responses", "max_output_tokens", Finish.LENGTH),
        ("responses", "content_filter", Finish.REFUSED),
        ("chat", "length", Finish.LENGTH),
        ("chat", "content_filter", Finish.REFUSED),
        ("chat", "something_new", Finish.LENGTH),
    ],
)
async def test_only_a_whole_answer_calls_tools(server: ProviderServer, kind: str, stop: str, finish: Finish) -> None:
    server.replies.clear()
    server.replies += replies(kind, '{"email": "a"}', stop=stop)
    asked = model(kind, server)
    for response in (await asked.respond(ASK), (await streamed(asked))[1]):
        assert response.finish is finish
        assert response.turn.tool_calls[0].malformed
        assert response.turn.tool_calls[0].arguments == {}


async def test_a_refusal_is_said_in_words(server: ProviderServer) -> None:
    response, completion = responses.answer(responses.refused("I can't")), chat.answer(refusal="I can't")
    server.replies.clear()
    server.replies += [responses.whole(response), chat.whole(completion), chat.streamed(completion)]
    asked = [await model(kind, server).respond(ASK) for kind in ("responses", "chat")]
    asked.append((await streamed(model("chat", server)))[1])
    assert [(one.finish, one.turn.text) for one in asked] == [(Finish.REFUSED, "I can't")] * 3


async def test_a_response_that_failed(server: ProviderServer) -> None:
    response = responses.answer(error="server_error")
    server.replies.clear()
    server.replies += [responses.whole(response), responses.streamed(response)]
    asked = model("responses", server)
    for stream in (False, True):
        failed = await failure(asked, stream=stream)
        assert (failed.code, failed.retryable, failed.may_have_cost) == ("unavailable", True, True)


async def test_calls_without_numbers_are_kept_apart(server: ProviderServer) -> None:
    made = chat.answer(None, chat.called(FIND.name, "t0", email="a"), chat.called(FIND.name, "t1", email="b"))
    server.replies[0] = chat.streamed(made, numbered=False)
    calls = (await streamed(model("chat", server)))[1].turn.tool_calls
    assert [(call.id, call.arguments) for call in calls] == [("t0", {"email": "a"}), ("t1", {"email": "b"})]


@BOTH
async def test_a_stream_cut_anywhere_is_no_answer(server: ProviderServer, kind: str) -> None:
    if kind == "chat":
        whole = chat.streamed(chat.answer("ja", chat.called(FIND.name, email="a")))
        end = whole.body.index(b'"finish_reason":"tool_calls"')
    else:
        whole = responses.streamed(responses.answer(responses.called(FIND.name, email="a")))
        end = whole.body.rindex(b"}") + 1
    asked = model(kind, server)
    for at in range(end):
        server.replies[0] = whole.cut(at)
        failed = await failure(asked, stream=True)
        assert failed.retryable, at
        assert failed.may_have_cost, at
    server.replies[0] = whole
    assert (await streamed(asked))[1].turn.tool_calls[0].arguments == {"email": "a"}


@pytest.mark.parametrize(
    "reply, code, retryable, may_have_cost",
    [
        (responses.error("rate_limit_exceeded", 429, retry_after="2"), "rate_limited", True, False),
        (responses.error("insufficient_quota", 429), "not_allowed", False, False),
        (responses.error("server_error", 500), "unavailable", True, False),
        (responses.error("overloaded", 503), "overloaded", True, False),
        (responses.error("invalid_api_key", 401, f"Incorrect API key: {KEY}"), "not_allowed", False, False),
        (responses.error("context_length_exceeded", 400), "overflow", False, False),
        (responses.error("content_filter", 400), "refused", False, True),
        (responses.error("invalid_value", 400, "bad sk-abcdefgh12345 and Bearer abcdefghijk"), "invalid_request", 0, 0),
        (json_reply({"error": "model not found"}, status=404), "invalid_request", False, False),
        (json_reply(b"no JSON", status=400), "invalid_request", False, False),
        (DROPPED, "unavailable", True, True),
    ],
    ids=[str(number) for number in range(11)],
)
@BOTH
async def test_failures_are_classified_and_hold_no_key(
    server: ProviderServer, kind: str, reply: Reply, code: str, retryable: bool, may_have_cost: bool
) -> None:
    server.replies[0] = reply
    for stream in (False, True):
        failed = await failure(model(kind, server), stream=stream)
        assert (failed.code, failed.retryable, failed.may_have_cost) == (code, retryable, may_have_cost)
        assert all(secret not in f"{failed!r}" for secret in ("secret", "abcdefgh"))
        assert failed.retry_after == (2.0 if code == "rate_limited" else None)


@BOTH
@pytest.mark.parametrize("body", BROKEN_BODIES, ids=lambda body: str(body[:20]))
async def test_an_answer_in_another_form_is_malformed(server: ProviderServer, kind: str, body: bytes) -> None:
    server.replies[0] = json_reply(body)
    failed = await failure(model(kind, server))
    assert (failed.code, failed.retryable, failed.may_have_cost) == ("malformed", True, True)


@BOTH
@pytest.mark.parametrize("data", ["{", "[1]", '{"type": "response.completed"}', '{"choices": [1]}', "[" * 100_000])
async def test_a_stream_in_another_form_is_no_answer(server: ProviderServer, kind: str, data: str) -> None:
    server.replies[0] = sse_reply([("", data)])
    failed = await failure(model(kind, server), stream=True)
    assert failed.code in ("malformed", "unavailable")
    assert failed.may_have_cost


@BOTH
async def test_no_answer_in_time(server: ProviderServer, kind: str) -> None:
    for stream in (False, True):
        failed = await failure(model(kind, server, seconds=0.05), stream=stream)
        assert (failed.code, failed.may_have_cost) == ("timeout", True)


async def test_the_request_to_responses_in_full(server: ProviderServer) -> None:
    server.replies[0] = responses.whole(responses.answer(responses.said("hi")))
    await model("responses", server).respond(FULL)
    [sent] = server.asked
    assert (sent.method, sent.path) == ("POST", "/v1/responses")
    assert len(sent.body.pop("prompt_cache_key")) == 32
    assert sent.body == {
        "model": "gpt-x",
        "instructions": "be brief",
        "max_output_tokens": 4096,
        "store": False,
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aWk=", "detail": "auto"},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
            {"role": "assistant", "content": "I look it up"},
            {"type": "function_call", "call_id": "c1", "name": FIND.name, "arguments": json.dumps({"email": "ä"})},
            {
                "type": "function_call_output",
                "call_id": "c1",
                "output": [{"type": "input_text", "text": "failed"}, {"type": "input_text", "text": "none"}],
            },
            {"role": "user", "content": [{"type": "input_text", "text": "so?"}]},
        ],
        "tools": [
            {
                "type": "function",
                "name": FIND.name,
                "description": FIND.description,
                "parameters": FIND.parameters,
                "strict": False,
            }
        ],
        "tool_choice": "required",
        "reasoning": {"effort": "low"},
        "text": {
            "format": {
                "type": "json_schema",
                "name": "answer",
                "schema": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}},
                    "additionalProperties": False,
                },
                "strict": False,
            }
        },
    }


async def test_the_request_to_chat_completions_in_full(server: ProviderServer) -> None:
    server.replies[0] = chat.whole(chat.answer("hi"))
    await model("chat", server, reasoning_back=True, max_tokens="max_completion_tokens").respond(FULL)
    [sent] = server.asked
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    call = {"name": FIND.name, "arguments": json.dumps({"email": "ä"})}
    assert sent.body == {
        "model": "model-x",
        "max_completion_tokens": 4096,
        "messages": [
            {"role": "system", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}},
                ],
            },
            {
                "role": "assistant",
                "content": "I look it up",
                "reasoning_content": "hm",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "failed\nnone"},
            {"role": "user", "content": "so?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": FIND.name,
                    "description": FIND.description,
                    "parameters": FIND.parameters,
                },
            }
        ],
        "tool_choice": "required",
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "schema": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}},
                    "additionalProperties": False,
                },
                "strict": False,
            },
        },
    }


@BOTH
async def test_the_short_way_through_the_sdk_sends_what_the_typed_one_sends(server: ProviderServer, kind: str) -> None:
    """``extra_body`` is merged by the SDK: an upgrade that merges otherwise is noticed here."""
    server.replies[0] = replies(kind)[0]
    asked = model(kind, server)
    await asked.respond(FULL)
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        resource: Any = client.responses if kind == "responses" else client.chat.completions
        await resource.create(**asked.body(FULL))
    short, typed = server.asked
    assert short.body == typed.body
    assert short.path == typed.path


async def test_dialects(server: ProviderServer) -> None:
    server.replies[0] = chat.streamed(chat.answer("hi"))
    await streamed(model("chat", server), FULL)
    plain = model("chat", server, required=False, stream_usage=False, short_ids=True)
    await streamed(plain, FULL)
    usual, other = (sent.body for sent in server.asked)
    assert (usual["stream_options"], usual["tool_choice"]) == ({"include_usage": True}, "required")
    assert (other.get("stream_options"), other["tool_choice"]) == (None, "auto")
    assert "reasoning_content" not in usual["messages"][2]
    [call], result = other["messages"][2]["tool_calls"], other["messages"][3]
    assert call["id"] == result["tool_call_id"]
    assert len(call["id"]) == 9


async def test_a_key_that_is_not_taken_by_the_sdk(server: ProviderServer) -> None:
    def connect() -> Any:
        raise ValueError(f"bad {KEY}")

    asked = ChatModel("some:model", connect=connect, abilities=EVERYTHING, key=KEY)
    failed = await failure(asked)
    assert failed.code == "not_allowed"
    assert KEY not in str(failed)
    assert isinstance(failed, ModelFailed)
