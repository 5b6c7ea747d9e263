"""Talking to the requester is a tool like any other: it needs a slot, and it is never repeated."""

from __future__ import annotations

from pydantic import BaseModel

from agents.errors import ToolOutcomeUnknown
from agents.receipt import REPLY_TOOL
from agents.tools.tool import ToolContext, tool

PATIENCE = 180
"""Seconds for one reply: connectors to helpdesks have limits of their own, below this."""


class Sent(BaseModel):
    """A message that the requester got."""

    message_id: str


async def find_reply(ctx: ToolContext, text: str) -> Sent | None:
    """The message sent under this key, if it was sent."""
    assert ctx.helpdesk is not None, "the reply tool is given the helpdesk"
    message = await ctx.helpdesk.find_reply(ctx.ticket_id, key=ctx.key)
    if message is not None and message.text != text:
        raise ToolOutcomeUnknown("another text was sent under this key")
    return None if message is None else Sent(message_id=message.id)


@tool(effect="irreversible", sinks=set(), name=REPLY_TOOL, told="requester", lookup=find_reply, timeout=PATIENCE)
async def reply(ctx: ToolContext, text: str) -> Sent:
    """Send the requester of this ticket a public message; nobody else can be addressed."""
    assert ctx.helpdesk is not None, "the reply tool is given the helpdesk"
    message = await ctx.helpdesk.reply(ctx.ticket_id, text, key=ctx.key)
    return Sent(message_id=message.id)
