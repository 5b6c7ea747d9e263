"""The executor: from a ticket to a claim, a wait or a handoff, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import regex
from pydantic import BaseModel

from agents import (
    Claimed,
    Ended,
    MemoryJournal,
    Money,
    Receipt,
    ReceiptState,
    Superseded,
    TaskState,
    ToolContext,
    ToolFailed,
    Work,
    tool,
)
from agents.errors import InvalidDocument
from agents.policy.approval import ApprovalState
from agents.runtime import InlineRuntime
from agents.tools import Toolbox
from agents.trace import Event, EventKind
from tests.agents.builders import REFUND, REPLIES, Desk, Refund, desk, order

APPROVE = REFUND.replace(
    'amount: "${order.total}"}}\n  - {id: reply', 'amount: "${order.total}"}, approve: "true"}\n  - {id: reply'
)
KEY = "task-1:refund"


class Crash(BaseException):
    """The process dies here."""


def fails(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def writes(one: Desk, text: str) -> Callable[[], None]:
    def act() -> None:
        one.helpdesk.write("T-1", text)

    return act


def steps(text: str, subject: str = "order:x") -> str:
    head = REFUND.partition("subject:")[0]
    return f'{head}subject: "{subject}"\nsteps:\n{text}'


async def ended(one: Desk, **work: int) -> Ended:
    end = await one.run(one.work(**work))
    assert isinstance(end, Ended)
    return end


async def test_happy_path_ends_in_a_claim_with_its_receipts() -> None:
    one = desk("my mug, order #10001, arrived broken")
    end = await one.run()
    assert isinstance(end, Claimed)
    claim = end.claim
    assert claim.receipts == ("task-1:run-1:1:orders", KEY, "task-1:run-1:reply")
    assert (claim.subject, claim.outcome_type, claim.procedure) == ("order:10001", "refund_issued", "refund@3")
    assert one.helpdesk.replies("T-1") == ["Refunded 25.00 USD."] == [claim.reply]
    assert one.shop.refunds == {KEY: "10001 25.00 USD"}
    assert one.shop.log.count("refund") == 1
    assert {one.journal.receipts["acme", key].state for key in claim.receipts} == {ReceiptState.DONE}
    assert one.observer.seen[0].subject == "order:10001"


async def test_observer_is_called_before_anything_is_written() -> None:
    one = desk("10001")
    one.observer.error = RuntimeError("the snapshot failed")
    end = await ended(one)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, "no_snapshot")
    assert ("acme", KEY) not in one.journal.receipts
    assert one.shop.refunds == {}


async def test_a_pattern_that_never_ends_hands_the_task_off() -> None:
    one = desk("a" * 5_000 + "!")
    work = one.work()
    endless = replace(work.plan.inputs[0], pattern=regex.compile("(a|aa)+$"))
    work = replace(work, plan=replace(work.plan, inputs=(endless,)))
    end = await one.run(work)
    assert isinstance(end, Ended)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, "pattern_too_slow")
    assert one.shop.refunds == {}


async def test_a_repeated_job_makes_no_call_again_and_ends_the_same() -> None:
    one = desk("10001")
    work = one.work()
    first = await one.run(work)
    events = dict(one.journal.events)
    one.clock.advance(timedelta(minutes=1))
    assert await one.run(work) == first
    assert one.shop.log.count("refund") == 1
    assert len(one.helpdesk.replies("T-1")) == 1
    assert one.journal.events == events


async def test_trace_has_every_event_once_in_the_journal() -> None:
    one = desk("10001")
    await one.run()
    kinds = sorted((event.step, event.kind.value) for event in one.journal.events.values())
    assert kinds == [
        ("end", "run.ended"),
        ("fresh", "step.done"),
        ("order", "step.done"),
        ("orders", "step.done"),
        ("plan", "plan.made"),
        ("refund", "effect.about_to"),
        ("refund", "effect.done"),
        ("reply", "effect.about_to"),
        ("reply", "effect.done"),
    ]


async def test_what_happened_before_a_denied_call_is_recorded_too() -> None:
    one = desk("10001")
    one.observer.error = RuntimeError()
    await one.run()
    steps_ = {event.step for event in one.journal.events.values()}
    assert {"plan", "orders", "order", "fresh", "end"} <= steps_


async def test_plan_made_is_recorded_even_after_a_crash_before_the_first_call() -> None:
    one = desk("10001")
    work, runtime = one.work(), InlineRuntime()

    async def remembered() -> str:
        return one.clock.now().isoformat()

    await runtime.once("1", remembered)
    await one.run(work, runtime=runtime)
    assert EventKind.PLAN_MADE in {event.kind for event in one.journal.events.values()}


class CrashingJournal(MemoryJournal):
    """The process dies around the effect, once."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def begin(self, receipt: Receipt, *, target: str, approval_id: str | None, events: Sequence[Event]) -> None:
        super().begin(receipt, target=target, approval_id=approval_id, events=events)
        if receipt.key == KEY:
            self._die("before")

    def finish(self, receipt: Receipt, *, events: Sequence[Event]) -> Receipt:
        if receipt.key == KEY:
            self._die("after")
        return super().finish(receipt, events=events)

    def _die(self, where: str) -> None:
        if self.where == where:
            self.where = ""
            raise Crash


