"""Recorded conversations: played again on today's tools, with every difference in its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from agents import Agent, Claimed, ToolContext, tool
from agents.models.scripted import UnusedAnswers, call
from agents.testing import RecordedModel, TranscriptDiffers, Workbench
from tests.agents.builders import REPLIES, Shop

OPEN = """\
procedure: late-parcel
version: 1
outcome: parcel_explained
triggers: {like: [where is my parcel]}
subject: "requester:${task.requester.email}"
steps:
  - id: look
    open: Find out where the parcel is.
    tools:
      shop.find: {email: "${task.requester.email}"}
      carrier.track: {}
    leaves: {reason: text}
  - {id: reply, reply: done, with: {amount: "${look.reason}"}}
"""


class Parcel(BaseModel):
    """Where a parcel is."""

    place: str
    days: list[int]


@tool(effect="read", name="carrier.track", outputs={"": "system"}, readers={"": "requester"})
async def track(ctx: ToolContext, number: str) -> Parcel:
    """Where a parcel is."""
    return Parcel(place=f"customs {number}", days=[1, 2])


def turn(*calls: tuple[str, str, dict[str, JsonValue]], words: str | None = None) -> dict[str, Any]:
    made = [
        {"id": its_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for its_id, name, arguments in calls
    ]
    return {"role": "assistant", "content": words, **({"tool_calls": made} if made else {})}


def result(its_id: str, answer: object) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": its_id, "content": json.dumps(answer)}


TALK = [
    {"role": "system", "content": "You help."},
    {"role": "assistant", "content": "Hello, how can I help?"},
    {"role": "user", "content": "Where is my parcel?"},
    turn(words="Which number is on the label?"),
    {"role": "user", "content": [{"type": "text", "text": "77"}]},
    turn(("c1", "track_parcel", {"number": "77"})),
    result("c1", {"place": "customs 77", "days": [1, 2]}),
]
FOUND = call("finish", reason="It waits at customs.")


def bench(recorded: RecordedModel) -> Workbench:
    return Workbench([*Shop().tools(), track], procedure=OPEN, replies=REPLIES, model=recorded)


def played(talk: list[dict[str, Any]]) -> RecordedModel:
    return RecordedModel(talk, names={"track_parcel": "carrier.track"}, then=[FOUND])


async def test_a_conversation_is_played_again_turn_by_turn() -> None:
    recorded = played(TALK)
    assert (recorded.words, recorded.replies) == (["Where is my parcel?", "77"], ["77"])
    made = bench(recorded)
    assert isinstance(await made.resolve(*recorded.words), Claimed)
    assert made.sent == ["Which number is on the label?", "Refunded It waits at customs.."]
    made.assert_called("carrier.track", number="77")
    assert recorded.differences == []
    recorded.assert_same()


async def test_what_the_tools_answer_otherwise_is_reported_with_its_place() -> None:
    recorded = played([*TALK[:-1], result("c1", {"place": "Bonn", "days": [1, 3, 4], "pin": 1})])
    assert isinstance(await bench(recorded).resolve(*recorded.words), Claimed)
    assert [(one.tool, one.path, one.recorded, one.now) for one in recorded.differences] == [
        ("track_parcel", "answer.place", "Bonn", "customs 77"),
        ("track_parcel", "answer.days[1]", 3, 2),
        ("track_parcel", "answer.days[2]", 4, "(nothing)"),
        ("track_parcel", "answer.pin", 1, "(nothing)"),
    ]
    with pytest.raises(TranscriptDiffers, match=r"track_parcel \(c1\), answer.place: recorded 'Bonn'"):
        recorded.assert_same()


async def test_an_argument_that_the_procedure_fills_in_is_left_out_and_reported() -> None:
    calls = turn(("c2", "shop.find", {"email": "eve@example.com"}), ("c3", "gone", {}))
    recorded = played([*TALK, calls, result("c3", {"ok": True})])
    made = bench(recorded)
    assert isinstance(await made.resolve(*recorded.words), Claimed)
    made.assert_called("shop.find", email="ada@example.com")
    assert [str(one) for one in recorded.differences] == [
        "shop.find (c2), arguments.email: recorded 'eve@example.com', now '(nothing)'",
        "gone (c3), answer: recorded {'ok': True}, now 'there is no tool gone'",
    ]


async def test_turns_that_nobody_asked_for_are_an_error() -> None:
    recorded = played(TALK)
    await bench(recorded).resolve("Where is my parcel?")
    with pytest.raises(UnusedAnswers):
        recorded.assert_same()


async def test_an_effect_in_the_middle_waits_for_a_yes() -> None:
    text = OPEN.replace("carrier.track: {}", 'shop.refund: {order_id: "10001", amount: "${orders.items[0].total}"}')
    orders = '  - {id: orders, tool: shop.find, args: {email: "${task.requester.email}"}}\n'
    text = text.replace("steps:\n", f"steps:\n{orders}")
    recorded = RecordedModel(
        [{"role": "user", "content": "Refund it"}, turn(("r", "shop.refund", {}))], then=["Done?", FOUND]
    )
    shop = Shop()
    made = Workbench(shop.tools(), procedure=text, replies=REPLIES, model=recorded)
    assert isinstance(await made.resolve("Refund it", "Thanks", approving=True), Claimed)
    assert len(shop.refunds) == 1
    recorded.assert_same()


@pytest.mark.parametrize(
    "message, why",
    [
        ({"content": "x"}, "message 1 .* KeyError"),
        ({"role": "robot"}, "no role 'robot'"),
        ({"role": "tool", "tool_call_id": "c9", "content": "x"}, "which nobody made"),
        (turn(("c1", "a", {}), ("c1", "a", {})), "two calls have the id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "a", "arguments": "[1]"}}]},
            "no object",
        ),
        ({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "a", "arguments": "{"}}]}, "message 1 "),
        ({"role": "user", "content": None}, None),
        ("words", "message 1 "),
    ],
)
def test_a_message_that_is_none_is_named(message: Any, why: str | None) -> None:
    talk = [{"role": "user", "content": "Hello"}, message]
    if why is None:
        assert RecordedModel(talk).words == ["Hello", ""]
        return
    with pytest.raises(ValueError, match=why):
        RecordedModel(talk)


class Record(BaseModel):
    """Anything that the benchmark's database holds."""

    record: dict[str, JsonValue]


