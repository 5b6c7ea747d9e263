"""What is said about a tool that can be registered: faults that will bite, doubts with the line to add."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from agents import Money, Tool, ToolContext, tool
from agents.tools.soundness import remarks
from tests.agents.builders import Shop


class Order(BaseModel):
    order_id: str
    total: Money


class Orders(BaseModel):
    items: list[Order]


class Growing(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def longer(cls, text: str) -> str:
        return f"{text}!"


class Exact(BaseModel):
    code: str = Field(pattern="^[A-Z]{3}$")


async def standing(ctx: ToolContext, order_id: str) -> Order | None:
    return found(ctx)


def found(ctx: ToolContext) -> Order | None:
    raise NotImplementedError


async def always(ctx: ToolContext, order_id: str) -> Order:
    raise NotImplementedError(ctx.key)


async def keyless(ctx: ToolContext, order_id: str) -> Order | None:
    raise NotImplementedError


def wrong(ctx: ToolContext, order_id: str) -> Order:
    raise KeyError(ctx.setting("url"))


async def exactly(ctx: ToolContext, order_id: str) -> Exact | None:
    raise NotImplementedError(ctx.key)


def read(answer: Any = Orders, **options: Any) -> Tool:
    async def find(ctx: ToolContext, email: str) -> Any:
        """Find."""
        raise NotImplementedError

    find.__annotations__["return"] = answer
    declared: dict[str, Any] = {"effect": "read", "outputs": {"": "system"}, "owned_by": "email"}
    return tool(**declared | options)(find)


def effect(answer: Any = Order, *, key: bool = True, **options: Any) -> Tool:
    if key:

        async def refund(ctx: ToolContext, order_id: str) -> Any:
            """Refund."""
            raise NotImplementedError(ctx.key)

    else:

        async def refund(ctx: ToolContext, order_id: str) -> Any:
            """Refund."""
            raise NotImplementedError(ctx.requester_email)

    refund.__annotations__["return"] = answer
    declared: dict[str, Any] = {"effect": "irreversible", "sinks": {"order_id"}, "outputs": {"": "system"}}
    declared["lookup"] = standing
    return tool(**declared | options)(refund)


@pytest.mark.parametrize(
    "made, fault, message",
    [
        (lambda: read(Growing), True, "text of its answer is not the same once it was kept"),
        (lambda: effect(rehearse=wrong), True, "it cannot be rehearsed: .*has no .tools.settings. url"),
        (lambda: effect(Exact, lookup=exactly), True, r"it cannot be rehearsed: .*rehearse=function"),
        (lambda: read(name="a" * 40 + "." + "b" * 40), True, "up to 64 letters"),
        (lambda: read(outputs=None), False, r'add outputs=\{"items": "system"\}'),
        (lambda: read(Order, outputs=None), False, r'add outputs=\{"": "system"\}'),
        (lambda: read(owned_by=None), False, r'add owned_by="email"'),
        (lambda: effect(key=False), False, "does not pass ctx.key on"),
        (lambda: effect(lookup=keyless), False, "its lookup does not ask for ctx.key"),
        (lambda: effect(lookup=always), False, r"let it answer -> Order \| None"),
    ],
)
async def test_it_is_said_once_and_nothing_else(made: Callable[[], Tool], fault: bool, message: str) -> None:
    (found,) = await remarks(made())
    assert found.fault is fault
    assert re.search(message, found.message), found.message


@pytest.mark.parametrize("made", [read, effect, lambda: read(Exact), *Shop().tools()[:1]])
async def test_about_a_sound_tool_there_is_nothing_to_say(made: Any) -> None:
    assert [one.message for one in await remarks(made if isinstance(made, Tool) else made()) if one.fault] == []


async def test_a_tool_without_a_docstring_has_no_description() -> None:
    @tool(effect="read", outputs={"": "system"})
    async def find(ctx: ToolContext) -> Order:
        raise NotImplementedError

    (found,) = await remarks(find)
    assert "docstring" in found.message