async def crashed(where: str, **fields: object) -> tuple[Desk, Work]:
    """A desk on which the first job died before, or after, its effect."""
    one = desk("10001", journal=CrashingJournal(where), **fields)
    work = one.work()
    with pytest.raises(Crash):
        await one.run(work)
    assert one.journal.receipts["acme", KEY].state is ReceiptState.ABOUT_TO
    return one, work


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_crash_around_an_effect_is_looked_up_and_the_effect_happens_once(where: str) -> None:
    one, work = await crashed(where)
    assert len(one.shop.refunds) == (where == "after")
    end = await one.run(work)
    assert isinstance(end, Claimed)
    effects = [entry for entry in one.shop.log if entry != "find"]
    assert effects == {"before": ["observe", "lookup", "refund"], "after": ["observe", "refund", "lookup"]}[where]
    assert one.shop.refunds == {KEY: "10001 25.00 USD"}


async def test_a_crash_then_a_lookup_that_cannot_tell_hands_off_and_repeats_nothing() -> None:
    one, work = await crashed("before")
    one.shop.looking = fails(RuntimeError("the shop is down"))
    end = await one.run(work)
    assert isinstance(end, Ended)
    assert (end.code, end.step) == ("outcome_unknown", "refund")
    assert "refund" not in one.shop.log
    assert one.journal.receipts["acme", KEY].state is ReceiptState.ABOUT_TO


async def test_a_crash_then_a_newer_message_is_seen_before_the_effect_is_made_after_all() -> None:
    one, work = await crashed("before")
    one.helpdesk.write("T-1", "stop, I found my mug")
    assert await one.run(work) == Superseded()
    assert one.shop.refunds == {}


async def test_a_crash_then_a_grant_that_ended_makes_no_effect() -> None:
    one = desk("10001", journal=CrashingJournal("before"))
    work, runtime = one.work(), InlineRuntime()
    with pytest.raises(Crash):
        await one.run(work, runtime=runtime)
    one.clock.advance(timedelta(hours=2))
    end = await one.run(work, runtime=runtime)
    assert isinstance(end, Ended)
    assert end.code == "grant_expired"
    assert one.shop.refunds == {}


async def test_a_crash_after_an_approved_effect_was_begun_needs_no_second_approval() -> None:
    one = desk("10001", journal=CrashingJournal("before"), text=APPROVE)
    await one.run()
    one.answer()
    work = one.work(job=2)
    with pytest.raises(Crash):
        await one.run(work)
    assert isinstance(await one.run(work), Claimed)
    assert len(one.shop.refunds) == 1


async def test_an_effect_that_happens_and_then_raises_is_found_by_the_lookup() -> None:
    one = desk("10001")
    one.shop.after = fails(RuntimeError("connection lost"))
    assert isinstance(await one.run(), Claimed)
    assert one.shop.log == ["find", "observe", "refund", "lookup"]


