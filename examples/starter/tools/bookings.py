"""What the agent can do with bookings: find a customer's, and cancel one.

A tool is a typed function; its name in procedures is FILE.FUNCTION. Settle's CONTRIBUTING.md has the rules.
"""

from __future__ import annotations

import ssl
from datetime import date
from typing import Any

import httpx2
from pydantic import BaseModel

from agents import ToolContext, ToolFailed, tool

TLS = ssl.create_default_context()
"""Made once: it takes longer than a request."""


class Booking(BaseModel):
    """One booking, as procedures see it: ``${booking.day}``."""

    id: str
    status: str
    """booked or cancelled"""
    day: str
    """2026-03-02"""
    time: str
    """09:30"""
    days_left: int
    """Whole days from today; 0 or less when it is today or over."""


class Bookings(BaseModel):
    """The bookings of one customer."""

    items: list[Booking]


class Cancellation(BaseModel):
    """A cancellation that stands in the records."""

    booking_id: str
    reference: str


# outputs: who vouches for what is returned. "system" is the system of record; everything else counts as untrusted and
# may not decide where an effect goes. owned_by: the records returned are those of the customer with this address.
@tool(effect="read", outputs={"items": "system"}, owned_by="email")
async def find(ctx: ToolContext, email: str) -> Bookings:
    """Find all bookings of the customer with this e-mail address."""
    found = await _send(ctx, "GET", "/bookings", scope="read", params={"email": email})
    today = ctx.clock.now().date()
    return Bookings(
        items=[
            Booking(
                id=one["id"],
                status=one["status"],
                day=one["day"],
                time=one["time"],
                days_left=(date.fromisoformat(one["day"]) - today).days,
            )
            for one in found["items"]
        ]
    )


async def find_cancellation(ctx: ToolContext, booking_id: str) -> Cancellation | None:
    """What ``cancel`` achieved under ctx.key, or None if certainly nothing: asked after a crash or a lost answer."""
    booking = await _send(ctx, "GET", f"/bookings/{booking_id}", scope="read")
    standing = booking["cancel_reference"] == ctx.key
    return Cancellation(booking_id=booking_id, reference=ctx.key) if standing else None


# sinks: the arguments that decide what the effect is done to. ctx.key goes along, so that the same call twice is one
# cancellation, and the evaluators can tell that it was this run that made it.
@tool(effect="irreversible", sinks={"booking_id"}, outputs={"": "system"}, lookup=find_cancellation)
async def cancel(ctx: ToolContext, booking_id: str) -> Cancellation:
    """Cancel a booking."""
    body = {"reference": ctx.key}
    booking = await _send(ctx, "POST", f"/bookings/{booking_id}/cancellation", scope="write", body=body)
    if booking["cancel_reference"] != ctx.key:
        raise ToolFailed(f"booking {booking_id} was cancelled already")
    return Cancellation(booking_id=booking_id, reference=ctx.key)


async def _send(
    ctx: ToolContext,
    method: str,
    path: str,
    *,
    scope: str,
    params: dict[str, str] | None = None,
    body: dict[str, str] | None = None,
) -> Any:
    """The answer as JSON. ToolFailed says "nothing was changed"; after a lost answer to a POST nobody knows that."""
    headers = {"Authorization": f"Bearer {ctx.setting(f'records_{scope}_token')}"}
    try:
        async with httpx2.AsyncClient(base_url=ctx.setting("records_url"), timeout=10.0, verify=TLS) as client:
            answer = await client.request(method, path, headers=headers, params=params, json=body)
    except httpx2.HTTPError as error:
        if method != "GET":
            raise
        raise ToolFailed(f"the records do not answer: {type(error).__name__}", retryable=True) from None
    if 400 <= answer.status_code < 500:
        raise ToolFailed(f"the records refuse {method} {path}: {answer.status_code}")
    answer.raise_for_status()
    return answer.json()
