"""Tickets as real requesters write them: two issues in one, a change of mind, the same thing in two threads, files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from agents.policy.approval import ApprovalState
from agents.ticket import Attachment, Author, Ticket, TicketStatus
from service.attachments import MAX_BYTES, MAX_KEPT, attachments_of
from service.errors import AnswerRefused
from service.helpdesks.embedded import NewAttachment
from tests.examples.running import running as back_office
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work, swapped

Tool = Callable[..., Awaitable[Any]]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
WHERE = "Where is my order {order}? When will it arrive?"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


def ends(desk: RetailDesk, ticket: str) -> list[tuple[str, str, str]]:
    """(procedure, state, reason) of every task."""
    return [(one.procedure, one.state.value, one.reason) for one in desk.tasks(ticket)]


def charges(desk: RetailDesk, ticket: str) -> dict[str | None, int]:
    """What each outcome of a ticket costs now."""
    return {line.outcome_type: line.amount_minor for line in desk.lines(ticket)}


async def test_two_issues_are_two_tasks_and_one_reply(tmp_path: Path, office: Office) -> None:
    broken, coming = office.order("two@example.com"), office.order("two@example.com", status="shipped")
    async with desk_at_work(tmp_path, office) as desk:
        text = f"{BROKEN.format(order=broken)} And another thing. {WHERE.format(order=coming)}"
        await desk.asks("T-1", "two@example.com", text)
        assert ends(desk, "T-1") == [("refund-damaged-item", "claimed", ""), ("where-is-my-order", "claimed", "")]
        (reply,) = await desk.replies("T-1")
        assert reply.count("Hello") == reply.count("Kind regards") == 1
        assert reply.index(broken) < reply.index(coming)
        assert (await desk.ticket("T-1")).status is TicketStatus.RESOLVED
        await desk.settle()
        assert charges(desk, "T-1") == {"refund_issued": 99, "order_status_told": 29}
        assert office.refunds(broken) == [3490]


async def test_the_same_issue_on_two_orders_is_two_tasks(tmp_path: Path, office: Office) -> None:
    one, other = office.order("twice@example.com"), office.order("twice@example.com", total=1200)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "twice@example.com", f"{BROKEN.format(order=one)} {BROKEN.format(order=other)}")
        await desk.settle()
        assert (office.refunds(one), office.refunds(other)) == ([3490], [1200])
        assert sorted(line.subject for line in desk.lines("T-1")) == [f"order:{one}", f"order:{other}"]
        assert desk.charged() == 198
        assert len(await desk.replies("T-1")) == 1


async def test_the_final_reply_waits_for_the_issue_that_needs_approval(tmp_path: Path, office: Office) -> None:
    broken, dear = office.order("dear@example.com"), office.order("dear@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "dear@example.com", f"{BROKEN.format(order=broken)} {BROKEN.format(order=dear)}")
        assert office.refunds(broken) == [3490]
        assert await desk.replies("T-1") == []
        assert (await desk.ticket("T-1")).status is TicketStatus.WAITING
        (approval,) = desk.approvals("T-1")
        await desk.run.desk.answer_approval(approval.id, approved=True, by="lead")
        await desk.run.desk.idle()
        assert office.refunds(broken) == [3490]
        assert office.refunds(dear) == [33800]
        assert [one.state.value for one in desk.tasks("T-1")] == ["claimed", "claimed"]
        (reply,) = await desk.replies("T-1")
        assert broken in reply
        assert dear in reply


async def test_one_issue_done_and_one_for_a_person(tmp_path: Path, office: Office) -> None:
    broken, dear = office.order("part@example.com"), office.order("part@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "part@example.com", f"{BROKEN.format(order=broken)} {BROKEN.format(order=dear)}")
        (approval,) = desk.approvals("T-1")
        await desk.run.desk.answer_approval(approval.id, approved=False, by="lead", note="too much")
        await desk.run.desk.idle()
        assert [one.state.value for one in desk.tasks("T-1")] == ["claimed", "handed_off"]
        (reply,) = await desk.replies("T-1")
        assert broken in reply
        assert "colleague" in reply
        assert dear not in reply
        assert (await desk.ticket("T-1")).status is TicketStatus.WITH_STAFF
        await desk.settle()
        assert charges(desk, "T-1") == {"refund_issued": 99, None: 0}
        assert office.refunds(dear) == []


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("Please cancel order {order}. And when does my other parcel come?", "order_cancelled", "does my other parcel"),
        ("Bitte stornieren Sie Bestellung {order}. Wann kommt mein Paket an?", "order_status_told", "stornieren Sie"),
    ],
)
async def test_a_wish_that_no_task_covers_is_for_a_person(
    text: str, done: str, rest: str, tmp_path: Path, office: Office
) -> None:
    order = office.order("rest@example.com", status="processing")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "rest@example.com", text.format(order=order), subject=f"Order {order}")
        assert [end[1:] for end in ends(desk, "T-1")] == [("claimed", ""), ("handed_off", "part_left")]
        (reply,) = await desk.replies("T-1")
        assert order in reply
        assert "colleague" in reply or "Kolleg" in reply
        (note,) = await desk.notes("T-1")
        assert rest in note
        assert (await desk.ticket("T-1")).status is TicketStatus.WITH_STAFF
        await desk.settle()
        assert [*charges(desk, "T-1")] == [done, None]
        assert desk.charged() > 0


async def test_what_no_task_covers_waits_with_the_others_question(tmp_path: Path, office: Office) -> None:
    order = office.order("restwait@example.com")
    async with desk_at_work(tmp_path, office) as desk:
        text = "My mug arrived broken, please refund me. And when does my other parcel come?"
        await desk.asks("T-1", "restwait@example.com", text)
        assert [one.state.value for one in desk.tasks("T-1")] == ["waiting_requester", "open"]
        await desk.writes("T-1", f"It is order {order}.")
        assert ends(desk, "T-1") == [("refund-damaged-item", "claimed", ""), ("", "handed_off", "part_left")]
        *_, final = await desk.replies("T-1")
        assert order in final
        assert "colleague" in final


async def test_a_question_about_one_issue_does_not_keep_its_answer_from_the_other(
    tmp_path: Path, office: Office
) -> None:
    coming, other = (
        office.order("ask@example.com", status="shipped"),
        office.order("ask@example.com", status="processing"),
    )
    async with desk_at_work(tmp_path, office) as desk:
        text = f"{WHERE.format(order=coming)} Please change the delivery address of order {other}."
        await desk.asks("T-1", "ask@example.com", text)
        assert [one.state.value for one in desk.tasks("T-1")] == ["open", "waiting_requester"]
        (asked,) = await desk.replies("T-1")
        assert coming not in asked
        await desk.writes("T-1", "New address: Elm Street 5, Springfield")
        (approval,) = desk.approvals("T-1")
        assert approval.args["order_id"] == other
        await desk.run.desk.answer_approval(approval.id, approved=True, by="lead")
        await desk.run.desk.idle()
        _, final = await desk.replies("T-1")
        assert coming in final
        assert "Elm Street 5" in final
        assert [one.state.value for one in desk.tasks("T-1")] == ["claimed", "claimed"]


@pytest.mark.parametrize("later", ["One more thing, I am in a hurry.", "Sorry, I meant order {coming} for the refund."])
async def test_a_message_during_the_work_is_seen_before_the_final_reply(
    tmp_path: Path, office: Office, later: str
) -> None:
    broken, coming = office.order("late@example.com"), office.order("late@example.com", status="shipped")
    desks: list[RetailDesk] = []

    def interrupted(original: Tool) -> Tool:
        async def function(ctx: Any, **args: Any) -> Any:
            found = await original(ctx, **args)
            if not desks[0].told("run.ended", "T-1"):
                await desks[0].interjects("T-1", later.format(coming=coming))
            return found

        return function

    async with desk_at_work(tmp_path, office, tools=swapped("shop.find_orders", change=interrupted)) as desk:
        desks.append(desk)
        await desk.asks("T-1", "late@example.com", f"{BROKEN.format(order=broken)} {WHERE.format(order=coming)}")
        corrected = "{coming}" in later
        assert office.refunds(broken) == ([] if corrected else [3490])
        assert len(await desk.replies("T-1")) == 1
        assert [one.reason for one in desk.tasks("T-1")] == (["ambiguous_input", ""] if corrected else ["", ""])
        messages = (await desk.ticket("T-1")).messages
        assert [one.author for one in messages if one.public] == [Author.REQUESTER, Author.REQUESTER, Author.AGENT]


async def test_a_change_of_mind_starts_another_procedure(tmp_path: Path, office: Office) -> None:
    order = office.order("mind@example.com", status="processing")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "mind@example.com", f"Please change the delivery address of order {order}.")
        assert desk.stands("T-1") == ("waiting_requester", "input_missing")
        await desk.writes("T-1", "Forget the address. Please cancel my order, I do not need it any more.")
        assert ends(desk, "T-1") == [("cancel-order", "claimed", "")]
        await desk.settle()
        assert charges(desk, "T-1") == {"order_cancelled": 79}


async def test_a_new_issue_after_the_answer_is_no_reopening(tmp_path: Path, office: Office) -> None:
    broken, coming = office.order("more@example.com"), office.order("more@example.com", status="shipped")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "more@example.com", BROKEN.format(order=broken))
        await desk.writes("T-1", f"Great, thank you. {WHERE.format(order=coming)}")
        assert [one.state.value for one in desk.tasks("T-1")] == ["claimed", "claimed"]
        await desk.writes("T-1", "Thanks!")
        await desk.settle()
        assert charges(desk, "T-1") == {"refund_issued": 99, "order_status_told": 29}
        assert len(await desk.replies("T-1")) == 2


async def test_a_complaint_about_one_of_two_issues_takes_back_that_one(tmp_path: Path, office: Office) -> None:
    broken, coming = office.order("one@example.com"), office.order("one@example.com", status="shipped")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "one@example.com", f"{BROKEN.format(order=broken)} {WHERE.format(order=coming)}")
        await desk.settle()
        await desk.writes("T-1", f"I still have no money for order {broken}, this is not solved!")
        assert charges(desk, "T-1") == {"refund_issued": 0, "order_status_told": 29}
        assert (await desk.ticket("T-1")).status is TicketStatus.WITH_STAFF


async def test_asking_again_in_a_new_thread_is_answered_again_and_charged_once(tmp_path: Path, office: Office) -> None:
    order = office.order("again2@example.com", status="shipped")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "again2@example.com", WHERE.format(order=order))
        await desk.settle()
        assert desk.charged() == 29
        await desk.asks("T-2", "again2@example.com", f"Still nothing here. {WHERE.format(order=order)}")
        await desk.settle()
        assert desk.outcome("T-1") == ("reversed", "same_subject_reopened", 0)
        assert desk.outcome("T-2") == ("settled", "proof_stands", 29)


async def test_other_words_about_what_is_under_way_go_to_a_person(tmp_path: Path, office: Office) -> None:
    order = office.order("busy@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "busy@example.com", BROKEN.format(order=order))
        assert desk.stands("T-1")[0] == "waiting_approval"
        await desk.asks("T-2", "busy@example.com", f"Hello? {BROKEN.format(order=order)}")
        assert desk.stands("T-2") == ("handed_off", "already_under_way")
        assert desk.stands("T-1")[0] == "waiting_approval"


async def test_another_requester_is_another_episode(tmp_path: Path, office: Office) -> None:
    order = office.order("mine@example.com")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "mine@example.com", BROKEN.format(order=order))
        await desk.settle()
        await desk.asks("T-2", "other@example.com", BROKEN.format(order=order))
        assert desk.outcome("T-1") == ("settled", "proof_stands", 99)
        assert desk.stands("T-2")[0] == "answered"


async def test_a_merged_ticket_is_left_alone(tmp_path: Path, office: Office) -> None:
    order = office.order("merge@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "merge@example.com", BROKEN.format(order=order))
        await desk.opens("T-2", "merge@example.com", "A wholesale enquiry")
        desk.run.embedded.merge("T-1", into="T-2")
        await desk.run.desk.notice("T-1")
        await desk.run.desk.idle()
        assert desk.stands("T-1") == ("excluded", "merged")
        assert office.refunds(order) == []


async def test_a_question_nobody_answers_is_closed_and_can_still_be_answered(tmp_path: Path, office: Office) -> None:
    order = office.order("silent@example.com")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "silent@example.com", "My mug arrived broken, please refund me.")
        desk.run.clock.move_to(desk.run.clock.now() + timedelta(days=6))
        await desk.run.desk.catch_up()
        assert desk.stands("T-1") == ("waiting_requester", "input_missing")
        desk.run.clock.move_to(desk.run.clock.now() + timedelta(days=2))
        for _ in range(2):
            await desk.run.desk.catch_up()
            await desk.run.desk.idle()
        assert desk.stands("T-1") == ("answered", "no_answer")
        assert (await desk.ticket("T-1")).status is TicketStatus.RESOLVED
        assert len(await desk.replies("T-1")) == 1
        await desk.writes("T-1", f"Sorry, I was away. It is order {order}.")
        assert desk.stands("T-1") == ("claimed", "")
        assert office.refunds(order) == [3490]


async def test_an_approval_nobody_gives_ends_with_a_person(tmp_path: Path, office: Office) -> None:
    order = office.order("slow@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "slow@example.com", BROKEN.format(order=order))
        desk.run.clock.move_to(desk.run.clock.now() + timedelta(hours=25))
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert desk.stands("T-1") == ("handed_off", "approval_expired")
        assert office.refunds(order) == []


async def test_attachments_are_kept_as_evidence_or_refused_with_a_reason(tmp_path: Path, office: Office) -> None:
    order = office.order("photo@example.com")
    files = [
        NewAttachment(name="mug.png", media_type="image/png", data=PNG),
        NewAttachment(name="../../invoice.pdf", media_type="application/pdf", data=b"MZ\x90 not a pdf"),
        NewAttachment(name="run.exe", media_type="application/x-msdownload", data=b"MZ"),
        NewAttachment(name="big.txt", media_type="text/plain", data=b"x" * (MAX_BYTES + 1)),
        *(NewAttachment(name=f"{n}.txt", media_type="text/plain", data=b"more") for n in range(MAX_KEPT)),
    ]
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "photo@example.com", BROKEN.format(order=order), attachments=files)
        run = desk.newest_run("T-1")
        seen = Ticket.model_validate_json(desk.run.evidence.get(run.ticket_sha256))
        kept: list[Attachment] = list(attachments_of(seen))
        assert desk.run.evidence.get(kept[0].sha256) == PNG
        assert [bool(one.sha256) for one in kept[:4]] == [True, False, False, False]
        for one, word in zip(kept[1:4], ("is not", "type", "bytes"), strict=True):
            assert word in one.refused
        assert [one.refused != "" for one in kept[4:]] == [False] * (MAX_KEPT - 4) + [True] * 4
        assert desk.stands("T-1") == ("claimed", "")


async def test_an_approval_with_another_amount_makes_that_call_and_no_other(tmp_path: Path, office: Office) -> None:
    order = office.order("less@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "less@example.com", BROKEN.format(order=order))
        (approval,) = desk.approvals("T-1")
        wrongs: list[dict[str, JsonValue]] = [{"order_id": order}, {**approval.args, "amount": "much"}]
        for wrong in wrongs:
            with pytest.raises(AnswerRefused):
                await desk.run.desk.answer_approval(approval.id, approved=True, by="lead", modified_args=wrong)
        half: dict[str, JsonValue] = {**approval.args, "amount": {"minor": 16900, "currency": "USD"}}
        await desk.run.desk.answer_approval(approval.id, approved=True, by="lead", modified_args=half)
        await desk.run.desk.answer_approval(approval.id, approved=False, by="another")
        await desk.run.desk.idle()
        assert office.refunds(order) == [16900]
        (after,) = desk.approvals("T-1")
        assert (after.state, after.decided_by, after.modified_args) == (ApprovalState.USED, "lead", half)
        assert desk.stands("T-1") == ("handed_off", "not_proven"), "the contract wants the whole amount back"
        assert desk.charged() == 0


async def test_who_passes_an_approval_on_does_not_answer_it(tmp_path: Path, office: Office) -> None:
    order = office.order("up@example.com", total=33800)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "up@example.com", BROKEN.format(order=order))
        (approval,) = desk.approvals("T-1")
        desk.run.clock.move_to(desk.run.clock.now() + timedelta(hours=20))
        await desk.run.desk.escalate_approval(approval.id, by="ann", to="the head of support", note="above my limit")
        for answer in (
            desk.run.desk.escalate_approval(approval.id, by="Ann", to="bob"),
            desk.run.desk.answer_approval(approval.id, approved=True, by="ann"),
        ):
            with pytest.raises(AnswerRefused, match="passed"):
                await answer
        desk.run.clock.move_to(desk.run.clock.now() + timedelta(hours=20))
        await desk.run.desk.answer_approval(approval.id, approved=True, by="head")
        await desk.run.desk.idle()
        assert office.refunds(order) == [33800]
        with pytest.raises(AnswerRefused, match="answered"):
            await desk.run.desk.escalate_approval(approval.id, by="bob", to="nobody")


@pytest.mark.parametrize("skew", [timedelta(hours=-2), timedelta(hours=2)])
async def test_a_helpdesk_whose_clock_is_wrong_reopens_nothing_and_misses_nothing(
    tmp_path: Path, office: Office, skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("clock@example.com")
    async with desk_at_work(tmp_path, office) as desk:
        now = desk.run.clock.now

        class Skewed:
            def now(self) -> datetime:
                return now() + skew

        monkeypatch.setattr(desk.run.embedded, "_clock", Skewed())
        await desk.asks("T-1", "clock@example.com", BROKEN.format(order=order))
        desk.run.embedded.rate("T-1", 5)
        await desk.run.desk.notice("T-1")
        await desk.run.desk.idle()
        assert desk.stands("T-1") == ("claimed", "")
        await desk.writes("T-1", "It is still broken, and I have no money!")
        assert desk.stands("T-1") == ("handed_off", "reopened")
        assert desk.outcome("T-1")[:2] == ("void", "reopened_before_settlement")


async def test_a_ticket_may_have_any_id(tmp_path: Path, office: Office) -> None:
    order = office.order("odd@example.com")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("desk#7/é %23", "odd@example.com", BROKEN.format(order=order))
        assert desk.stands("desk#7/é %23") == ("claimed", "")


@pytest.mark.parametrize(
    "messages",
    [
        ["Please do NOT cancel my order {order}! I still want it."],
        ["Please cancel order {order}.", "Oh wait, please don't cancel it! I changed my mind, keep it."],
        ["Is it too late to cancel order {order}? I'm only asking, don't do anything yet."],
        ["cancel my order {order} only if it has not been shipped before Friday"],
    ],
)
async def test_a_wish_in_doubt_is_for_a_person(tmp_path: Path, office: Office, messages: list[str]) -> None:
    order = office.order("doubt@example.com", status="processing")
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "doubt@example.com", *(text.format(order=order) for text in messages), subject="Order")
        assert desk.stands("T-1")[0] == "handed_off"
        assert office.version(order) == 1
        assert desk.charged() == 0


@pytest.mark.parametrize(
    "messages",
    [
        ["Die Vase aus Bestellung {order} kam zerbrochen an, bitte erstatten Sie den Betrag, aber nur 10 Euro."],
        ["My mug arrived broken, please refund me.", "Order {order}. But only 10 dollars of it."],
    ],
)
async def test_a_wish_with_a_limit_is_for_a_person(tmp_path: Path, office: Office, messages: list[str]) -> None:
    order = office.order("limit@example.com")
    first, *later = (text.format(order=order) for text in messages)
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "limit@example.com", first)
        for text in later:
            assert desk.stands("T-1")[0] == "waiting_requester"
            await desk.writes("T-1", text)
        assert desk.stands("T-1") == ("handed_off", "limited_wish")
        assert office.refunds(order) == []
        assert desk.charged() == 0


async def test_a_wish_taken_back_meanwhile_is_not_carried_out(tmp_path: Path, office: Office) -> None:
    order = office.order("back@example.com", status="processing")
    desks: list[RetailDesk] = []

    def interrupted(original: Tool) -> Tool:
        async def function(ctx: Any, **args: Any) -> Any:
            found = await original(ctx, **args)
            if not desks[0].told("run.ended", "T-1"):
                await desks[0].interjects("T-1", "Stop, do not cancel it!")
            return found

        return function

    async with desk_at_work(tmp_path, office, tools=swapped("shop.find_orders", change=interrupted)) as desk:
        desks.append(desk)
        await desk.asks("T-1", "back@example.com", f"Please cancel my order {order}, I do not need it any more.")
        assert desk.stands("T-1") == ("handed_off", "unclear_wish")
        assert office.version(order) == 1


async def test_full_width_digits_are_digits(tmp_path: Path, office: Office) -> None:
    order = office.order("wide@example.com", status="processing")
    wide = order.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)})
    async with desk_at_work(tmp_path, office) as desk:
        await desk.asks("T-1", "wide@example.com", f"请取消我的订单{wide}，不想要了")
        await desk.settle()
        assert desk.outcome("T-1") == ("settled", "proof_stands", 79)


async def test_the_state_is_for_its_owner_alone(tmp_path: Path, office: Office) -> None:
    async with desk_at_work(tmp_path, office) as desk:
        assert desk.run.state.folder.stat().st_mode & 0o077 == 0