async def test_an_effect_that_does_not_happen_is_tried_again_only_after_a_lookup() -> None:
    one = desk("10001")
    one.shop.before = fails(RuntimeError("refused"))
    end = await ended(one)
    assert end.code == "tool_failed"
    assert one.shop.log == ["find", "observe", "refund", "lookup", "refund", "lookup"]


async def test_an_effect_that_says_it_changed_nothing_is_not_tried_again() -> None:
    one = desk("10001")
    one.shop.before = fails(ToolFailed("closed on Sundays", code="closed"))
    end = await ended(one)
    assert (end.code, end.step) == ("closed", "refund")
    assert one.shop.log.count("refund") == 1
    assert one.helpdesk.replies("T-1") == []


async def test_the_same_key_with_other_arguments_goes_to_a_person() -> None:
    one, _ = await crashed("before")
    one.shop.orders = [order("10001", total=1_00)]
    end = await ended(one, run=2)
    assert end.code == "key_conflict"
    assert one.shop.refunds == {}


async def test_the_same_key_with_another_tool_goes_to_a_person() -> None:
    @tool(effect="write", sinks={"order_id"}, lookup=_nothing, name="shop.refund_twice")
    async def again(ctx: ToolContext, order_id: str, amount: Money) -> Refund:
        raise AssertionError("never called")

    one, _ = await crashed("before", extra=(again,))
    one.text = REFUND.replace("tool: shop.refund", "tool: shop.refund_twice")
    assert (await ended(one, run=2)).code == "key_conflict"


async def _nothing(ctx: ToolContext, order_id: str, amount: Money) -> Refund | None:
    return None


async def test_a_second_step_with_the_same_target_is_refused() -> None:
    twice = REFUND.replace(
        "  - {id: reply",
        '  - {id: more, tool: shop.refund, args: {order_id: "${order.id}", amount: "${order.total}"}}\n  - {id: reply',
    )
    one = desk("10001", text=twice)
    end = await ended(one)
    assert (end.code, end.step) == ("target_taken", "more")
    assert len(one.shop.refunds) == 1


async def test_a_newer_message_supersedes_the_run_before_its_effect() -> None:
    one = desk("10001")
    work = one.work()
    one.helpdesk.write("T-1", "no wait")
    assert await one.run(work) == Superseded()
    assert (one.shop.refunds, one.helpdesk.replies("T-1")) == ({}, [])
    assert isinstance(await one.run(one.work(job=2)), Claimed)


async def test_a_run_superseded_after_its_effect_goes_on_from_what_the_effect_rested_on() -> None:
    one = desk("10001")
    one.shop.after = writes(one, "are you there?")
    assert await one.run() == Superseded()
    end = await one.run(one.work(job=2))
    assert isinstance(end, Claimed)
    assert end.claim.outcome_type == "refund_issued"
    assert one.helpdesk.replies("T-1") == ["Refunded 25.00 USD."]
    assert one.shop.log.count("refund") == 1


async def test_another_order_named_after_the_effect_goes_to_a_person() -> None:
    one = desk("10001")
    one.shop.after = writes(one, "I meant 10002")
    assert await one.run() == Superseded()
    assert (await ended(one, job=2)).code == "key_conflict"
    assert len(one.shop.refunds) == 1


async def test_missing_input_is_asked_for_in_the_requesters_language_and_the_answer_is_used() -> None:
    one = desk("meine Tasse ist kaputt", language="de")
    end = await ended(one)
    assert (end.state, end.code, end.step) == (TaskState.WAITING_REQUESTER, "input_missing", "order_id")
    assert one.helpdesk.replies("T-1") == ["Welche Bestellung, Ada?"]
    one.helpdesk.write("T-1", "10001")
    assert isinstance(await one.run(one.work(job=2)), Claimed)
    assert one.helpdesk.replies("T-1")[1] == "Erstattet: 25,00 USD."


async def test_asking_ends_after_a_few_times() -> None:
    one = desk("hm")
    for job in (1, 2, 3):
        assert (await ended(one, job=job)).state is TaskState.WAITING_REQUESTER
        one.helpdesk.write("T-1", "hm")
    assert (await ended(one, job=4)).code == "no_answer"
    assert len(one.helpdesk.replies("T-1")) == 3


