"""The benchmark's shop in memory: its records, and what may be done with them by the benchmark's policy.

The records are τ²-bench retail by Sierra Research (MIT), not part of this repository: ``db.json`` and ``tasks.json`` in
the folder ``tau2-retail`` of ``../shared/data`` beside the repository, or of ``$SETTLE_SHARED_DATA``.
"""

from __future__ import annotations

import ast
import json
import operator
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from agents.errors import ToolFailed

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SETTLE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "tau2-retail"

Record = dict[str, Any]
"""As the benchmark keeps it; amounts are numbers of dollars there and are reckoned in whole cents here."""
REASONS = ("no longer needed", "ordered by mistake")
_OPERATIONS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


@cache
def records() -> Mapping[str, Mapping[str, Record]]:
    """The records as every task finds them, by kind and id; nobody changes them."""
    found: dict[str, dict[str, Record]] = json.loads((DATA / "db.json").read_text(encoding="utf-8"))
    return found


class Shop:
    """One task's shop. Its methods are the benchmark's tools; each raises `ToolFailed` and then has changed nothing."""

    def __init__(self) -> None:
        self.done: dict[str, Record] = {}
        """What each change answered, by the key of its call."""
        self._changed: dict[tuple[str, str], Record] = {}

    def state(self) -> dict[tuple[str, str], Record]:
        """The records that are not as the task found them."""
        return {place: one for place, one in self._changed.items() if one != records()[place[0]][place[1]]}

    def find_user_id_by_email(self, email: str) -> str:
        return self._only_user(lambda user: user["email"].lower() == email.lower())

    def find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:
        wanted = (first_name.lower(), last_name.lower(), zip)
        return self._only_user(
            lambda user: (
                (user["name"]["first_name"].lower(), user["name"]["last_name"].lower(), user["address"]["zip"])
                == wanted
            )
        )

    def get_user_details(self, user_id: str) -> Record:
        return deepcopy(self._read("users", user_id))

    def get_order_details(self, order_id: str) -> Record:
        return deepcopy(self._read("orders", order_id))

    def get_product_details(self, product_id: str) -> Record:
        return deepcopy(self._read("products", product_id))

    def get_item_details(self, item_id: str) -> Record:
        for product in records()["products"].values():
            if item_id in product["variants"]:
                return deepcopy(product["variants"][item_id])
        raise ToolFailed(f"there is no item {item_id}", code="not_found")

    def list_all_product_types(self) -> Record:
        return {product["name"]: product["product_id"] for product in records()["products"].values()}

    def calculate(self, expression: str) -> str:
        try:
            return f"{round(_value(ast.parse(expression, mode='eval').body), 2)}"
        except (SyntaxError, ValueError, ZeroDivisionError) as error:
            raise ToolFailed(f"cannot be calculated: {error}", code="bad_argument") from None

    def transfer_to_human_agents(self, summary: str) -> Record:
        return {"transferred": True}

    def cancel_pending_order(self, order_id: str, reason: str) -> Record:
        order = self._in_status(order_id, "pending")
        if reason not in REASONS:
            raise _refused(f"{reason!r} is no reason to cancel: {' or '.join(REASONS)}")
        paid = order["payment_history"]
        order |= {"status": "cancelled", "cancel_reason": reason}
        order["payment_history"] = [*paid, *({**one, "transaction_type": "refund"} for one in paid)]
        user = self._read("users", order["user_id"])
        for one in paid:
            user = _credited(user, one["payment_method_id"], _cents(one["amount"]))
        return self._write(order, user)

    def modify_pending_order_address(self, order_id: str, **address: str) -> Record:
        order = self._read("orders", order_id)
        if not order["status"].startswith("pending"):
            raise _refused(f"order {order_id} is {order['status']}")
        return self._write({**order, "address": address})

    def modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Record:
        order = self._in_status(order_id, "pending")
        paid = order["payment_history"]
        if len(paid) != 1 or paid[0]["transaction_type"] != "payment":
            raise _refused(f"order {order_id} was not paid in one payment")
        before, cents = paid[0]["payment_method_id"], _cents(paid[0]["amount"])
        if before == payment_method_id:
            raise _refused(f"order {order_id} is paid by {payment_method_id} already")
        user = self._able_to_pay(order["user_id"], payment_method_id, cents)
        user = _credited(_credited(user, payment_method_id, -cents), before, cents)
        order["payment_history"] = [
            *paid,
            {**paid[0], "payment_method_id": payment_method_id},
            {**paid[0], "transaction_type": "refund"},
        ]
        return self._write(order, user)

    def modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Record:
        order = self._in_status(order_id, "pending")
        chosen, cents = self._swapped(order, item_ids, new_item_ids)
        user = self._able_to_pay(order["user_id"], payment_method_id, cents)
        items = list(order["items"])
        for old, new in zip(item_ids, chosen, strict=True):
            place = next(index for index, item in enumerate(items) if item["item_id"] == old)
            items[place] = {**items[place], **{name: new[name] for name in ("item_id", "price", "options")}}
        difference = {
            "transaction_type": "payment" if cents > 0 else "refund",
            "amount": abs(cents) / 100,
            "payment_method_id": payment_method_id,
        }
        order |= {"status": "pending (item modified)", "items": items}
        order["payment_history"] = [*order["payment_history"], difference]
        return self._write(order, _credited(user, payment_method_id, -cents))

    def exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Record:
        order = self._in_status(order_id, "delivered")
        _, cents = self._swapped(order, item_ids, new_item_ids)
        self._able_to_pay(order["user_id"], payment_method_id, cents)
        order |= {
            "status": "exchange requested",
            "exchange_items": sorted(item_ids),
            "exchange_new_items": sorted(new_item_ids),
            "exchange_payment_method_id": payment_method_id,
            "exchange_price_difference": cents / 100,
        }
        return self._write(order)

    def return_delivered_order_items(self, order_id: str, item_ids: list[str], payment_method_id: str) -> Record:
        order = self._in_status(order_id, "delivered")
        method = self._method(order["user_id"], payment_method_id)
        if method["source"] != "gift_card" and payment_method_id != order["payment_history"][0]["payment_method_id"]:
            raise _refused("a refund goes to the way the order was paid, or to a gift card")
        _check_held(order, item_ids)
        order |= {
            "status": "return requested",
            "return_items": sorted(item_ids),
            "return_payment_method_id": payment_method_id,
        }
        return self._write(order)

    def modify_user_address(self, user_id: str, **address: str) -> Record:
        return self._write({**self._read("users", user_id), "address": address})

    def _only_user(self, wanted: Callable[[Record], bool]) -> str:
        for user_id in records()["users"]:
            if wanted(self._read("users", user_id)):
                return user_id
        raise ToolFailed("there is no such user", code="not_found")

    def _read(self, kind: str, record_id: str) -> Record:
        try:
            return self._changed.get((kind, record_id)) or records()[kind][record_id]
        except KeyError:
            raise ToolFailed(f"there is no {record_id} among the {kind}", code="not_found") from None

    def _in_status(self, order_id: str, status: str) -> Record:
        """A copy of an order in that very status."""
        order = self._read("orders", order_id)
        if order["status"] != status:
            raise _refused(f"order {order_id} is {order['status']}, not {status}")
        return dict(order)

    def _method(self, user_id: str, payment_method_id: str) -> Record:
        methods: Mapping[str, Record] = self._read("users", user_id)["payment_methods"]
        if payment_method_id not in methods:
            raise _refused(f"{user_id} has no payment method {payment_method_id}")
        return methods[payment_method_id]

    def _able_to_pay(self, user_id: str, payment_method_id: str, cents: int) -> Record:
        method = self._method(user_id, payment_method_id)
        if method["source"] == "gift_card" and _cents(method["balance"]) < cents:
            raise _refused(f"the gift card {payment_method_id} holds too little")
        return self._read("users", user_id)

    def _swapped(self, order: Record, item_ids: Sequence[str], new_item_ids: Sequence[str]) -> tuple[list[Record], int]:
        """The variants that come in the place of items, and what they cost more, in cents."""
        _check_held(order, item_ids)
        if len(item_ids) != len(new_item_ids):
            raise _refused("there is to be one new item for each")
        chosen, cents = [], 0
        for old, new in zip(item_ids, new_item_ids, strict=True):
            item = next(one for one in order["items"] if one["item_id"] == old)
            variant = self._read("products", item["product_id"])["variants"].get(new)
            if variant is None or not variant["available"]:
                raise _refused(f"{new} is no available variant of {item['name']}")
            chosen.append(variant)
            cents += _cents(variant["price"]) - _cents(item["price"])
        return chosen, cents

    def _write(self, *changed: Record) -> Record:
        """Keep records that were made anew; answers with the first."""
        for record in changed:
            kind, name = ("orders", "order_id") if "order_id" in record else ("users", "user_id")
            self._changed[kind, record[name]] = record
        return deepcopy(changed[0])


def _check_held(order: Record, item_ids: Sequence[str]) -> None:
    missing = Counter(item_ids) - Counter(item["item_id"] for item in order["items"])
    if missing:
        raise _refused(f"{', '.join(missing)} is not among the items of {order['order_id']}")


def _credited(user: Record, payment_method_id: str, cents: int) -> Record:
    """The user with ``cents`` more on that payment method, if it is one that holds money."""
    method = user["payment_methods"][payment_method_id]
    if method["source"] != "gift_card":
        return user
    held = {**method, "balance": (_cents(method["balance"]) + cents) / 100}
    return {**user, "payment_methods": {**user["payment_methods"], payment_method_id: held}}


def _cents(dollars: float) -> int:
    return round(dollars * 100)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATIONS:
            return _OPERATIONS[type(sign)](_value(left), _value(right))
        case ast.UnaryOp(op=ast.USub() as sign, operand=operand):
            return _OPERATIONS[type(sign)](_value(operand))
        case _:
            raise ValueError("only numbers, + - * / and brackets")


def _refused(why: str) -> ToolFailed:
    return ToolFailed(why, code="refused")
