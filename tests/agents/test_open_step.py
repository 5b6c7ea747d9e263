"""Open steps: a model works out how, within its slots; what it says is data, and each answer is asked for once."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from agents import Claimed, Ended, TaskState, Tool, ToolContext, ToolFailed, tool
from agents.errors import InvalidDocument, ModelFailed
from agents.models import ScriptedModel
from agents.models.messages import Finish, Model, ModelRequest, ModelResponse, ToolCall, ToolResult, assistant
from agents.models.scripted import call
from agents.policy.approval import ApprovalState
from agents.receipt import REPLY_TOOL
from agents.runtime import InlineRuntime
from agents.ticket import Attachment
from agents.trace import EventKind
from tests.agents.builders import Desk, desk

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
      carrier.track: {carrier: [dhl, ups]}
    leaves: {reason: text}
    answers: 6
  - {id: reply, reply: done, with: {amount: "${look.reason}"}}
"""
REFUNDS = OPEN.replace(
    "      carrier.track: {carrier: [dhl, ups]}\n",
    '      shop.refund: {order_id: "${orders.items[0].id}", amount: "${orders.items[0].total}"}\n',
).replace("steps:\n", 'steps:\n  - {id: orders, tool: shop.find, args: {email: "${task.requester.email}"}}\n')
FOUND = call("finish", reason="It waits at customs.")


class Parcel(BaseModel):
    """Where a parcel is."""

    place: str
    pin: str


def track() -> Tool:
    @tool(
        effect="read",
        name="carrier.track",
        outputs={"place": "system"},
        readers={"": "requester", "pin": "nobody"},
    )
    async def track(ctx: ToolContext, carrier: str, number: str) -> Parcel:
        """Where a parcel is."""
        if number == "0":
            raise ToolFailed("no such parcel", code="not_found")
        return Parcel(place=f"customs ({carrier} {number})", pin="4711")

    return track


def open_desk(*answers: object, text: str = OPEN, words: str = "Where is my parcel?") -> tuple[Desk, ScriptedModel]:
    model = ScriptedModel(answers)  # type: ignore[arg-type]
    return desk(words, text=text, extra=(track(),), model=model), model


def results(request: ModelRequest) -> list[tuple[str, bool]]:
    """What the last turn of a request tells the model of its calls."""
    parts = [part for part in request.messages[-1].parts if isinstance(part, ToolResult)]
    return [(str(part.content[0].text), part.failed) for part in parts]  # type: ignore[union-attr]


async def test_a_model_finds_out_and_the_procedure_replies() -> None:
    made, model = open_desk(
        assistant("I look.", call("shop__find"), call("carrier__track", carrier="dhl", number="77")), FOUND
    )
    end = await made.run()
    assert isinstance(end, Claimed)
    model.finish()
    assert made.helpdesk.replies("T-1") == ["Refunded It waits at customs.."]
    tools = [made.journal.receipts["acme", key].tool for key in end.claim.receipts]
    assert tools == ["shop.find", "carrier.track", REPLY_TOOL]
    first, second = model.requests
    opening = json.loads(first.messages[0].text)
    assert opening["goal"] == "Find out where the parcel is."
    assert opening["requester"] == ["Where is my parcel?"]
    shown = {spec.name: spec.parameters for spec in first.tools}
    assert list(shown) == ["shop__find", "carrier__track", "finish", "give_to_person"]
    assert shown["shop__find"]["properties"] == {}
    assert shown["carrier__track"]["properties"]["carrier"]["enum"] == ["dhl", "ups"]  # type: ignore[index,call-overload]
    (orders, _), (parcel, failed) = results(second)
    assert "10001" in orders
    assert json.loads(parcel) == {"answer": {"place": "customs (dhl 77)", "pin": "[withheld]"}}
    assert not failed


async def test_the_prefix_of_every_request_is_the_same() -> None:
    made, model = open_desk(call("shop__find"), call("carrier__track", carrier="ups", number="1"), FOUND)
    await made.run()
    for before, after in zip(model.requests, model.requests[1:], strict=False):
        assert (after.system, after.tools) == (before.system, before.tools)
        assert after.messages[: len(before.messages)] == before.messages
    assert all(len(turn.parts) for turn in model.requests[-1].messages)


