"""What the agent may change: through the back office's own pages, as a clerk would.

Each call is one script (log in, open the order, fill in the form, confirm) and leaves its idempotency key as the
reference, so a look-up finds out whether an interrupted one took effect. Where no browser is to be used, the same
tools go through the writing API, and say so in what they return.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from back_office_api import fetch, send
from playwright.async_api import Locator, Page, expect
from pydantic import BaseModel

from agents import Money, ToolContext, ToolFailed, tool
from agents.tools.browser.session import Script

Via = Literal["browser", "api", "look-up"]


class Change(BaseModel):
    """A change that stands in the back office."""

    order_id: str
    reference: str
    """The idempotency key it was made under."""
    via: Via


class Refund(Change):
    """A refund that stands in the back office."""

    amount: Money


async def find_refund(ctx: ToolContext, order_id: str, amount: Money) -> Refund | None:
    """The refund made under this key, if there is one."""
    order = await fetch(ctx, f"/api/v1/orders/{order_id}")
    made = [refund for refund in order["refunds"] if refund["reference"] == ctx.key]
    if not made:
        return None
    found = Money(minor=made[0]["amount_minor"], currency=order["currency"])
    return Refund(order_id=order_id, reference=ctx.key, via="look-up", amount=found)


@tool(
    effect="irreversible",
    sinks={"order_id", "amount"},
    outputs={"": "system"},
    lookup=find_refund,
    timeout=60,
)
async def refund(ctx: ToolContext, order_id: str, amount: Money) -> Refund:
    """Refund an amount on an order to the way it was paid."""
    via: Via = "browser"
    if ctx.browser is None:
        body: dict[str, object] = {"amount_minor": amount.minor, "reason": "damaged", "reference": ctx.key}
        await send(ctx, "POST", f"/api/v1/orders/{order_id}/refunds", body)
        via = "api"
    else:
        async with ctx.browser.script(ctx, hosts=_hosts(ctx)) as script:
            form = await _open_form(script, order_id, "refund-form")
            await form.get_by_label("Refund amount").fill(str(amount.decimal))
            await form.get_by_label("Refund reason").select_option("damaged")
            await form.get_by_label("Refund reference").fill(ctx.key)
            await _submit(script, form, f"order {order_id} after the refund")
    return Refund(order_id=order_id, reference=ctx.key, via=via, amount=amount)


async def find_cancellation(ctx: ToolContext, order_id: str) -> Change | None:
    """The cancellation made under this key, if there is one."""
    order = await fetch(ctx, f"/api/v1/orders/{order_id}")
    return _standing(ctx, order, "cancel_reference")


@tool(effect="irreversible", sinks={"order_id"}, outputs={"": "system"}, lookup=find_cancellation, timeout=60)
async def cancel(ctx: ToolContext, order_id: str) -> Change:
    """Cancel an order that was not shipped yet."""
    via: Via = "browser"
    if ctx.browser is None:
        body: dict[str, object] = {"reason": "customer_request", "reference": ctx.key}
        await send(ctx, "POST", f"/api/v1/orders/{order_id}/cancellation", body)
        via = "api"
    else:
        async with ctx.browser.script(ctx, hosts=_hosts(ctx)) as script:
            form = await _open_form(script, order_id, "cancel-form")
            await form.get_by_label("Cancellation reason").select_option("customer_request")
            await form.get_by_label("Cancellation reference").fill(ctx.key)
            await _submit(script, form, f"order {order_id} after the cancellation")
    return Change(order_id=order_id, reference=ctx.key, via=via)


async def find_address_change(ctx: ToolContext, order_id: str, address: str) -> Change | None:
    """The change of address made under this key, if it stands."""
    order = await fetch(ctx, f"/api/v1/orders/{order_id}")
    return _standing(ctx, order, "address_reference")


@tool(
    effect="write",
    sinks={"order_id", "address"},
    outputs={"": "system"},
    lookup=find_address_change,
    timeout=60,
)
async def change_address(ctx: ToolContext, order_id: str, address: str) -> Change:
    """Change where an order that was not shipped yet is sent."""
    via: Via = "browser"
    if ctx.browser is None:
        await send(ctx, "PUT", f"/api/v1/orders/{order_id}/address", {"address": address, "reference": ctx.key})
        via = "api"
    else:
        async with ctx.browser.script(ctx, hosts=_hosts(ctx)) as script:
            form = await _open_form(script, order_id, "address-form")
            await form.get_by_label("New shipping address").fill(address)
            await form.get_by_label("Address reference").fill(ctx.key)
            await _submit(script, form, f"order {order_id} after the change of address")
    return Change(order_id=order_id, reference=ctx.key, via=via)


async def _open_form(script: Script, order_id: str, form: str) -> Locator:
    """Log in, open the order, keep a picture of it as it is, and find the form."""
    ctx, page = script.context, script.page
    base = ctx.setting("back_office_url")
    await page.goto(f"{base}/login")
    await page.get_by_label("User name").fill(ctx.setting("back_office_user"))
    await page.get_by_label("Password").fill(ctx.setting("back_office_password"))
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{base}/orders")
    await page.goto(f"{base}/orders/{order_id}")
    await expect(page.get_by_role("heading", name=f"Order {order_id}")).to_be_visible()
    await script.screenshot(f"order {order_id} before")
    found = page.get_by_test_id(form)
    if not await found.count():
        raise ToolFailed(
            f"the back office offers no {form.replace('-', ' ')} for order {order_id}", code="not_possible"
        )
    return found


async def _submit(script: Script, form: Locator, label: str) -> None:
    """Submit, confirm in the dialog, and keep a picture of what the back office says then."""
    page: Page = script.page
    await form.get_by_role("button").click()
    await page.get_by_test_id("confirm-dialog").get_by_role("button", name="Confirm").click()
    said = page.get_by_test_id("flash").or_(page.get_by_test_id("error"))
    await expect(said.first).to_be_visible()
    await script.screenshot(label)
    if await page.get_by_test_id("error").count():
        raise ToolFailed(f"the back office refused: {await page.get_by_test_id('error').first.inner_text()}")


def _standing(ctx: ToolContext, order: dict[str, Any], field: str) -> Change | None:
    if order[field] != ctx.key:
        return None
    return Change(order_id=str(order["id"]), reference=ctx.key, via="look-up")


def _hosts(ctx: ToolContext) -> set[str]:
    return {urlsplit(ctx.setting("back_office_url")).netloc}
