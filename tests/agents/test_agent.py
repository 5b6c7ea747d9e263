"""An agent in a program: functions, a model, a task; the same policy as in a deployment."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from agents import Agent, ToolContext, tool
from agents.errors import InvalidTool, ModelFailed
from agents.models import ScriptedModel
from agents.models.scripted import call
from agents.policy.approval import Approval

DONE = call("finish", reply="Done.")


class Orders(BaseModel):
    """Somebody's orders."""

    owner: str


@tool(effect="read")
def order_status(number: str) -> str:
    """Where an order is."""
    return f"{number} is on its way"


class World:
    """Something that can be changed."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.asked: list[Approval] = []

    def send(self, to: str) -> str:
        """Send something."""
        self.sent.append(to)
        return "sent"

    async def yes(self, asked: Approval) -> bool:
        self.asked.append(asked)
        return True

    async def no(self, asked: Approval) -> bool:
        self.asked.append(asked)
        return False


async def test_a_model_uses_a_function_and_ends_with_a_reply() -> None:
    model = ScriptedModel([call("order_status", number="7"), DONE])
    result = await Agent(model, [order_status]).run("Where is order 7?")
    assert (result.reply, result.finished, result.code) == ("Done.", True, "")
    tools = [receipt.tool for receipt in result.receipts]
    assert tools == ["model:scripted:model", "order_status", "model:scripted:model", "conversation.reply"]
    assert result.receipts[1].result == {"answer": "7 is on its way"}
    model.finish()


def test_a_function_whose_effect_nobody_declared_is_refused_with_the_line_to_add() -> None:
    def send(to: str) -> str:
        return to

    with pytest.raises(InvalidTool, match=r'@tool\(effect="read"\) in the line above `def send`'):
        Agent(ScriptedModel([]), [send])


async def test_such_a_function_is_called_after_a_yes_to_these_arguments() -> None:
    world = World()
    model = ScriptedModel([call("send", to="ada"), DONE])
    result = await Agent(model, [world.send], approve=world.yes).run("Send it to Ada.")
    assert result.finished
    assert [one.args for one in world.asked] == [{"to": "ada"}]
    assert world.sent == ["ada"]


async def test_and_never_after_a_no() -> None:
    world = World()
    model = ScriptedModel([call("send", to="ada"), DONE])
    result = await Agent(model, [world.send], approve=world.no).run("Send it to Ada.")
    assert result.finished
    assert world.sent == []
    assert "approval_rejected" in str(model.requests[-1].messages[-1])


async def test_a_conversation_goes_on() -> None:
    model = ScriptedModel(["Which order?", call("order_status", number="7"), DONE])
    agent = Agent(model, [order_status])
    first = await agent.run("Where is my order?")
    assert (first.reply, first.finished, first.code) == ("Which order?", False, "input_missing")
    second = await agent.run("Number 7.", after=first)
    assert (second.reply, second.finished) == ("Done.", True)
    assert "Number 7." in model.requests[1].messages[-1].text
    model.finish()


async def test_a_customer_reads_their_own_records_and_is_told_nothing_else() -> None:
    @tool(effect="read", owned_by="email", outputs={"": "system"})
    def orders(ctx: ToolContext, email: str) -> Orders:
        return Orders(owner=email)

    model = ScriptedModel([call("orders"), DONE])
    result = await Agent(model, [orders]).run("My orders?", requester="ada@example.com")
    assert result.finished
    assert result.receipts[1].result == {"owner": "ada@example.com"}
    model = ScriptedModel([call("order_status", number="7"), DONE])
    result = await Agent(model, [order_status]).run("Where?", requester="ada@example.com")
    assert (result.reply, result.finished) == ("", False), "what staff may read was not declared to be for customers"


@pytest.mark.parametrize("name", ["gpt-5", "nobody:model", "anthropic:"])
def test_a_model_that_nobody_offers_is_refused(name: str) -> None:
    with pytest.raises(ModelFailed):
        Agent(name)


async def test_a_model_that_does_not_end_is_stopped() -> None:
    model = ScriptedModel([call("order_status", number=str(n)) for n in range(3)])
    result = await Agent(model, [order_status], max_answers=3).run("Where?")
    assert (result.finished, result.code) == (False, "step_unfinished")