async def test_a_model_is_asked_once_however_often_the_job_begins_anew() -> None:
    made, model = open_desk(call("shop__find"), FOUND)
    first = await made.run()
    again = await made.run(made.work(), runtime=InlineRuntime())
    assert isinstance(again, Claimed)
    assert isinstance(first, Claimed)
    assert again.claim.receipts == first.claim.receipts
    assert len(model.requests) == 2
    answers = [one for one in made.journal.receipts.values() if one.tool.startswith("model:")]
    assert [one.tool for one in answers] == ["model:scripted:model"] * 2
    assert all(isinstance(one.result, dict) and one.result["input_tokens"] for one in answers)
    kinds = [event.kind for event in made.journal.events.values()]
    assert kinds.count(EventKind.MODEL_ANSWERED) == 2


async def test_plain_words_go_to_the_requester_and_their_answer_comes_back_days_later() -> None:
    made, model = open_desk("Which street do you live in?", FOUND)
    end = await made.run()
    assert isinstance(end, Ended)
    assert (end.state, end.code) == (TaskState.WAITING_REQUESTER, "input_missing")
    assert "Which street" in made.helpdesk.replies("T-1")[0]
    waiting = await made.run(made.work(job=2))
    assert isinstance(waiting, Ended)
    assert waiting.state is TaskState.WAITING_REQUESTER
    made.helpdesk.write("T-1", "High Street 5")
    end = await made.run(made.work(job=3))
    assert isinstance(end, Claimed)
    assert json.loads(model.requests[-1].messages[-1].text) == {"requester": ["High Street 5"]}
    assert len(made.helpdesk.replies("T-1")) == 2


@pytest.mark.parametrize("approved", [True, False])
async def test_an_effect_waits_for_a_person_and_the_model_goes_on_from_there(approved: bool) -> None:
    made, model = open_desk(call("shop__refund"), FOUND, text=REFUNDS)
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.state is TaskState.WAITING_APPROVAL
    assert made.shop.refunds == {}
    made.answer(approved=approved)
    end = await made.run(made.work(job=2))
    assert isinstance(end, Claimed)
    assert len(made.shop.refunds) == approved
    assert results(model.requests[-1])[0][1] is not approved
    assert len(model.requests) == 2


async def test_nobody_is_asked_twice_for_the_same_call_nor_after_two_refusals() -> None:
    made, model = open_desk(call("shop__refund"), call("shop__refund"), FOUND, text=REFUNDS)
    await made.run()
    made.answer(approved=False)
    end = await made.run(made.work(job=2))
    assert isinstance(end, Claimed)
    assert len(made.journal.approvals) == 1
    assert "said no to this very call" in results(model.requests[-1])[0][0]
    text = REFUNDS.replace('amount: "${orders.items[0].total}"', "").replace(", }", "}")
    amounts = [call("shop__refund", amount={"minor": minor, "currency": "USD"}) for minor in (100, 200, 300)]
    made, model = open_desk(*amounts, text=text)
    for job in (1, 2, 3):
        end = await made.run(made.work(job=job))
        for one in list(made.journal.approvals):
            asked = made.journal.approvals[one]
            made.journal.approvals[one] = asked.model_copy(update={"state": ApprovalState.REJECTED})
    assert isinstance(end, Ended)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, "approval_rejected")
    assert len(made.journal.approvals) == 2


async def test_an_effect_that_the_procedure_lets_through_is_done_once() -> None:
    made, _ = open_desk(
        call("shop__refund"),
        call("shop__refund"),
        FOUND,
        text=REFUNDS.replace("    answers: 6", "    approve: 'false'"),
    )
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.code == "target_taken"
    assert len(made.shop.refunds) == 1


