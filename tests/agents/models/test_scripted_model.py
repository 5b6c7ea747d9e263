"""The scripted model is strict, and what a model says survives being kept as evidence."""

import pytest

from agents.errors import ModelFailed
from agents.models.messages import (
    Finish,
    Image,
    ModelRequest,
    Text,
    TextDelta,
    Thinking,
    ToolResult,
    assistant,
    from_json,
    to_json,
    user,
)
from agents.models.scripted import ScriptedModel, UnexpectedRequest, UnusedAnswers, call

REQUEST = ModelRequest(system="be brief", messages=(user("hello"),))


async def test_answers_come_in_order_and_none_is_left() -> None:
    model = ScriptedModel([call("shop.find", email="a@example.com"), "done"])
    first = await model.respond(REQUEST)
    assert first.finish is Finish.TOOL_CALLS
    assert [(one.name, one.arguments) for one in first.turn.tool_calls] == [("shop.find", {"email": "a@example.com"})]
    with pytest.raises(UnusedAnswers, match="1 of 2"):
        model.finish()
    second = await model.respond(REQUEST)
    assert (second.turn.text, second.finish) == ("done", Finish.ANSWERED)
    model.finish()
    with pytest.raises(UnexpectedRequest):
        await model.respond(REQUEST)


async def test_an_answer_may_depend_on_the_request_or_be_a_failure() -> None:
    model = ScriptedModel(
        [lambda request: request.messages[-1].text.upper(), ModelFailed("m:m", "busy", code="overloaded")]
    )
    assert (await model.respond(REQUEST)).turn.text == "HELLO"
    with pytest.raises(ModelFailed) as failed:
        await model.respond(REQUEST)
    assert (failed.value.code, failed.value.retryable) == ("overloaded", False)


async def test_a_stream_ends_with_the_whole_answer() -> None:
    events = [event async for event in ScriptedModel(["one two"]).stream(REQUEST)]
    words = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert words.strip() == "one two"
    assert events[-1].turn.text == "one two"  # type: ignore[union-attr]


async def test_what_a_model_says_survives_being_kept() -> None:
    turn = assistant(
        Thinking(provider="p", data={"signature": "x"}),
        "I look it up.",
        call("shop.find", email="a@example.com", amounts=[1, None, {"a": True}]),
    )
    response = await ScriptedModel([turn]).respond(REQUEST)
    assert from_json(to_json(response)) == response
    shown = user(ToolResult(call_id="c", content=(Text(text="x"), Image(data_base64="aa", media_type="image/png"))))
    assert shown.parts[0].content[1].media_type == "image/png"  # type: ignore[union-attr]
