"""Anthropic Messages over the wire: what is sent, what is read, and what happens when the answer is broken."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam
from pydantic import TypeAdapter

from agents.errors import ModelFailed
from agents.models.anthropic import AnthropicModel
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
from tests.agents.models.asking import ASK, BROKEN_ARGUMENTS, BROKEN_BODIES, BROKEN_NAMES, FIND, KEY, failure, streamed
from tests.fakes import provider_anthropic as wire
from tests.fakes.provider import DROPPED, SILENT, ProviderServer, Reply, json_reply

EVERYTHING = Abilities(images=True, output_schema=True, effort=True)


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer(wire.whole(wire.message(wire.said("hi")))) as running:
        yield running


def model(server: ProviderServer, abilities: Abilities = EVERYTHING, seconds: float = 20.0) -> AnthropicModel:
    def connect() -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, max_retries=0)

    return AnthropicModel("anthropic:claude-x", connect=connect, abilities=abilities, key=KEY, seconds=seconds)


async def test_the_request_in_full(server: ProviderServer) -> None:
    asked = model(server)
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "object"}}}
    await asked.respond(
        ModelRequest(
            system="be brief",
            messages=(
                user("look", Image(data_base64="aWk=", media_type="image/png")),
                assistant(
                    Thinking(provider="anthropic", data={"type": "thinking", "thinking": "hm", "signature": "s"}),
                    Thinking(provider="openai", data={"type": "reasoning"}),
                    "I look it up",
                    ToolCall(id="c1", name=FIND.name, arguments={"email": "a@b.c"}),
                ),
                user(" ", ToolResult(call_id="c1", content=(Text(text="none"),), failed=True)),
            ),
            tools=(FIND,),
            output=OutputSchema(name="answer", schema=schema),
            effort="low",
        )
    )
    [sent] = server.asked
    assert (sent.method, sent.path, sent.headers["authorization"]) == ("POST", "/v1/messages", f"Bearer {KEY}")
    assert sent.body == {
        "model": "claude-x",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWk="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "I look it up"},
                    {"type": "tool_use", "id": "c1", "name": FIND.name, "input": {"email": "a@b.c"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "content": [{"type": "text", "text": "none"}],
                        "is_error": True,
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
            },
        ],
        "tools": [{"name": FIND.name, "description": FIND.description, "input_schema": FIND.parameters}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "adaptive"},
        "output_config": {
            "effort": "low",
            "format": {
                "type": "json_schema",
                "schema": {
                    "type": "object",
                    "properties": {"a": {"type": "object", "additionalProperties": False}},
                    "additionalProperties": False,
                },
            },
        },
    }
    TypeAdapter(list[MessageParam]).validate_python(sent.body["messages"])
    TypeAdapter(list[ToolParam]).validate_python(sent.body["tools"])


async def test_an_answer_whole_and_streamed_is_the_same(server: ProviderServer) -> None:
    answer = wire.message(
        wire.thought("hm"), wire.said("I look"), wire.called(FIND.name, "t1", email="a"), wire.called(FIND.name, "t2")
    )
    server.replies.clear()
    server.replies += [wire.whole(answer), wire.streamed(answer)]
    asked = model(server)
    whole = await asked.respond(ASK)
    words, last = await streamed(asked)
    assert words == "I look"
    assert last.seconds_to_first_token is not None
    for response in (whole, last):
        assert response.turn.parts == (
            Thinking(provider="anthropic", data={"type": "thinking", "thinking": "hm", "signature": "signed"}),
            Text(text="I look"),
            ToolCall(id="t1", name=FIND.name, arguments={"email": "a"}),
            ToolCall(id="t2", name=FIND.name, arguments={}),
        )
        assert response.finish is Finish.TOOL_CALLS
        assert response.usage == Usage(
            input_tokens=1110, output_tokens=7, cache_read_tokens=100, cache_write_tokens=1000, reasoning_tokens=3
        )
        assert (response.model, response.request_id) == ("anthropic:claude-sonnet-4-5-20250929", "req_1")


@pytest.mark.parametrize(
    "stop, finish",
    [
        ("end_turn", Finish.ANSWERED),
        ("max_tokens", Finish.LENGTH),
        ("refusal", Finish.REFUSED),
        ("model_context_window_exceeded", Finish.OVERFLOW),
    ],
)
async def test_only_a_whole_answer_calls_tools(server: ProviderServer, stop: Any, finish: Finish) -> None:
    answer = wire.message(wire.said("I look"), wire.called(FIND.name, email="a"), stop=stop)
    server.replies.clear()
    server.replies += [wire.whole(answer), wire.streamed(answer)]
    asked = model(server)
    for response in (await asked.respond(ASK), (await streamed(asked))[1]):
        assert response.finish is finish
        [call] = response.turn.tool_calls
        assert call.malformed
        assert call.arguments == {}


@pytest.mark.parametrize("arguments, wrong", BROKEN_ARGUMENTS, ids=BROKEN_NAMES)
async def test_arguments_that_are_not_clear_are_no_arguments(
    server: ProviderServer, arguments: str, wrong: str
) -> None:
    answer = wire.message(wire.called(FIND.name, email="@"))
    whole = json_reply(json.dumps(json.loads(wire.whole(answer).body)).replace('{"email": "@"}', arguments).encode())
    server.replies.clear()
    server.replies += [whole, wire.streamed(answer, arguments=arguments, pieces=50)]
    asked = model(server)
    for response in (await asked.respond(ASK), (await streamed(asked))[1]):
        [call] = response.turn.tool_calls
        assert wrong in call.malformed
        assert call.arguments == {}


async def test_arguments_that_are_no_json_are_no_arguments(server: ProviderServer) -> None:
    server.replies[0] = wire.streamed(wire.message(wire.called(FIND.name)), arguments='{"email": "a')
    [call] = (await streamed(model(server)))[1].turn.tool_calls
    assert "no JSON" in call.malformed


async def test_an_unknown_tool_and_an_id_used_before(server: ProviderServer) -> None:
    answer = wire.message(wire.called("rm -rf /", "t1"), wire.called(FIND.name, "t1"), wire.called(FIND.name, "t1"))
    server.replies[0] = wire.whole(answer)
    first, second, third = (await model(server).respond(ASK)).turn.tool_calls
    assert (first.name, first.malformed) == ("rm_-rf__", "there is no such tool")
    assert not second.malformed
    assert len({first.id, second.id, third.id}) == 3


async def test_a_call_without_a_result_gets_one(server: ProviderServer) -> None:
    call = ToolCall(id="c1", name=FIND.name, arguments={})
    await model(server).respond(ModelRequest(system="", messages=(user("a"), assistant(call), user("b"))))
    last = server.asked[0].body["messages"][-1]
    assert [block["type"] for block in last["content"]] == ["tool_result", "text"]
    assert last["content"][0]["is_error"]


@pytest.mark.parametrize(
    "reply, code, retryable, may_have_cost",
    [
        (wire.error("rate_limit_error", 429), "rate_limited", True, False),
        (wire.error("api_error", 500), "unavailable", True, False),
        (wire.error("api_error", 502), "unavailable", True, False),
        (wire.error("overloaded_error", 503), "overloaded", True, False),
        (wire.error("overloaded_error", 529), "overloaded", True, False),
        (wire.error("timeout_error", 504), "timeout", True, True),
        (wire.error("authentication_error", 401, f"invalid x-api-key {KEY}"), "not_allowed", False, False),
        (wire.error("permission_error", 403), "not_allowed", False, False),
        (wire.error("billing_error", 402), "not_allowed", False, False),
        (wire.error("invalid_request_error", 400, "Your credit balance is too low"), "not_allowed", False, False),
        (wire.error("invalid_request_error", 400, f"bad {KEY}"), "invalid_request", False, False),
        (wire.error("not_found_error", 404), "invalid_request", False, False),
        (wire.error("request_too_large", 413), "overflow", False, False),
        (
            wire.error("invalid_request_error", 400, "prompt is too long: 250000 tokens > 200000 maximum"),
            "overflow",
            False,
            False,
        ),
        (Reply(status=500, body=b"<h1>Server Error</h1>"), "unavailable", True, False),
        (DROPPED, "unavailable", True, True),
    ],
    ids=[str(number) for number in range(16)],
)
async def test_failures_are_classified_and_hold_no_key(
    server: ProviderServer, reply: Reply, code: str, retryable: bool, may_have_cost: bool
) -> None:
    server.replies[0] = reply
    for stream in (False, True):
        failed = await failure(model(server), stream=stream)
        assert (failed.code, failed.retryable, failed.may_have_cost) == (code, retryable, may_have_cost)
        assert "secret" not in f"{failed!r} {failed}"


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:05 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 5.0),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "999999999"}, 3600.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_how_long_to_wait(server: ProviderServer, headers: dict[str, str], seconds: float | None) -> None:
    server.replies[0] = wire.error("rate_limit_error", 429, **headers)
    assert (await failure(model(server))).retry_after == seconds


@pytest.mark.parametrize("body", [*BROKEN_BODIES, b'{"content": [1]}'], ids=lambda body: str(body[:20]))
async def test_an_answer_in_another_form_is_malformed(server: ProviderServer, body: bytes) -> None:
    server.replies[0] = json_reply(body)
    failed = await failure(model(server))
    assert (failed.code, failed.retryable, failed.may_have_cost) == ("malformed", True, True)


async def test_no_answer_in_time(server: ProviderServer) -> None:
    server.replies[0] = SILENT
    for stream in (False, True):
        failed = await failure(model(server, seconds=0.05), stream=stream)
        assert (failed.code, failed.retryable, failed.may_have_cost) == ("timeout", True, True)


async def test_nobody_there(server: ProviderServer) -> None:
    asked = model(server)
    server._server.close()
    await server._server.wait_closed()
    failed = await failure(asked)
    assert (failed.code, failed.retryable, failed.may_have_cost) == ("unavailable", True, False)


async def test_an_error_in_the_middle_of_a_stream(server: ProviderServer) -> None:
    server.replies[0] = wire.error_in_stream("overloaded_error")
    failed = await failure(model(server), stream=True)
    assert (failed.code, failed.retryable, failed.may_have_cost) == ("overloaded", True, True)


async def test_a_stream_cut_anywhere_is_no_answer(server: ProviderServer) -> None:
    whole = wire.streamed(wire.message(wire.said("ja"), wire.called(FIND.name, email="a")), pieces=1)
    end = whole.body.rindex(b"}") + 1
    asked = model(server)
    for at in range(end):
        server.replies[0] = whole.cut(at)
        failed = await failure(asked, stream=True)
        assert failed.retryable, at
        assert failed.may_have_cost, at
    server.replies[0] = whole
    assert (await streamed(asked))[1].turn.tool_calls[0].arguments == {"email": "a"}


async def test_what_is_not_declared_is_not_sent(server: ProviderServer) -> None:
    plain = model(server, Abilities(tools=False))
    schema = OutputSchema(name="answer", schema={"type": "object"})
    await plain.respond(ModelRequest(system="be brief", messages=(user("a"),), output=schema, effort="high"))
    body = server.asked[0].body
    assert "output_config" not in body
    assert "thinking" not in body
    assert '{"type": "object"}' in body["system"][0]["text"]
    with pytest.raises(ModelFailed, match="not declared to call tools"):
        await plain.respond(ASK)
    with pytest.raises(ModelFailed, match="not declared to see pictures"):
        await plain.respond(ModelRequest(system="", messages=(user(Image(data_base64="", media_type="image/png")),)))
    assert len(server.asked) == 1


async def test_a_key_that_looks_like_no_key_is_not_repeated(server: ProviderServer) -> None:
    def connect() -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(api_key="swordfish", base_url=server.url, max_retries=0)

    server.replies[0] = wire.error("invalid_request_error", 400, "swordfish is odd")
    failed = await failure(AnthropicModel("anthropic:x", connect=connect, abilities=EVERYTHING, key="swordfish"))
    assert failed.code == "invalid_request"
    assert "swordfish" not in f"{failed!r}"


async def test_no_key_in_any_log(server: ProviderServer, caplog: pytest.LogCaptureFixture) -> None:
    asked = model(server)
    with caplog.at_level(logging.DEBUG):
        await asked.respond(ASK)
        server.replies[0] = wire.error("authentication_error", 401)
        await failure(asked)
    assert KEY not in caplog.text + repr(asked)
    await asked.aclose()
