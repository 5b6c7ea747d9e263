"""Widening is a tool like any other: a plan that needs more than the tenant foresaw waits for a person's yes."""

from __future__ import annotations

from pydantic import BaseModel

from agents.planner.plan import WIDEN
from agents.tools.tool import ToolContext, tool


class Widened(BaseModel):
    """What the plan may use beside its bounds, for this task."""

    tools: list[str]


async def find_widened(ctx: ToolContext, tools: list[str]) -> Widened | None:
    """Nothing outside remembers it: the receipt does."""
    return None


@tool(effect="write", sinks=set(), lookup=find_widened, name=WIDEN)
async def widen(ctx: ToolContext, tools: list[str]) -> Widened:
    """Let the plan of this task use tools that its procedure does not name."""
    return Widened(tools=tools)