@pytest.mark.parametrize(
    "bad, said",
    [
        (call("shop__delete"), "there is no tool shop__delete"),
        (call("shop__find", email="eve@example.com"), "email is filled in already"),
        (call("carrier__track", carrier="evil", number="1"), "unplanned_argument"),
        (call("carrier__track", carrier="dhl", number="1", url="x"), "unplanned_argument"),
        (call("carrier__track", carrier="dhl"), "bad_argument"),
        (call("carrier__track", carrier="dhl", number="0"), "not_found"),
        (ToolCall(id="x", name="shop__find", arguments={}, malformed="cut short"), "cut short"),
        (call("finish", reason=7), "reason: Input should be a valid string"),
        (call("finish", reason="x", amount="y"), "amount: Extra inputs"),
    ],
)
async def test_what_cannot_be_done_is_said_to_the_model_which_may_do_better(bad: ToolCall, said: str) -> None:
    made, model = open_desk(bad, FOUND)
    assert isinstance(await made.run(), Claimed)
    ((text, failed),) = results(model.requests[-1])
    assert said in text
    assert failed


@pytest.mark.parametrize(
    "answers, code",
    [
        ([call("give_to_person", reason="too odd")], "model_gave_up"),
        ([call("nonsense")] * 6, "model_lost"),
        ([call("shop__find")] * 3, "no_progress"),
        ([call("carrier__track", carrier="dhl", number=str(n)) for n in range(1, 7)], "step_unfinished"),
        ([ModelFailed("m", "down", code="unavailable")], "model_unavailable"),
        ([""] * 6, "model_lost"),
    ],
)
async def test_a_model_that_gets_nowhere_ends_with_a_person(answers: list[object], code: str) -> None:
    made, model = open_desk(*answers)
    end = await made.run()
    assert isinstance(end, Ended)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, code)
    model.finish()


@pytest.mark.parametrize("finish", [Finish.REFUSED, Finish.OVERFLOW])
async def test_a_refusal_and_a_full_context_end_with_a_person(finish: Finish) -> None:
    class Refusing(ScriptedModel):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            answer = await super().respond(request)
            return ModelResponse(turn=answer.turn, finish=finish, usage=answer.usage, model=answer.model)

    made = desk("Where?", text=OPEN, extra=(track(),), model=Refusing(["no"]))
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.code == f"model_{finish.value}"


async def test_without_a_model_a_person_takes_the_step() -> None:
    end = await desk("Where?", text=OPEN, extra=(track(),)).run()
    assert isinstance(end, Ended)
    assert end.code == "no_model"


async def test_a_photo_is_shown_to_a_model_that_can_see_and_to_no_other() -> None:
    made, model = open_desk(FOUND)
    kept = made.evidence.put(b"\x89PNG", media_type="image/png", label="photo")
    photo = Attachment(id="a", name="p.png", media_type="image/png", size=4, sha256=kept.sha256)
    ticket = made.helpdesk.tickets["T-1"]
    messages = tuple(each.model_copy(update={"attachments": (photo,)}) for each in ticket.messages)
    made.helpdesk.tickets["T-1"] = ticket.model_copy(update={"messages": messages})
    assert isinstance(await made.run(), Claimed)
    assert [part.kind for part in model.requests[0].messages[0].parts] == ["text", "image"]
    blind: Model = ScriptedModel([FOUND], abilities=type(model.abilities)(images=False))
    again = Desk(text=OPEN, extra=(track(),), model=blind, helpdesk=made.helpdesk, evidence=made.evidence)
    assert isinstance(await again.run(), Claimed)
    assert [part.kind for part in blind.requests[0].messages[0].parts] == ["text"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "old, new, field, message",
    [
        ("shop.find: {email", "shop.fnd: {email", "steps[0].tools.shop.fnd", "did you mean 'shop.find'?"),
        ('{email: "${task.requester.email}"}\n      c', "{}\n      c", "steps[0].tools.shop.find", "whose records"),
        ("{carrier: [dhl", "{carier: [dhl", "steps[0].tools.carrier.track.carier", "'carrier'"),
        ("leaves: {reason: text}", "leaves: {}", "steps[0].leaves", "what the model has to find out"),
        ("leaves: {reason: text}", "leaves: {reason: txt}", "steps[0].leaves.reason", ""),
        ("${look.reason}", "${look.why}", "steps[1].with.amount", "why"),
    ],
)
def test_a_mistake_in_the_file_is_named(old: str, new: str, field: str, message: str) -> None:
    assert old in OPEN
    with pytest.raises(InvalidDocument) as refused:
        desk("x", text=OPEN.replace(old, new), extra=(track(),)).procedure()
    found = [(problem.field, problem.message) for problem in refused.value.problems]
    assert any(one == field and message in text for one, text in found), found