async def test_the_calls_of_a_benchmarks_tasks_find_its_records_again() -> None:
    """The benchmark comes without conversations: they are made of its tasks' own calls and its own records."""
    data = Path(os.environ.get("SETTLE_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")) / "tau2-retail"
    if not data.is_dir():
        pytest.skip("no τ²-bench retail data: put it in ../shared/data/tau2-retail, or set SETTLE_SHARED_DATA")
    orders = json.loads((data / "db.json").read_text())["orders"]

    @tool(effect="read", readers={"": "requester"})
    async def get_order_details(ctx: ToolContext, order_id: str) -> Record:
        """An order."""
        return Record(record={**orders[order_id], "status": changed.get(order_id, orders[order_id]["status"])})

    changed: dict[str, JsonValue] = {}
    played = 0
    for task in json.loads((data / "tasks.json").read_text()):
        reads = [one for one in task["evaluation_criteria"]["actions"] if one["arguments"].get("order_id") in orders]
        reads = [one for one in reads if one["name"] == "get_order_details"]
        if not reads:
            continue
        words = task["user_scenario"]["instructions"]["reason_for_call"]
        talk: list[dict[str, Any]] = [{"role": "user", "content": words}]
        for one in reads:
            its_id, asked = one["action_id"], one["arguments"]
            talk.append({"role": "assistant", "tool_calls": [{"id": its_id, "name": one["name"], "arguments": asked}]})
            talk.append({"role": "tool", "id": its_id, "content": json.dumps({"record": orders[asked["order_id"]]})})
        first = reads[0]["arguments"]["order_id"]
        for status in (None, "lost"):
            changed = {first: status} if status else {}
            recorded = RecordedModel(talk, then=[call("finish", reply="Done.")])
            assert (await Agent(recorded, [get_order_details]).run(*recorded.words)).finished
            recorded.finish()
            paths = {one.path for one in recorded.differences}
            assert paths == ({"answer.record.status"} if status else set()), task["id"]
        played += 1
    assert played > 50
