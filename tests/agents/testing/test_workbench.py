"""The workbench: live work's executor and policy on a ticket in memory, with assertions that say what happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from agents import Claimed, Ended, TaskState, ToolFailed
from agents.errors import InvalidDocument
from agents.testing import NOW, REQUESTER, Allow, Deny, ManualClock, NeedsApproval, Workbench, on_record, said
from tests.agents.builders import REFUND, REPLIES, Shop

BROKEN = "My mug arrived broken, order #10001"


def refunds(text: str = REFUND) -> tuple[Workbench, Shop]:
    shop = Shop()
    return Workbench(shop.tools(), procedure=text, replies=REPLIES), shop


async def test_a_procedure_is_run_to_its_claim() -> None:
    bench, shop = refunds()
    assert isinstance(await bench.resolve(BROKEN), Claimed)
    (receipt,) = bench.assert_called("shop.refund", order_id="10001")
    assert receipt.key in shop.refunds
    assert [one.tool for one in bench.receipts] == ["shop.find", "shop.refund", "conversation.reply"]
    assert bench.sent == ["Refunded 25.00 USD."]
    assert [one.key for one in bench.observed] == [receipt.key]
    bench.assert_not_called("shop.refund", order_id="10002")
    with pytest.raises(AssertionError, match=r"shop.refund was called; these calls were made:\n  shop.find"):
        bench.assert_not_called("shop.refund")
    with pytest.raises(AssertionError, match="was not called with order_id='10002'; these calls"):
        bench.assert_called("shop.refund", order_id="10002")
    with pytest.raises(AssertionError, match="was not called with orderid="):
        bench.assert_called("shop.refund", orderid="10001")


async def test_later_words_are_delivered_when_the_run_waits_for_them() -> None:
    bench, _ = refunds()
    end = await bench.resolve("My mug arrived broken")
    assert isinstance(end, Ended)
    assert end.state is TaskState.WAITING_REQUESTER
    assert isinstance(await bench.resolve("It is #10002"), Claimed)
    bench, _ = refunds()
    assert isinstance(await bench.resolve("My mug arrived broken", "It is #10002"), Claimed)
    bench.assert_called("shop.refund", order_id="10002")
    with pytest.raises(AssertionError, match="nobody waited for 'and another thing'"):
        await refunds()[0].resolve(BROKEN, "and another thing")


@pytest.mark.parametrize("yes", [True, False])
async def test_a_person_is_asked(yes: bool) -> None:
    bench, shop = refunds(
        REFUND.replace('"${order.total}"}}\n  - {id: reply', '"${order.total}"}, approve: "true"}\n  - {id: reply')
    )
    end = await bench.resolve(BROKEN)
    assert isinstance(end, Ended)
    assert (end.state, shop.refunds) == (TaskState.WAITING_APPROVAL, {})
    bench.approve() if yes else bench.reject()
    assert isinstance(await bench.resolve(), Claimed if yes else Ended)
    assert len(shop.refunds) == yes
    with pytest.raises(AssertionError, match="nothing waits"):
        bench.approve()


def test_what_a_procedure_may_call_is_in_its_grant() -> None:
    bench, _ = refunds()
    assert bench.granted == {
        ("orders", "shop.find"): 1,
        ("order.else", "conversation.reply"): 1,
        ("fresh.else", "conversation.reply"): 1,
        ("refund", "shop.refund"): 1,
        ("reply", "conversation.reply"): 1,
        ("ask.order_id", "conversation.reply"): 1,
    }
    with pytest.raises(InvalidDocument, match=r"did you mean 'shop\.find'"):
        _ = refunds(REFUND.replace("shop.find,", "shop.fnd,"))[0].granted


def test_the_policy_decides_by_where_arguments_come_from() -> None:
    bench, shop = refunds()
    amount: JsonValue = {"minor": 2500, "currency": "USD"}
    assert bench.decide("shop.refund", order_id="10001", amount=amount) == Allow()
    assert bench.decide("shop.refund", order_id=on_record("10001"), amount=on_record(amount)) == Allow()
    asked = bench.decide("shop.refund", order_id=said("10001"), amount=on_record(amount))
    assert isinstance(asked, NeedsApproval)
    assert "order_id" in asked.reason
    foreign = bench.decide("shop.refund", order_id=on_record("10001", of="eve@example.com"), amount=amount)
    assert isinstance(foreign, Deny)
    assert foreign.code == "not_the_requesters"
    assert bench.decide("shop.find", email=said(REQUESTER)) == Allow()
    unknown = bench.decide("shop.fnd", email=REQUESTER)
    assert isinstance(unknown, Deny)
    assert (unknown.code, shop.log) == ("unknown_tool", [])


async def test_a_tool_is_called_alone_under_a_key(tmp_path: Path) -> None:
    (tmp_path / "stamps.py").write_text(STAMPS)
    clock = ManualClock(NOW)
    bench = Workbench([tmp_path / "stamps.py"], settings={"mark": "paid"}, clock=clock)
    assert await bench.look_up("stamps.stamp", order_id="1") is None
    assert await bench.call("stamps.stamp", order_id="1") == {"order_id": "1", "mark": "paid key-1 2026"}
    bench.key = "key-2"
    assert await bench.look_up("stamps.stamp", order_id="1") is None
    with pytest.raises(ToolFailed, match="argument order_id"):
        await bench.call("stamps.stamp")
    with pytest.raises(AssertionError, match=r"there is no tool stamps\.stmp; there are conversation.reply"):
        await bench.call("stamps.stmp")
    with pytest.raises(AssertionError, match="say what the requester writes"):
        await bench.resolve()


STAMPS = '''
from pydantic import BaseModel
from agents import ToolContext, tool

class Stamp(BaseModel):
    order_id: str
    mark: str

STANDING = {}

async def find_stamp(ctx: ToolContext, order_id: str) -> Stamp | None:
    return STANDING.get(ctx.key)

@tool(effect="write", sinks={"order_id"}, lookup=find_stamp)
async def stamp(ctx: ToolContext, order_id: str) -> Stamp:
    """Stamp an order."""
    STANDING[ctx.key] = Stamp(order_id=order_id, mark=f"{ctx.setting('mark')} {ctx.key} {ctx.clock.now():%Y}")
    return STANDING[ctx.key]
'''


async def test_replies_may_be_written_in_the_test() -> None:
    text = (
        REFUND[: REFUND.index("inputs:")]
        + 'subject: "requester:${task.requester.email}"\nsteps: [{id: reply, reply: hi}]\n'
    )
    bench = Workbench(procedure=text, replies={"hi.en": "Hello, ${requester_name}."})
    assert isinstance(await bench.resolve("Hello"), Claimed)
    assert bench.sent == ["Hello, Ada."]
    with pytest.raises(AssertionError, match=r"hi\.en"):
        Workbench(replies={"hi": "Hello."})
