"""``http.get``: a page as text, from the hosts under ``[tools.http] hosts`` alone, without credentials."""

from __future__ import annotations

from pydantic import BaseModel

from agents.errors import ToolFailed
from agents.tools.tool import ToolContext, tool

MAX_PAGE = 256 * 1024
_TEXT = ("text/", "application/json", "application/xml")


class Page(BaseModel):
    """What a host answered. Nobody vouches for any of it."""

    url: str
    """Where it came from, after redirects."""
    media_type: str
    text: str


@tool(effect="read", told="anyone", addresses={"url"}, name="http.get")
async def get(ctx: ToolContext, url: str) -> Page:
    """Read a page of one of the hosts that this deployment names."""
    answer = await ctx.http.request("GET", url, hosts=ctx.http.rules.hosts, limit=MAX_PAGE)
    media_type, _, parameters = answer.headers.get("content-type", "").partition(";")
    if answer.status != 200:
        again = answer.status == 429 or answer.status >= 500
        raise ToolFailed(f"the page has status {answer.status}", code="bad_status", retryable=again)
    if not media_type.strip().lower().startswith(_TEXT):
        raise ToolFailed("the page is no text", code="unusable_answer")
    charset = "latin-1" if "iso-8859-1" in parameters.lower() else "utf-8"
    return Page(url=answer.url, media_type=media_type.strip().lower(), text=answer.body.decode(charset, "replace"))