async def test_nothing_is_asked_twice_while_the_requester_is_silent() -> None:
    one = desk("hm")
    for job in (1, 2, 3, 4, 5):
        assert (await ended(one, job=job)).code == "input_missing"
    assert len(one.helpdesk.replies("T-1")) == 1


async def test_ambiguous_input_goes_to_a_person_and_nothing_is_read() -> None:
    one = desk("10001 or 10002")
    end = await ended(one)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, "ambiguous_input")
    assert one.shop.log == []


async def test_the_newest_message_that_names_a_value_counts_and_a_repeated_value_is_one() -> None:
    one = desk("10002", "sorry, 10001 I mean #10001", "please hurry")
    assert isinstance(await one.run(), Claimed)
    assert one.shop.refunds == {KEY: "10001 25.00 USD"}


async def test_an_input_may_stand_in_the_subject_line() -> None:
    one = Desk()
    one.helpdesk.open("T-1", "it broke", subject="order 10001")
    assert isinstance(await one.run(), Claimed)


async def test_a_match_without_a_value_is_no_value() -> None:
    text = REFUND.replace('"#?(\\\\d{5})"', '"order(?: (\\\\d{5}))?"')
    assert text != REFUND
    assert (await ended(desk("my order broke", text=text))).code == "input_missing"


async def test_a_hostile_flood_of_values_gives_a_short_reason() -> None:
    text = REFUND.replace('"#?(\\\\d{5})"', '"(\\\\S{5,})"')
    end = await ended(desk(" ".join("x" * 3000 + str(n) for n in range(5)), text=text))
    assert end.code == "ambiguous_input"
    assert len(end.reason) <= 500


async def test_approval_is_asked_for_and_a_yes_is_used_once() -> None:
    one = desk("10001", text=APPROVE)
    end = await ended(one)
    assert (end.state, end.step) == (TaskState.WAITING_APPROVAL, "refund")
    assert one.shop.refunds == {}
    asked = one.answer()
    assert asked.args == {"order_id": "10001", "amount": {"minor": 2500, "currency": "USD"}}
    assert isinstance(await one.run(one.work(job=2)), Claimed)
    assert [approval.state for approval in one.journal.approvals.values()] == [ApprovalState.USED]
    assert len(one.shop.refunds) == 1


UNVOUCHED = REFUND.replace('order_id: "${order.id}"', 'order_id: "${inputs.order_id}"')
OTHERS = {"order_id": "10002", "amount": {"minor": 1, "currency": "USD"}}


@pytest.mark.parametrize(
    "state, late, code",
    [
        (ApprovalState.APPROVED, False, ""),
        (ApprovalState.APPROVED, True, "approval_expired"),
        (ApprovalState.REJECTED, False, "approval_rejected"),
        (ApprovalState.PENDING, False, "needs_approval"),
    ],
)
async def test_arguments_put_in_place_of_others_stand_on_their_approval_alone(
    state: ApprovalState, late: bool, code: str
) -> None:
    one = desk("10001", text=UNVOUCHED)
    await one.run()
    ((key, asked),) = one.journal.approvals.items()
    one.journal.approvals[key] = asked.model_copy(update={"state": state, "modified_args": OTHERS, "decided_by": "G"})
    one.clock.advance(timedelta(hours=24 if late else 1))
    end = await one.run(one.work(job=2))
    assert (end.code if isinstance(end, Ended) else "") == code
    assert list(one.shop.refunds.values()) == ([] if code else ["10002 0.01 USD"])


async def test_an_unanswered_approval_keeps_the_run_waiting_with_one_question() -> None:
    one = desk("10001", text=APPROVE)
    await one.run()
    assert (await ended(one, job=2)).state is TaskState.WAITING_APPROVAL
    assert len(one.journal.approvals) == 1


async def test_a_rejected_approval_hands_off_with_who_and_why() -> None:
    one = desk("10001", text=APPROVE)
    await one.run()
    one.answer(approved=False)
    end = await ended(one, job=2)
    assert (end.code, end.reason) == ("approval_rejected", "Grace said no: why")
    assert one.shop.refunds == {}


