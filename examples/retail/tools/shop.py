"""What the agent may read: the orders of one customer."""

from __future__ import annotations

from datetime import date

from back_office_api import fetch
from pydantic import BaseModel

from agents import Money, ToolContext, tool


class Order(BaseModel):
    """One order."""

    id: str
    customer_email: str
    status: str
    """processing, shipped, delivered or cancelled"""
    total: Money
    total_minor: int
    refunded_minor: int
    currency: str
    age_days: int
    """Whole days since delivery, or since the order was placed while it is not delivered."""
    placed_on: str
    shipped_on: str
    delivered_on: str
    expected_on: str
    """Dates as ISO text, empty when not known."""
    carrier: str
    tracking_number: str
    item_titles: str


class Orders(BaseModel):
    """The orders of one customer, newest first."""

    items: list[Order]


@tool(effect="read", outputs={"items": "system", "items.item_titles": "untrusted"}, owned_by="email")
async def find_orders(ctx: ToolContext, email: str) -> Orders:
    """Find all orders of the customer with this e-mail address."""
    found = await fetch(ctx, "/api/v1/orders", {"email": email})
    today = ctx.clock.now().date()
    return Orders(items=[_order(record, today) for record in found["items"]])


def _order(record: dict[str, object], today: date) -> Order:
    def day(name: str) -> str:
        return str(record[name] or "")[:10]

    since = date.fromisoformat(day("delivered_at") or day("placed_at"))
    currency, total = str(record["currency"]), int(str(record["total_minor"]))
    items = record["items"]
    assert isinstance(items, list)
    return Order(
        id=str(record["id"]),
        customer_email=str(record["customer_email"]),
        status=str(record["status"]),
        total=Money(minor=total, currency=currency),
        total_minor=total,
        refunded_minor=int(str(record["refunded_minor"])),
        currency=currency,
        age_days=(today - since).days,
        placed_on=day("placed_at"),
        shipped_on=day("shipped_at"),
        delivered_on=day("delivered_at"),
        expected_on=day("expected_on"),
        carrier=str(record["carrier"] or ""),
        tracking_number=str(record["tracking_number"] or ""),
        item_titles=", ".join(str(item["title"]) for item in items),
    )
