"""The benchmark's tools, declared: what each does to the world, where its effect goes, and who vouches for its answer.

They work on the shop that `open_shop` opened. An effect is done once under one key, and its lookup says what stands.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from agents import Tool, ToolContext, tool
from benchmarks.tau2.shop import Record, Shop

_open: ContextVar[Shop] = ContextVar("shop")


def open_shop() -> Shop:
    """A shop as every task finds it; the tools called from here on work on it."""
    shop = Shop()
    _open.set(shop)
    return shop


def _read(owned_by: str | None = None, who: str = "requester") -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    return tool(effect="read", outputs={"": "system"}, owned_by=owned_by, readers={"": who})  # type: ignore[dict-item]


def _effect(*sinks: str) -> Callable[[Callable[..., Awaitable[Record]]], Tool]:
    """An effect on records; ``sinks`` say which ones, and how much moves where."""

    def declare(function: Callable[..., Awaitable[Record]]) -> Tool:
        async def look_up(ctx: ToolContext, /, **args: Any) -> dict[str, Any] | None:
            done = _open.get().done.get(ctx.key)
            return None if done is None else {"answer": done}

        look_up.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        return tool(effect="irreversible", sinks=set(sinks), outputs={"": "system"}, lookup=look_up)(function)

    return declare


def _once(ctx: ToolContext, change: Callable[[Shop], Record]) -> Record:
    shop = _open.get()
    if ctx.key not in shop.done:
        shop.done[ctx.key] = change(shop)
    return shop.done[ctx.key]


@_read(owned_by="email")
async def find_user_id_by_email(ctx: ToolContext, email: str) -> str:
    """The id of the user with that e-mail address."""
    return _open.get().find_user_id_by_email(email)


@_read()
async def find_user_id_by_name_zip(ctx: ToolContext, first_name: str, last_name: str, zip: str) -> str:
    """The id of the user with that name and postal code."""
    return _open.get().find_user_id_by_name_zip(first_name, last_name, zip)


@_read()
async def get_user_details(ctx: ToolContext, user_id: str) -> Record:
    """A user's address, payment methods and orders."""
    return _open.get().get_user_details(user_id)


@_read()
async def get_order_details(ctx: ToolContext, order_id: str) -> Record:
    """An order's items, status, address and payments."""
    return _open.get().get_order_details(order_id)


@_read(who="anyone")
async def get_product_details(ctx: ToolContext, product_id: str) -> Record:
    """A product and its variants."""
    return _open.get().get_product_details(product_id)


@_read(who="anyone")
async def get_item_details(ctx: ToolContext, item_id: str) -> Record:
    """One variant of a product."""
    return _open.get().get_item_details(item_id)


@_read(who="anyone")
async def list_all_product_types(ctx: ToolContext) -> Record:
    """The ids of all products, by name."""
    return _open.get().list_all_product_types()


@tool(effect="read", readers={"": "requester"})
async def calculate(ctx: ToolContext, expression: str) -> str:
    """The value of a sum, to two places."""
    return _open.get().calculate(expression)


@_effect()
async def transfer_to_human_agents(ctx: ToolContext, summary: str) -> Record:
    """Leave the customer to a person; nothing in the shop changes."""
    return _once(ctx, lambda shop: shop.transfer_to_human_agents(summary))


@_effect("order_id", "reason")
async def cancel_pending_order(ctx: ToolContext, order_id: str, reason: str) -> Record:
    """Cancel a pending order and pay it back."""
    return _once(ctx, lambda shop: shop.cancel_pending_order(order_id, reason))


@_effect("order_id", "item_ids", "payment_method_id")
async def return_delivered_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], payment_method_id: str
) -> Record:
    """Begin the return of items of a delivered order."""
    return _once(ctx, lambda shop: shop.return_delivered_order_items(order_id, item_ids, payment_method_id))


@_effect("order_id", "item_ids", "new_item_ids", "payment_method_id")
async def exchange_delivered_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Record:
    """Begin the exchange of items of a delivered order for other variants."""
    return _once(
        ctx, lambda shop: shop.exchange_delivered_order_items(order_id, item_ids, new_item_ids, payment_method_id)
    )


@_effect("order_id", "item_ids", "new_item_ids", "payment_method_id")
async def modify_pending_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Record:
    """Put other variants in the place of items of a pending order, and settle the difference."""
    return _once(ctx, lambda shop: shop.modify_pending_order_items(order_id, item_ids, new_item_ids, payment_method_id))


@_effect("order_id", "payment_method_id")
async def modify_pending_order_payment(ctx: ToolContext, order_id: str, payment_method_id: str) -> Record:
    """Charge a pending order to another payment method."""
    return _once(ctx, lambda shop: shop.modify_pending_order_payment(order_id, payment_method_id))


_ADDRESS = ("address1", "address2", "city", "state", "country", "zip")


@_effect("order_id", *_ADDRESS)
async def modify_pending_order_address(
    ctx: ToolContext, order_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str
) -> Record:
    """Send a pending order elsewhere."""
    address = {"address1": address1, "address2": address2, "city": city, "state": state, "country": country}
    return _once(ctx, lambda shop: shop.modify_pending_order_address(order_id, **address, zip=zip))


@_effect("user_id", *_ADDRESS)
async def modify_user_address(
    ctx: ToolContext, user_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str
) -> Record:
    """Change the address of a user."""
    address = {"address1": address1, "address2": address2, "city": city, "state": state, "country": country}
    return _once(ctx, lambda shop: shop.modify_user_address(user_id, **address, zip=zip))


TOOLS: tuple[Tool, ...] = tuple(value for value in list(vars().values()) if isinstance(value, Tool))
