"""Compile what works: a model's plan that was proven becomes a procedure, and the next such ticket asks no model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.planner.lifting import CannotLift, WrittenPlan, lift
from agents.tables import receipts_of_task, tasks_of_ticket
from agents.ticket import Requester
from service.assembly import running
from service.cli.compile import app
from service.demo.play import work
from service.demo.scripted import DemoModel
from service.demo.with_model import extra_script, model_state
from service.deployment import State
from service.helpdesks.embedded import NewTicket

FIND = {"id": "orders", "tool": "shop.find", "args": {"email": "${task.requester.email}"}}
PICK = {"id": "order", "select": {"from": "${orders.items}", "where": "it.id == '10482'"}}
ACT = {"id": "act", "tool": "shop.cancel", "args": {"order_id": "${order.id}", "reason": "late"}}
PLAN = WrittenPlan(
    run_id="r-1",
    ticket_id="T-1",
    words=("Rug", "Please cancel 10482, it is late."),
    steps=(FIND, PICK, ACT),
    subject="order:${order.id}",
    outcome="order_cancelled",
    leaves={},
)


def lifted(*plans: WrittenPlan) -> str:
    return lift("p", plans, ask="which-order", changing={"shop.cancel"})


def with_(plan: WrittenPlan, **changes: object) -> WrittenPlan:
    fields = {name: getattr(plan, name) for name in WrittenPlan.__dataclass_fields__}
    return WrittenPlan(**(fields | changes))


def test_what_the_requester_wrote_becomes_an_input() -> None:
    text = lifted(PLAN)
    assert "where: it.id == inputs.order_id" in text
    assert "10482" not in text.partition("\nprocedure:")[2].replace("cancel 10482", "")
    assert r"pattern: (?<![\w-])(\d{5})(?![\w-])" in text
    assert "ask: which-order" in text
    assert "approve: 'true'" in text
    assert "reason: late" in text, "a word of a language is no value to look for"
    assert "# - r-1 (ticket T-1)" in text


def test_values_of_several_runs_give_one_pattern() -> None:
    other = with_(
        PLAN,
        run_id="r-2",
        words=("", "Stop AB-77 now"),
        steps=(FIND, {**PICK, "select": {"from": "${orders.items}", "where": "it.id == 'AB-77'"}}, ACT),
    )
    text = lifted(PLAN, other)
    assert r"(?<![\w-])([A-Za-z]{2}\-\d{2}|\d{5})(?![\w-])" in text
    assert text.count("Please cancel 10482") == 1
    assert "Stop AB-77 now" in text


def test_what_a_model_found_in_the_requesters_words_needs_no_model_again() -> None:
    look = {"id": "look", "open": "which?", "leaves": {"number": "text"}}
    pick = {**PICK, "select": {"from": "${orders.items}", "where": "it.id == look.number"}}
    plan = with_(PLAN, steps=(FIND, look, pick, ACT), leaves={"look": {"number": "10482"}})
    text = lifted(plan)
    assert "where: it.id == inputs.number" in text
    assert "open:" not in text


@pytest.mark.parametrize("value", ["10999", "the large one", 7])
def test_what_only_a_model_knew_is_not_lifted(value: object) -> None:
    look = {"id": "look", "open": "which?", "leaves": {"number": "text"}}
    pick = {**PICK, "select": {"from": "${orders.items}", "where": "it.id == look.number"}}
    with pytest.raises(CannotLift, match="keep needing a model"):
        lifted(with_(PLAN, steps=(FIND, look, pick, ACT), leaves={"look": {"number": value}}))


def test_plans_that_differ_are_not_made_one() -> None:
    with pytest.raises(CannotLift, match="something else"):
        lifted(PLAN, with_(PLAN, run_id="r-2", steps=(FIND, PICK)))


async def test_from_a_proven_run_to_a_ticket_without_a_model(tmp_path: Path) -> None:
    state, model = model_state(tmp_path), DemoModel()
    async with running(state, browser=False, models=lambda job: lambda role: model) as run:
        await work(run, extra_script())
    shown = CliRunner().invoke(app, ["--state", str(state.folder), "--name", "call-it-off", "--ask", "which-order"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("was proposed from") == 2
    procedures = state.deployment / "procedures"
    assert sorted(path.name for path in procedures.glob("*.proposed")) == [
        "call-it-off-2.yaml.proposed", "call-it-off.yaml.proposed"
    ]  # fmt: skip
    for name in ("call-it-off", "call-it-off-2"):
        taken = CliRunner().invoke(app, ["--state", str(state.folder), "--accept", name])
        assert taken.exit_code == 0, taken.output
    assert CliRunner().invoke(app, ["--state", str(state.folder), "--accept", "call-it-off"]).exit_code == 2
    await _resolved_without_a_model(state)


async def _resolved_without_a_model(state: State) -> None:
    like = (
        "our bedroom has exactly one bed, and my sister has just dressed it. The tray in 11969 can stay with you: "
        "please call it off."
    )
    async with running(state, browser=False) as run:
        run.embedded.open(
            NewTicket(
                id="N-1",
                requester=Requester(email="declan.ahmed20@example.com", name="Declan Ahmed"),
                subject="One bed only",
                messages=[like],
            )
        )
        await run.desk.notice("N-1")
        await run.desk.idle()
        tenant = run.deployment.settings.tenant
        with run.database.reading() as session:
            (task,) = tasks_of_ticket(session, tenant, "N-1")
            receipts = receipts_of_task(session, tenant, task.id)
        assert task.state.value == "waiting_approval", task
        assert task.procedure.startswith("call-it-off")
        assert not any(one.of_model for one in receipts)