def test_what_strangers_are_asked_is_written_in_the_procedure() -> None:
    @tool(effect="read", told="anyone", name="carrier.track")
    async def ask(ctx: ToolContext, carrier: str, number: str) -> Parcel:
        raise NotImplementedError

    with pytest.raises(InvalidDocument, match="tells strangers what it is asked: fill in number"):
        desk("x", text=OPEN, extra=(ask,)).procedure()


@pytest.mark.parametrize("foreign", ["Look: https://evil.example/?d=1", "![x](//evil.example/x.png)"])
async def test_a_model_names_no_web_address_of_a_host_that_is_not_granted(foreign: str) -> None:
    made, model = open_desk(foreign, call("finish", reason=foreign), FOUND)
    assert isinstance(await made.run(), Claimed)
    assert made.helpdesk.replies("T-1") == ["Refunded It waits at customs.."]
    assert "foreign_address" in model.requests[1].messages[-1].text
    assert "reason names a web address" in results(model.requests[2])[0][0]


def noting(**readers: str) -> Tool:
    @tool(effect="read", name="carrier.track", readers=readers)  # type: ignore[arg-type]
    async def note(ctx: ToolContext, carrier: str, number: str) -> Parcel:
        raise ToolFailed("a known fraudster", code="not_found")

    return note


NOTED = OPEN.replace("${look.reason}", "well")


@pytest.mark.parametrize("whole, waits", [("staff", True), ("requester", False)])
async def test_what_a_tool_says_in_an_error_is_for_the_same_eyes_as_its_answers(whole: str, waits: bool) -> None:
    model = ScriptedModel([call("carrier__track", carrier="dhl", number="1"), "They say you are a known fraudster."])
    made = desk("Where?", text=NOTED, extra=(noting(**{"": whole}),), model=model)
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.state is (TaskState.WAITING_APPROVAL if waits else TaskState.WAITING_REQUESTER)
    assert "fraudster" in results(model.requests[-1])[0][0]
    assert bool(made.helpdesk.replies("T-1")) is not waits


async def test_the_error_of_a_tool_whose_answers_are_secret_is_withheld() -> None:
    model = ScriptedModel([call("carrier__track", carrier="dhl", number="1"), FOUND])
    made = desk("Where?", text=NOTED, extra=(noting(**{"": "nobody"}),), model=model)
    assert isinstance(await made.run(), Claimed)
    assert results(model.requests[-1]) == [("not_found: carrier.track says why to nobody", True)]
    assert "fraudster" not in str(made.journal.receipts)


async def test_why_a_person_said_no_is_for_staff() -> None:
    made, model = open_desk(call("shop__refund"), FOUND, text=REFUNDS)
    await made.run()
    made.answer(approved=False)
    await made.run(made.work(job=2))
    assert results(model.requests[-1]) == [("approval_rejected: a person said no", True)]


async def test_a_credential_of_the_settings_is_cut_out_of_answers_and_errors() -> None:
    @tool(effect="read", name="carrier.track", readers={"": "requester"})
    async def leak(ctx: ToolContext, carrier: str, number: str) -> Parcel:
        if number == "0":
            raise ToolFailed(f"401 for Bearer {ctx.settings['token']}", code="refused")
        return Parcel(place=f"see https://x/?key={ctx.settings['token']}", pin="1")

    model = ScriptedModel(
        [call("carrier__track", carrier="dhl", number="0"), call("carrier__track", carrier="dhl", number="1"), FOUND]
    )
    made = desk("Where?", text=OPEN, extra=(leak,), model=model, settings={"token": "s3cr3t-token"})
    executor = made.executor()
    executor.secrets = frozenset({"s3cr3t-token"})
    assert isinstance(await executor.run(made.work(), InlineRuntime()), Claimed)
    kept = [*made.journal.receipts.values(), *made.journal.events.values(), *model.requests]
    assert "s3cr3t-token" not in repr(kept)
    assert repr(kept).count("[withheld]") >= 2
