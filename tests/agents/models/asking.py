"""What the tests of all providers ask, and how they look at what comes back."""

from __future__ import annotations

import json

import pytest

from agents.errors import ModelFailed
from agents.models.arguments import MAX_BYTES
from agents.models.messages import ModelRequest, ModelResponse, TextDelta, ToolSpec, user
from agents.models.wire import WireModel

KEY = "sk-very-secret-0123456789"
FIND = ToolSpec(
    name="shop__find_orders",
    description="Orders of a customer.",
    parameters={"type": "object", "properties": {"email": {"type": "string"}}},
)
ASK = ModelRequest(system="be brief", messages=(user("hello"),), tools=(FIND,), max_output_tokens=100)

BROKEN_ARGUMENTS = [
    ('{"email": "a", "email": "b"}', "key twice"),
    ('{"email": {"a": 1, "a": 2}}', "key twice"),
    ('{"email": NaN}', "not finite"),
    ('{"email": 1e999}', "not finite"),
    ('{"email": "\\ud800"}', "half a character"),
    ('["a"]', "no object"),
    ('{"email": ' + "[" * 70 + "]" * 70 + "}", "too deep"),
    (json.dumps({"email": "x" * MAX_BYTES}), "longer than"),
    (json.dumps({"email": "x" * 10_000_000}), "longer than"),
]
"""Arguments as JSON that nothing may be done with, and what is said of them."""
BROKEN_NAMES = [wrong for _, wrong in BROKEN_ARGUMENTS]
BROKEN_BODIES = [b"", b"{", b"[]", b"{}", b"null", b'{"choices": []}', b"<html>", b"\xff", b"[" * 100_000]


async def streamed(asked: WireModel, request: ModelRequest = ASK) -> tuple[str, ModelResponse]:
    """The words as they came, and the whole answer."""
    events = [event async for event in asked.stream(request)]
    assert isinstance(events[-1], ModelResponse)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), events[-1]


async def failure(asked: WireModel, *, stream: bool = False) -> ModelFailed:
    """How it failed; no error of an SDK, with the request and its key, hangs on to it."""
    with pytest.raises(ModelFailed) as caught:
        await (streamed(asked) if stream else asked.respond(ASK))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value
