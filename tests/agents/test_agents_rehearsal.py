"""Rehearsed tools: reads are real, effects are made up, and nothing of a tool with an effect is ever run."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field, JsonValue

from agents import Claimed, MemoryJournal, Money, ToolContext, ToolFailed, tool
from agents.errors import InvalidTool
from agents.policy.approval import ApprovalState
from agents.rehearsal import RehearsalHelpdesk, approve_all, rehearsed
from agents.tools import Toolbox, reply
from agents.tools.tool import Tool
from tests.agents.builders import REFUND, context, desk

MONEY: JsonValue = {"minor": 2500, "currency": "USD"}


class Booked(BaseModel):
    number: str
    amount: Money
    status: Literal["booked", "refused"]
    count: int = Field(ge=0)


class Strict(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{3}-\d{5}$")


class Sparse(BaseModel):
    number: str
    code: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")


async def _nothing(ctx: ToolContext, number: str, amount: Money) -> Booked | None:
    raise AssertionError("a look-up in a rehearsal")


def _book(**options: object) -> Tool:
    @tool(effect="write", sinks={"number"}, lookup=_nothing, name="books.book", **options)  # type: ignore[arg-type]
    async def book(ctx: ToolContext, number: str, amount: Money) -> Booked:
        raise AssertionError("an effect in a rehearsal")

    return book


def only(one: Tool) -> Tool:
    found = rehearsed(Toolbox([one])).get(one.name)
    assert found is not None
    return found


async def test_an_effect_answers_with_its_arguments_in_a_sample_of_its_output() -> None:
    made = await only(_book()).call(context(), {"number": "N-1", "amount": MONEY})
    assert made == {"number": "N-1", "amount": MONEY, "status": "booked", "count": 1}


async def test_nothing_of_an_effect_runs_not_even_its_look_up() -> None:
    assert await only(_book()).look_up(context(), {"number": "N-1", "amount": MONEY}) is None


async def test_a_tool_says_itself_what_it_would_answer_and_reaches_nothing() -> None:
    seen: list[ToolContext] = []

    def pretend(ctx: ToolContext, number: str, amount: Money) -> Booked:
        seen.append(ctx)
        return Booked(number=number, amount=amount, status="refused", count=0)

    made = await only(_book(rehearse=pretend)).call(context(), {"number": "N-1", "amount": MONEY})
    assert made["status"] == "refused"
    (given,) = seen
    assert (dict(given.settings), given.browser, given.helpdesk) == ({}, None, None)


def test_a_rehearsal_has_the_parameters_of_its_tool() -> None:
    def pretend(ctx: ToolContext, number: str) -> Booked:
        raise AssertionError

    async def waits(ctx: ToolContext, number: str, amount: Money) -> Booked:
        raise AssertionError

    for wrong in (pretend, waits):
        with pytest.raises(InvalidTool, match="plain function of the same parameters: number, amount"):
            _book(rehearse=wrong)


async def test_an_answer_that_nobody_can_make_up_says_how_to_declare_one() -> None:
    async def find(ctx: ToolContext, code: str) -> Strict | None:
        raise AssertionError

    @tool(effect="write", sinks={"code"}, lookup=find, name="books.code")
    async def issue(ctx: ToolContext, code: str) -> Strict:
        raise AssertionError

    assert await only(issue).call(context(), {"code": "ABC-12345"}) == {"code": "ABC-12345"}
    with pytest.raises(ToolFailed, match=r"declare one with @tool\(\.\.\., rehearse=function\)") as caught:
        await only(issue).call(context(), {"code": "abc"})
    assert caught.value.code == "cannot_rehearse"


async def test_what_need_not_be_there_is_left_out_where_no_sample_fits() -> None:
    async def find(ctx: ToolContext, number: str) -> Sparse | None:
        raise AssertionError

    @tool(effect="write", sinks={"number"}, lookup=find, name="books.sparse")
    async def book(ctx: ToolContext, number: str) -> Sparse:
        raise AssertionError

    assert await only(book).call(context(), {"number": "N-1"}) == {"number": "N-1", "code": None}


async def test_a_run_goes_through_and_only_reads() -> None:
    live = desk("Order 10001: refund please")
    ticket = live.helpdesk.tickets["T-1"]
    rehearsal = RehearsalHelpdesk(ticket, clock=live.clock)
    live.toolbox, live.helpdesk, live.journal = rehearsed(live.toolbox), rehearsal, MemoryJournal()  # type: ignore[assignment]
    work = desk("Order 10001: refund please").work()
    end = await live.run(work)
    assert isinstance(end, Claimed)
    assert end.claim.subject == "order:10001"
    assert live.shop.log == ["find", "observe"]
    assert live.shop.refunds == {}
    assert rehearsal.replies == ["Refunded 25.00 USD."]


async def test_approvals_are_given_and_counted() -> None:
    text = REFUND.replace('amount: "${order.total}"}}\n  - {id: reply', 'amount: "${order.total}"}, approve: "true"}\n'
                          "  - {id: reply")  # fmt: skip
    live = desk("Order 10001: refund please", text=text)
    live.toolbox = rehearsed(live.toolbox)
    await live.run()
    (asked,) = approve_all(live.journal)
    assert asked.tool == "shop.refund"
    assert approve_all(live.journal) == []
    assert [one.state for one in live.journal.approvals.values()] == [ApprovalState.APPROVED]
    assert isinstance(await live.run(live.work(job=2)), Claimed)
    assert live.shop.refunds == {}


async def test_later_messages_come_one_at_a_time_and_are_new_to_the_run() -> None:
    live = desk("refund please")
    rehearsal = RehearsalHelpdesk(live.helpdesk.tickets["T-1"], later=("10001", "thanks"), clock=live.clock)
    assert rehearsal.unread == 2
    assert rehearsal.deliver()
    ticket = await rehearsal.get("T-1")
    assert [message.text for message in ticket.requester_messages()] == ["refund please", "10001"]
    assert ticket.version == 2
    assert rehearsal.deliver()
    assert not rehearsal.deliver()


def test_the_reply_tool_stays_as_it_is() -> None:
    assert rehearsed(Toolbox([reply])).get(reply.name) is reply