@pytest.mark.parametrize("answered", [True, False])
async def test_an_approval_expires_answered_or_not(answered: bool) -> None:
    one = desk("10001", text=APPROVE)
    await one.run()
    if answered:
        one.answer()
    one.clock.advance(timedelta(hours=24))
    assert (await ended(one, job=2)).code == "approval_expired"
    assert one.shop.refunds == {}


async def test_a_yes_holds_for_no_other_arguments() -> None:
    one = desk("10001", text=APPROVE)
    await one.run()
    one.answer()
    one.shop.orders = [order("10001", total=999_00)]
    assert (await ended(one, job=2)).state is TaskState.WAITING_APPROVAL
    assert one.shop.refunds == {}
    assert len(one.journal.approvals) == 2


UNOWNED = REFUND.replace('tool: shop.find, args: {email: "${task.requester.email}"}', "tool: shop.everyone")


@pytest.mark.parametrize(
    "where", ["it.id == inputs.order_id", "it.id == task.subject", "it.id == task['subject']", "it.note == '10001'"]
)
async def test_a_record_of_nobody_that_untrusted_words_select_needs_a_person(where: str) -> None:
    one = Desk(text=UNOWNED.replace("it.id == inputs.order_id", where))
    one.shop.orders = [order("10001", note="10001"), order("10002", note="-")]
    one.helpdesk.open("T-1", "10001", subject="10001")
    end = await ended(one)
    assert (end.state, end.step) == (TaskState.WAITING_APPROVAL, "refund")
    assert "nobody vouches for" in end.reason


async def test_a_record_of_nobody_that_the_plan_selects_stays_the_systems() -> None:
    one = desk("10001", text=UNOWNED.replace("it.id == inputs.order_id", "it.id == '10001'"))
    assert isinstance(await one.run(), Claimed)


async def test_a_reply_never_tells_what_is_for_staff() -> None:
    """Refused when the procedure is loaded, whichever way the value goes."""
    for told in ("${order.note}", "About ${order.note}", "${orders.items[0].note}"):
        with pytest.raises(InvalidDocument, match="is not for the requester"):
            Desk(text=UNOWNED.replace('amount: "${order.total}"}}\n', f'amount: "{told}"}}}}\n')).procedure()


async def test_a_record_of_another_customer_is_not_told() -> None:
    """Where loading cannot know whose record it is, the call itself needs a person."""
    one = desk("10001")
    find = one.toolbox.get("shop.find")
    assert find is not None
    told = replace(find, readers={(): "staff"})
    work = one.work()
    one.toolbox = Toolbox(told if each.name == find.name else each for each in one.toolbox)
    end = await one.run(work)
    assert isinstance(end, Ended)
    assert (end.state, end.step) == (TaskState.WAITING_APPROVAL, "reply")
    assert one.helpdesk.replies("T-1") == []


async def test_else_without_an_outcome_answers_and_claims_nothing() -> None:
    one = desk("19999")
    end = await ended(one)
    assert (end.state, end.code, end.step) == (TaskState.ANSWERED, "not_found", "order")
    assert one.helpdesk.replies("T-1") == ["No such order."]


async def test_a_requester_who_is_answered_the_same_twice_reads_it_twice() -> None:
    one = desk("19999")
    await one.run()
    one.helpdesk.write("T-1", "18888 then")
    await one.run(one.work(run=2))
    assert one.helpdesk.replies("T-1") == ["No such order.", "No such order."]


async def test_else_with_an_outcome_claims_it() -> None:
    one = desk("10001")
    one.shop.orders = [order("10001", refunded_minor=2500)]
    end = await one.run()
    assert isinstance(end, Claimed)
    assert (end.claim.outcome_type, end.claim.reply) == ("refused_correctly", "It was refunded before.")
    assert one.shop.refunds == {}


async def test_require_without_else_hands_off() -> None:
    one = desk("10001", text=steps("  - {id: never, require: \"inputs.order_id == 'x'\"}\n"))
    end = await ended(one)
    assert (end.code, end.step) == ("condition_not_met", "never")


