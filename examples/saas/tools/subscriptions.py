"""What the agent may see and do: one customer's subscriptions, plan changes with their price, the offer, cancelling.

Every change goes through the writing API under the call's key, and every look-up finds it by that key.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from subscriptions_api import fetch, send

from agents import Money, ToolContext, tool


class Subscription(BaseModel):
    """One subscription."""

    id: str
    customer_email: str
    status: str
    """active or cancelled"""
    plan: str
    seats: int
    price: Money
    """Of one period, for all seats."""
    period_end: str
    """The day from which it is not paid, as ISO text."""
    eligible: bool
    """The retention offer may be made now."""
    offer_state: str
    """none, open or accepted"""
    offer_reference: str
    """The key under which the offer was made."""
    invoice_number: str
    invoice_on: str
    invoice_total: Money
    """The newest invoice."""


class Subscriptions(BaseModel):
    """The subscriptions of one customer."""

    items: list[Subscription]


class PlanChange(BaseModel):
    """A plan that a subscription could change to, and what that comes to today."""

    subscription_id: str
    plan: str
    names: list[str]
    """What customers may call it."""
    name_en: str
    name_zh: str
    current: bool
    """It is on this plan already."""
    seats_fit: bool
    """The plan allows as many seats as the subscription has."""
    price: Money
    """Of one period on that plan."""
    due_minor: int
    """To be paid now for the rest of the period; negative: credited."""
    due: Money
    credit: Money


class PlanChanges(BaseModel):
    """All plan changes that one customer could make."""

    items: list[PlanChange]


class Done(BaseModel):
    """A change that stands."""

    subscription_id: str
    reference: str
    """The key it was made under."""
    period_end: str


@tool(effect="read", outputs={"items": "system"}, owned_by="email")
async def find(ctx: ToolContext, email: str) -> Subscriptions:
    """Find all subscriptions of the customer with this e-mail address."""
    found = await fetch(ctx, "/subscriptions", {"email": email})
    return Subscriptions(items=[_subscription(record) for record in found["items"]])


@tool(effect="read", outputs={"items": "system"}, owned_by="email")
async def find_changes(ctx: ToolContext, email: str) -> PlanChanges:
    """Find every plan the customer could change to, with the proration of each."""
    found = await fetch(ctx, "/changes", {"email": email})
    return PlanChanges(items=[_change(record) for record in found["items"]])


async def find_plan_change(ctx: ToolContext, subscription_id: str, plan: str, due_minor: int) -> Done | None:
    """The change of plan made under this key, if there is one."""
    return await _made(ctx, subscription_id, ("change", "reference"))


@tool(
    effect="irreversible",
    sinks={"subscription_id", "plan", "due_minor"},
    outputs={"": "system"},
    lookup=find_plan_change,
)
async def change_plan(ctx: ToolContext, subscription_id: str, plan: str, due_minor: int) -> Done:
    """Change the plan for exactly the amount that was quoted."""
    body: dict[str, object] = {"plan": plan, "due_minor": due_minor}
    return _done(ctx, await send(ctx, "PUT", f"/subscriptions/{subscription_id}/plan", body))


async def find_offer(ctx: ToolContext, subscription_id: str) -> Done | None:
    """The offer made under this key, if there is one."""
    return await _made(ctx, subscription_id, ("offer", "reference"))


@tool(effect="write", sinks={"subscription_id"}, outputs={"": "system"}, lookup=find_offer)
async def make_offer(ctx: ToolContext, subscription_id: str) -> Done:
    """Put the retention offer on record; the customer is told in the reply."""
    return _done(ctx, await send(ctx, "POST", f"/subscriptions/{subscription_id}/offer", {}))


async def find_acceptance(ctx: ToolContext, subscription_id: str) -> Done | None:
    """The acceptance made under this key, if there is one."""
    return await _made(ctx, subscription_id, ("offer", "accept_reference"))


@tool(effect="irreversible", sinks={"subscription_id"}, outputs={"": "system"}, lookup=find_acceptance)
async def accept_offer(ctx: ToolContext, subscription_id: str) -> Done:
    """Take the offer for the customer: the discount begins with the next invoice."""
    return _done(ctx, await send(ctx, "POST", f"/subscriptions/{subscription_id}/offer/acceptance", {}))


async def find_cancellation(ctx: ToolContext, subscription_id: str) -> Done | None:
    """The cancellation made under this key, if there is one."""
    return await _made(ctx, subscription_id, ("cancel_reference",))


@tool(effect="irreversible", sinks={"subscription_id"}, outputs={"": "system"}, lookup=find_cancellation)
async def cancel(ctx: ToolContext, subscription_id: str) -> Done:
    """Cancel the subscription; it stays usable to the end of the paid period."""
    body: dict[str, object] = {"reason": "customer asked"}
    return _done(ctx, await send(ctx, "POST", f"/subscriptions/{subscription_id}/cancellation", body))


async def _made(ctx: ToolContext, subscription_id: str, field: tuple[str, ...]) -> Done | None:
    record = await fetch(ctx, f"/subscriptions/{subscription_id}")
    value: Any = record
    for part in field:
        value = value[part]
    return _done(ctx, record) if value == ctx.key else None


def _done(ctx: ToolContext, record: dict[str, Any]) -> Done:
    return Done(subscription_id=record["id"], reference=ctx.key, period_end=record["period_end"])


def _subscription(record: dict[str, Any]) -> Subscription:
    invoice, offer = record["latest_invoice"], record["offer"]
    return Subscription(
        **{
            name: record[name] for name in ("id", "customer_email", "status", "plan", "seats", "period_end", "eligible")
        },
        price=Money(minor=record["price_minor"], currency=record["currency"]),
        offer_state=offer["state"],
        offer_reference=offer["reference"],
        invoice_number=invoice["number"],
        invoice_on=invoice["issued_on"],
        invoice_total=Money(minor=invoice["total_minor"], currency=invoice["currency"]),
    )


def _change(record: dict[str, Any]) -> PlanChange:
    due, currency = record["due_minor"], record["currency"]
    return PlanChange(
        **{name: record[name] for name in ("subscription_id", "plan", "name_en", "name_zh", "current", "seats_fit")},
        names=[record["plan"], record["name_en"], record["plan"].upper(), record["name_zh"]],
        price=Money(minor=record["price_minor"], currency=currency),
        due_minor=due,
        due=Money(minor=max(due, 0), currency=currency),
        credit=Money(minor=max(-due, 0), currency=currency),
    )
