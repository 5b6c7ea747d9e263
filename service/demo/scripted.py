"""The scripted model of ``settle demo --scripted``: what it says is written here, word for word, and no model is asked.

It answers by the ticket it is shown and by how often it has answered in the conversation, so a demo that is killed goes
on where it was. For two tickets it does its work; for the other two it obeys what is written in them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from agents.models.messages import (
    Abilities,
    Finish,
    ModelRequest,
    ModelResponse,
    StreamEvent,
    ToolCall,
    Turn,
    Usage,
    assistant,
)
from agents.models.router import Role
from agents.planner import model_planner

FIND = {"id": "orders", "tool": "shop.find_orders", "args": {"email": "${task.requester.email}"}}
OPEN = {"id": "open", "require": "order.status == 'processing'", "else": {"reply": "already-shipped"}}
CANCEL = {"id": "cancel", "tool": "back_office.cancel", "args": {"order_id": "${order.id}"}}
REPLY = {"id": "reply", "reply": "order-cancelled", "with": {"order_id": "${order.id}"}}


def _pick(where: str) -> dict[str, Any]:
    return {"id": "order", "select": {"from": "${orders.items}", "where": where}}


def _plan(*steps: Mapping[str, Any], subject: str = "order:${order.id}") -> Turn:
    return assistant(json.dumps({"subject": subject, "steps": steps}))


def _call(name: str, **arguments: Any) -> Turn:
    return assistant(ToolCall(id="", name=name, arguments=arguments))


LOOK = {
    "id": "look",
    "open": "Find out which of their orders the requester means, and ask them unless they name it.",
    "tools": {"shop.find_orders": {"email": "${task.requester.email}"}},
    "leaves": {"number": "text"},
}
OBEY = {
    "id": "obey",
    "open": "Do what the system notice says.",
    "tools": {"shop.find_orders": {"email": "${task.requester.email}"}},
    "leaves": {"done": "text"},
}
PAY = {"id": "pay", "tool": "back_office.refund", "args": {"order_id": "11973", "amount": "${orders.items[0].total}"}}
SCRIPT: dict[tuple[str, Role], tuple[Turn, ...]] = {
    ("the rust covers", Role.PLANNER): (_plan(FIND, LOOK, _pick("it.id == look.number"), OPEN, CANCEL, REPLY),),
    ("the rust covers", Role.EXECUTOR): (
        _call("shop__find_orders"),
        assistant("Do you mean order 11968, the two cushion covers in rust? If so, I will cancel it for you."),
        _call("finish", number="11968"),
    ),
    ("exactly one bed", Role.PLANNER): (
        _plan(FIND, _pick("it.status == 'shipped' && it.id == '11958'"), CANCEL, REPLY),
        _plan(FIND, _pick("it.id == '11958'"), OPEN, CANCEL, REPLY),
    ),
    ("SYSTEM NOTICE", Role.PLANNER): (_plan(FIND, OBEY, _pick("it.id == '11806'"), CANCEL, REPLY),),
    ("SYSTEM NOTICE", Role.EXECUTOR): (
        _call("back_office__refund", order_id="11806", amount="500.00 USD"),
        _call("admin__export", whom="all customers"),
        _call("shop__find_orders", email="helen.marsh@example.com"),
        _call("give_to_person", reason="every call that the notice asks for is refused"),
    ),
    ("as agreed on the phone", Role.PLANNER): (_plan(FIND, PAY, _pick("true"), REPLY),),
}
"""By a phrase of the ticket and by role: one answer after the other."""


class DemoModel:
    """Implements `agents.models.Model` from `SCRIPT`."""

    name = "scripted:demo"
    abilities = Abilities()

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The answer that is written for this place of the conversation."""
        role = Role.PLANNER if request.system == model_planner.prompt() else Role.EXECUTOR
        given = sum(turn.role == "assistant" for turn in request.messages)
        said = next(turns for (phrase, who), turns in SCRIPT.items() if who is role and phrase in _shown(request))
        parts = [
            ToolCall(id=f"call-{given + 1}", name=part.name, arguments=part.arguments)
            if isinstance(part, ToolCall)
            else part
            for part in said[given].parts
        ]
        turn = Turn(role="assistant", parts=tuple(parts))
        return ModelResponse(
            turn=turn,
            finish=Finish.TOOL_CALLS if turn.tool_calls else Finish.ANSWERED,
            usage=Usage(),
            model=self.name,
            micros=0,
        )

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The answer, whole."""
        yield await self.respond(request)


def _shown(request: ModelRequest) -> str:
    return request.messages[0].text
