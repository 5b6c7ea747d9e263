"""Calls: what one answers, and what it leaves behind."""

from __future__ import annotations

import pytest

from agents import ToolFailed, ToolOutcomeUnknown
from agents.call import Answer, CallEnd
from agents.testing import MemoryHelpdesk
from agents.tools import reply
from tests.agents.builders import Desk, context, desk


@pytest.mark.parametrize("end", list(CallEnd))
def test_an_answer_survives_any_runtime(end: CallEnd) -> None:
    answer = Answer(end=end, code="c", reason="r")
    assert Answer.of(answer.data()) == answer


async def test_a_reply_is_sent_once_per_key_and_to_this_ticket_only() -> None:
    ctx = context("k")
    helpdesk = ctx.helpdesk
    assert isinstance(helpdesk, MemoryHelpdesk)
    helpdesk.open("T-1", "hi")
    helpdesk.open("T-2", "hi")
    assert await reply.look_up(ctx, {"text": "yes"}) is None
    first = await reply.call(ctx, {"text": "yes"})
    assert await reply.call(ctx, {"text": "yes"}) == first == await reply.look_up(ctx, {"text": "yes"})
    assert (helpdesk.replies("T-1"), helpdesk.replies("T-2")) == (["yes"], [])
    with pytest.raises(ToolOutcomeUnknown, match="another text"):
        await reply.look_up(ctx, {"text": "no"})
    with pytest.raises(ToolFailed):
        await reply.call(ctx, {"text": "yes", "ticket_id": "T-2"})


async def test_a_receipt_says_what_was_done_when_and_with_what() -> None:
    one: Desk = desk("10001")
    await one.run()
    receipt = one.journal.receipts["acme", "task-1:refund"]
    assert receipt.args == {"order_id": "10001", "amount": {"minor": 2500, "currency": "USD"}}
    assert receipt.result == {"order_id": "10001", "reference": "task-1:refund"}
    assert (receipt.procedure, receipt.step, receipt.run_id) == ("refund@3", "refund", "task-1:run-1")
    assert receipt.finished_at == receipt.started_at == one.clock.now()


async def test_the_listener_hears_an_effect_before_and_after() -> None:
    one = desk("10001")
    await one.run()
    heard = [event.kind.value for event in one.told if event.step == "refund"]
    assert heard == ["effect.about_to", "effect.called", "effect.done"]