async def test_a_plan_without_any_call_can_be_claimed() -> None:
    end = await desk("10001", text=steps('  - {id: always, require: "true"}\n')).run()
    assert isinstance(end, Claimed)
    assert end.claim.receipts == ()


async def test_when_skips_a_step() -> None:
    text = REFUND.replace("{id: refund, tool", "{id: refund, when: \"order.status == 'lost'\", tool")
    one = desk("10001", text=text)
    assert isinstance(await one.run(), Claimed)
    assert one.shop.refunds == {}
    skipped = [event.step for event in one.journal.events.values() if event.kind is EventKind.STEP_SKIPPED]
    assert skipped == ["refund"]


async def test_using_what_was_skipped_hands_off_naming_the_step() -> None:
    text = steps(
        "  - {id: all, tool: shop.everyone, when: \"inputs.order_id == 'x'\"}\n"
        '  - {id: one, select: {from: "${all.items}", where: "it.id == \'1\'"}}\n'
    )
    end = await ended(desk("10001", text=text))
    assert (end.code, end.step) == ("undetermined", "one")


async def test_an_undetermined_expression_hands_off_naming_the_step() -> None:
    one = desk("10001", text=REFUND.replace("order.refunded_minor == 0", "order.note.startsWith('a')"))
    end = await ended(one)
    assert (end.state, end.code, end.step) == (TaskState.HANDED_OFF, "undetermined", "fresh")
    assert one.shop.refunds == {}


async def test_a_value_that_is_missing_is_never_written_into_a_reply() -> None:
    one = desk("10001", text=REFUND.replace('with: {amount: "${order.total}"}', 'with: {amount: "${order.note}"}'))
    assert (await ended(one)).code == "undetermined"
    assert one.helpdesk.replies("T-1") == []


async def test_an_effect_on_nothing_known_is_not_made() -> None:
    text = REFUND.replace('subject: "order:${order.id}"', 'subject: "order:${later.items[0].id}"')
    text = text.replace("  - {id: reply", "  - {id: later, tool: shop.everyone}\n  - {id: reply")
    end = await ended(desk("10001", text=text))
    assert end.code == "no_subject"


@pytest.mark.parametrize("name", ["plan", "end", "ask"])
async def test_a_step_may_have_any_name(name: str) -> None:
    one = desk("10001", text=REFUND.replace("orders", name))
    assert isinstance(await one.run(), Claimed)


async def test_a_read_that_fails_for_a_while_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.call.READ_PAUSE", 0)
    tries: list[int] = []

    @tool(effect="read", name="flaky.read")
    async def flaky(ctx: ToolContext) -> Weight:
        tries.append(1)
        if len(tries) < 3:
            raise ToolFailed("busy", retryable=True)
        return Weight(kilograms=1.5)

    one = desk("10001", text=steps("  - {id: weight, tool: flaky.read}\n"), extra=(flaky,))
    assert isinstance(await one.run(), Claimed)
    assert len(tries) == 3


class Weight(BaseModel):
    """A record with a float, which has no fingerprint."""

    kilograms: float


async def test_a_float_as_an_argument_of_a_call_goes_to_a_person() -> None:
    @tool(effect="read", name="scale.read")
    async def read(ctx: ToolContext) -> Weight:
        return Weight(kilograms=1.5)

    @tool(effect="read", name="scale.price")
    async def price(ctx: ToolContext, kilograms: float) -> Weight:
        return Weight(kilograms=kilograms)

    text = steps('  - {id: a, tool: scale.read}\n  - {id: b, tool: scale.price, args: {kilograms: "${a.kilograms}"}}\n')
    end = await ended(desk("10001", text=text, extra=(read, price)))
    assert (end.code, end.step) == ("bad_argument", "b")


async def test_a_hostile_requester_name_is_not_repeated() -> None:
    one = Desk(replies=REPLIES)
    one.helpdesk.open("T-1", "broke", name="${amount}\n\n{{7*7}} " + "x" * 100)
    await one.run()
    (reply,) = one.helpdesk.replies("T-1")
    assert reply.startswith("Which order, ada?")
