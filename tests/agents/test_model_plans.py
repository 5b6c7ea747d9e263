"""Plans that a model writes: compiled like a person's, kept to their bounds, made anew where they come to nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import Claimed, Ended, TaskState
from agents.errors import InvalidDocument
from agents.models import ScriptedModel
from agents.models.messages import Turn
from agents.models.scripted import Answer, call
from agents.policy.bounds import Bounds
from agents.policy.grant import Autonomy, Filled, Fixed, Hole, Slot, Source
from agents.runtime import InlineRuntime
from agents.trace import EventKind
from tests.agents.builders import Desk, desk
from tests.agents.test_decision import GRANT

OUTLINE = """\
procedure: anything
version: 1
outcome: request_handled
triggers: {otherwise: true}
subject: "requester:${task.requester.email}"
plan:
  goal: Do what the requester asks for, if the records allow it.
  tools:
    shop.find: {email: "${task.requester.email}"}
    shop.refund: {}
  replies: [done, too-late]
"""
FIND = {"id": "orders", "tool": "shop.find", "args": {"email": "${task.requester.email}"}}
PICK = {"id": "order", "select": {"from": "${orders.items}", "where": "it.id == '10001'"}}
REFUND = {"id": "refund", "tool": "shop.refund", "args": {"order_id": "${order.id}", "amount": "${order.total}"}}
DONE = {"id": "reply", "reply": "done", "with": {"amount": "${order.total}"}}
SORRY = {"id": "reply", "reply": "too-late"}


def plan(*steps: dict[str, Any], subject: str = "order:${order.id}") -> str:
    return json.dumps({"subject": subject, "steps": steps})


GOOD = plan(FIND, PICK, REFUND, DONE)


def planning(*answers: Answer, text: str = OUTLINE) -> tuple[Desk, ScriptedModel]:
    model = ScriptedModel(answers)
    return desk("Please refund order 10001.", text=text, model=model), model


def said(turn: Turn) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(turn.text)
    return found


async def test_a_plan_is_taken_step_by_step_and_a_person_allows_its_effect() -> None:
    made, model = planning(GOOD)
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.state is TaskState.WAITING_APPROVAL
    assert made.shop.refunds == {}
    assert made.answer().args == {"order_id": "10001", "amount": {"minor": 2500, "currency": "USD"}}
    end = await made.run(made.work(job=2))
    assert isinstance(end, Claimed)
    assert (end.claim.outcome_type, end.claim.subject) == ("request_handled", "order:10001")
    assert len(made.shop.refunds) == 1
    assert len(model.requests) == 1, "a plan is written once, however long a person takes"
    opening = said(model.requests[0].messages[0])
    assert opening["goal"].startswith("Do what")
    tools = {one["name"]: one for one in opening["tools"]}
    assert tools["shop.find"]["fixed"] == {"email": "${task.requester.email}"}
    assert tools["shop.find"]["answers"]["items"][0]["total_minor"] == 1
    planned = {event.step for event in made.journal.events.values() if event.kind is EventKind.PLAN_MADE}
    assert planned == {"plan", "plan.1"}, "the outline, and the plan"


async def test_a_coworker_acts_within_its_grant() -> None:
    made, _ = planning(GOOD)
    work = made.work()
    end = await made.run(replace(work, autonomy=Autonomy.COWORKER))
    assert isinstance(end, Claimed)
    assert len(made.shop.refunds) == 1


@pytest.mark.parametrize(
    "args",
    [
        {"order_id": "10001", "amount": "${order.total}"},
        {"order_id": "${task.words}", "amount": "${order.total}"},
    ],
)
async def test_what_a_model_writes_into_a_plan_is_vouched_for_by_nobody(args: dict[str, str]) -> None:
    made, _ = planning(plan(FIND, PICK, {**REFUND, "args": args}, DONE))
    work = made.work()
    end = await made.run(replace(work, autonomy=Autonomy.COWORKER))
    assert isinstance(end, Ended)
    assert (end.state, made.shop.refunds) == (TaskState.WAITING_APPROVAL, {})
    assert "nobody vouches for" in made.answer().reason


async def test_a_copilot_sends_nothing_by_itself() -> None:
    made, _ = planning(plan(FIND, PICK, DONE))
    work = made.work()
    end = await made.run(replace(work, autonomy=Autonomy.COPILOT))
    assert isinstance(end, Ended)
    assert end.state is TaskState.WAITING_APPROVAL
    assert made.sent == []
    assert made.answer().tool == "conversation.reply"
    end = await made.run(replace(made.work(job=2), autonomy=Autonomy.COPILOT))
    assert isinstance(end, Claimed)
    assert len(made.sent) == 1


@pytest.mark.parametrize(
    "bad, problem",
    [
        ("I would rather not.", "not one JSON object"),
        (plan({**FIND, "tool": "shop.fnd"}, PICK, DONE), "no tool is called 'shop.fnd'"),
        (plan({**FIND, "args": {"email": "eve@example.com"}}, SORRY, subject="a:b"), "is fixed; repeat it exactly"),
        (plan(FIND, {**PICK, "select": {"from": "${order.items}", "where": "true"}}, DONE), "order"),
        (plan(FIND, PICK, REFUND), "without a reply"),
        (plan(FIND, PICK, {**DONE, "reply": "which-order", "with": {}}), "'which-order' is none of done"),
        (plan(FIND, PICK, {**DONE, "reply": "nothing"}), "no reply is called 'nothing'"),
        (plan(FIND, {**PICK, "else": {"reply": "too-late", "outcome": "x"}}, DONE), "claims no outcome"),
        (plan(FIND, PICK, {"id": "x", "tool": "conversation.reply", "args": {"text": "hi"}}, DONE), "may name"),
        (plan(*[{"id": f"r{n}", "require": "true"} for n in range(13)], SORRY, subject="a:b"), "at most 12"),
        (plan(FIND, PICK, DONE, subject="everything"), "what kind of record"),
        ("{" + '"steps": [' * 50_000, "is longer than"),
    ],
)
async def test_what_is_wrong_with_a_plan_is_said_and_a_better_one_is_taken(bad: str, problem: str) -> None:
    made, model = planning(bad, plan(FIND, PICK, DONE))
    end = await made.run()
    assert isinstance(end, Claimed), end
    problems = said(model.requests[1].messages[-1])["wrong with the plan"]
    assert any(problem in one for one in problems), problems


async def test_three_plans_that_cannot_be_used_end_with_a_person() -> None:
    made, model = planning("no", "no", "no")
    end = await made.run()
    assert isinstance(end, Ended)
    assert (end.state, end.code) == (TaskState.HANDED_OFF, "no_plan")
    model.finish()


async def test_a_plan_that_comes_to_nothing_is_made_anew_with_what_was_found() -> None:
    nothing = {**PICK, "select": {"from": "${orders.items}", "where": "it.id == '77777'"}}
    made, model = planning(plan(FIND, nothing, DONE), plan(FIND, PICK, DONE))
    assert isinstance(await made.run(), Claimed)
    happened = said(model.requests[1].messages[-1])
    assert happened["the plan stopped at"] == "order"
    assert happened["found so far"]["orders"]["items"][0]["id"] == "10001"
    again = await made.run(made.work(), runtime=InlineRuntime())
    assert isinstance(again, Claimed)
    assert len(model.requests) == 2


async def test_plans_are_made_anew_a_few_times_only_and_an_effect_is_never_repeated() -> None:
    refused = {"id": "check", "require": "orders.items.size() == 7"}
    first = plan(FIND, PICK, REFUND, refused, DONE)
    made, model = planning(first, first, first)
    for job in range(1, 6):
        work = made.work(job=job)
        end = await made.run(replace(work, autonomy=Autonomy.COWORKER))
        if isinstance(end, Ended) and end.state is TaskState.HANDED_OFF:
            break
    assert isinstance(end, Ended)
    assert end.code == "condition_not_met"
    assert len(made.shop.refunds) == 1
    assert "shop.refund" in str(said(model.requests[1].messages[-1])["done, and not to be done again"])
    model.finish()


@pytest.mark.parametrize("approved", [True, False])
async def test_a_tool_beyond_the_bounds_waits_for_a_person(approved: bool) -> None:
    everyone = {"id": "orders", "tool": "shop.everyone", "args": {}}
    made, _ = planning(plan(everyone, PICK, DONE))
    end = await made.run()
    assert isinstance(end, Ended)
    assert end.state is TaskState.WAITING_APPROVAL
    asked = made.answer(approved=approved)
    assert (asked.tool, asked.args) == ("plan.widen", {"tools": ["shop.everyone"]})
    end = await made.run(made.work(job=2))
    assert isinstance(end, Claimed if approved else Ended)
    assert bool(made.sent) is approved


async def test_an_open_step_in_a_plan_is_worked_on_by_the_executor() -> None:
    look = {
        "id": "look",
        "open": "Find out what was ordered.",
        "tools": {"shop.find": {"email": "${task.requester.email}"}},
        "leaves": {"what": "text"},
    }
    made, model = planning(
        plan(FIND, PICK, look, {**DONE, "with": {"amount": "${look.what}"}}),
        call("shop__find"),
        call("finish", what="a mug"),
    )
    assert isinstance(await made.run(), Claimed)
    assert made.sent == ["Refunded a mug."]
    model.finish()


async def test_without_a_model_a_person_takes_the_task() -> None:
    end = await desk("Help", text=OUTLINE).run()
    assert isinstance(end, Ended)
    assert end.code == "no_model"


@pytest.mark.parametrize(
    "old, new, field",
    [
        ("shop.refund: {}", "shop.refnd: {}", "plan.tools.shop.refnd"),
        ('shop.find: {email: "${task.requester.email}"}', "shop.find: {}", "plan.tools.shop.find"),
        ("replies: [done, too-late]", "replies: [doen]", "plan.replies[0]"),
        ("replies: [done, too-late]", "replies: []", "plan.replies"),
    ],
)
def test_a_mistake_in_an_outline_is_named(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        desk("x", text=OUTLINE.replace(old, new)).procedure()
    assert any(problem.field == field for problem in refused.value.problems), refused.value


SOURCES: st.SearchStrategy[Source] = st.sampled_from(
    [Fixed("a"), Fixed("b"), Filled("${x.y}"), Filled("${z}"), Hole(), Hole(one_of=("a",))]
)
ARGS = st.dictionaries(st.sampled_from(["p", "q"]), SOURCES)
TOOLS = ["shop.find", "shop.refund", "x"]


@given(
    st.dictionaries(st.sampled_from(TOOLS), ARGS),
    st.lists(st.builds(lambda tool, args: Slot(step="s", tool=tool, args=args), st.sampled_from(TOOLS), ARGS)),
)
def test_no_plan_gets_more_than_its_bounds(tools: dict[str, dict[str, Source]], slots: list[Slot]) -> None:
    bounds = Bounds(tools=tools)
    try:
        grant = bounds.regrant(GRANT, slots)
    except ValueError:
        assert bounds.beyond(slots) or bounds.against(slots)
        return
    assert grant.slots == tuple(slots)
    for slot in grant.slots:
        assert slot.tool in tools
        for name, fixed in tools[slot.tool].items():
            given_from = slot.args.get(name)
            if isinstance(fixed, Hole) and fixed.one_of:
                assert given_from in (None, fixed) or given_from in [Fixed(one) for one in fixed.one_of]
            elif not isinstance(fixed, Hole):
                assert given_from == fixed
    kept = (grant.tenant, grant.run_id, grant.requester_email, grant.expires_at, grant.hosts, grant.autonomy)
    assert kept == (
        GRANT.tenant, GRANT.run_id, GRANT.requester_email, GRANT.expires_at, GRANT.hosts, GRANT.autonomy
    )  # fmt: skip
