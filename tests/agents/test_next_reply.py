"""What a run would say next: only what is still true, and nothing happens when it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from agents import Claimed, Ended, ReceiptState, ToolFailed, ToolOutcomeUnknown
from agents.testing import MemoryHelpdesk
from agents.ticket import Message
from tests.agents.builders import REFUND, Desk, desk, order

APPROVE = REFUND.replace(
    'amount: "${order.total}"}}\n  - {id: reply', 'amount: "${order.total}"}, approve: "true"}\n  - {id: reply'
)


class Mute(MemoryHelpdesk):
    """A helpdesk that takes no replies."""

    async def reply(self, ticket_id: str, text: str, *, key: str) -> Message:
        raise ToolFailed("the helpdesk takes no replies")


def raises(error: Exception) -> Any:
    def act() -> None:
        raise error

    return act


async def stopped(one: Desk) -> str:
    """Run to a handoff, and say what would be said next; asking leaves everything as it was."""
    end = await one.run()
    assert isinstance(end, Ended), end
    before = (dict(one.journal.receipts), dict(one.journal.events), list(one.shop.log), list(one.told))
    said = await one.executor().next_reply(one.work())
    assert (one.journal.receipts, one.journal.events, one.shop.log, one.told) == before
    assert one.helpdesk.replies("T-1") == []
    return said


@pytest.mark.parametrize(
    ("orders", "reply"),
    [
        ([order("10001")], "Refunded 25.00 USD."),
        ([order("10001", refunded_minor=1)], "It was refunded before."),
        ([], "No such order."),
    ],
)
async def test_a_reply_that_could_not_be_sent_is_known(orders: list[Any], reply: str) -> None:
    one = desk("10001", helpdesk=Mute())
    one.shop.orders = orders
    assert await stopped(one) == reply
    assert len(one.shop.refunds) == (1 if "25.00" in reply else 0)


async def test_a_question_that_could_not_be_asked_is_known() -> None:
    assert await stopped(desk("my mug is broken", helpdesk=Mute())) == "Which order, Ada?"


async def test_an_effect_that_failed_is_never_claimed() -> None:
    one = desk("10001")
    one.shop.before = raises(ToolFailed("no money left"))
    assert await stopped(one) == ""


async def test_an_effect_that_nobody_knows_of_is_never_claimed() -> None:
    one = desk("10001")
    one.shop.before = raises(ToolOutcomeUnknown("the line was cut"))
    one.shop.looking = raises(ToolOutcomeUnknown("the line is cut"))
    assert await stopped(one) == ""
    assert one.journal.receipts["acme", "task-1:refund"].state is ReceiptState.ABOUT_TO


async def test_an_effect_that_a_person_refused_is_never_claimed() -> None:
    one = desk("10001", text=APPROVE)
    await one.run()
    one.answer(approved=False)
    assert await stopped(one) == ""


async def test_an_effect_on_what_the_requester_no_longer_names_is_not_reported() -> None:
    one = desk("10001", helpdesk=Mute())
    await one.run()
    one.helpdesk.write("T-1", "Sorry, I meant 10002.")
    assert await one.executor().next_reply(one.work()) == ""


async def test_a_reply_that_may_have_been_sent_is_not_suggested_again() -> None:
    one = desk("10001", helpdesk=Mute())
    await one.run()
    key = ("acme", "task-1:run-1:reply")
    one.journal.receipts[key] = one.journal.receipts[key].with_(state=ReceiptState.ABOUT_TO)
    assert await one.executor().next_reply(one.work()) == ""


async def test_after_the_last_reply_there_is_no_other() -> None:
    one = desk("10001")
    assert isinstance(await one.run(), Claimed)
    assert await one.executor().next_reply(one.work()) == ""
