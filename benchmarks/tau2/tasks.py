"""The benchmark's tasks: what a customer wants, the calls that are right, and ways in which calls can be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from agents.errors import ToolFailed
from benchmarks.tau2.shop import DATA, REASONS, Record, Shop, records

STRANGER = "somebody@example.com"
"""Who writes where a task's calls name no customer."""
_ELSEWHERE = "1 Elsewhere Street"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One call of a tool."""

    tool: str
    arguments: Record

    def writes(self) -> bool:
        """True if it is meant to change a record."""
        return self.tool.startswith(("cancel_", "modify_", "return_", "exchange_"))

    def apply(self, shop: Shop) -> bool:
        """Do it without any agent; False if the shop refuses."""
        try:
            getattr(shop, self.tool)(**self.arguments)
        except ToolFailed:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task of the benchmark."""

    id: str
    words: str
    """What the customer comes with."""
    actions: tuple[Action, ...]
    """The calls that are right."""

    def state(self) -> dict[tuple[str, str], Record]:
        """The records that are other than before once the right calls were made, directly."""
        return self._after(len(self.actions)).state()

    def writes(self) -> list[int]:
        """The places of the calls that change a record: some are there to be refused."""
        return [place for place, one in enumerate(self.actions) if one.writes() and one.apply(self._after(place))]

    def requester(self) -> str:
        """The e-mail address of the customer whom the calls are about."""
        users = records()["users"]
        for action in self.actions:
            given = action.arguments
            order = records()["orders"].get(given.get("order_id", ""), {})
            user_id = given.get("user_id") or order.get("user_id", "")
            if not user_id and action.tool.startswith("find_user_id") and action.apply(Shop()):
                user_id = getattr(Shop(), action.tool)(**given)
            if user_id in users:
                return str(users[user_id]["email"])
        return STRANGER

    def without(self, place: int) -> Case:
        """The task with one call left out."""
        return replace(self, actions=self.actions[:place] + self.actions[place + 1 :])

    def with_one_wrong(self, place: int, draw: int) -> Case:
        """The task with one argument of one call wrong, in a way that the shop lets pass if there is one.

        ``draw`` picks among the ways, so that every kind of argument has its turn.
        """
        action = self.actions[place]
        ways = [replace(action, arguments={**action.arguments, **wrong}) for wrong in _wrong(action.arguments)]
        ways = [one for one in ways if one.apply(self._after(place))] or ways
        return replace(self, actions=(*self.actions[:place], ways[draw % len(ways)], *self.actions[place + 1 :]))

    def _after(self, count: int) -> Shop:
        shop = Shop()
        for action in self.actions[:count]:
            action.apply(shop)
        return shop


@cache
def cases() -> Sequence[Case]:
    """All tasks."""
    found: list[dict[str, Any]] = json.loads((DATA / "tasks.json").read_text(encoding="utf-8"))
    return [
        Case(
            id=one["id"],
            words=one["user_scenario"]["instructions"]["reason_for_call"],
            actions=tuple(
                Action(tool=action["name"], arguments=action["arguments"])
                for action in one["evaluation_criteria"]["actions"] or ()
            ),
        )
        for one in found
    ]


def _wrong(arguments: Record) -> Iterator[Record]:
    """Ways in which arguments can be wrong, one argument each."""
    order = records()["orders"].get(arguments.get("order_id", ""), {})
    user = records()["users"].get(order.get("user_id", ""), {})
    if "new_item_ids" in arguments:
        chosen = arguments["new_item_ids"]
        product = next(
            one for one in records()["products"].values() if any(item in one["variants"] for item in chosen[:1])
        )
        for item, variant in product["variants"].items():
            if variant["available"] and item not in (*chosen, *arguments["item_ids"]):
                yield {"new_item_ids": [item, *chosen[1:]]}
                break
    elif len(arguments.get("item_ids", ())) > 1:
        yield {"item_ids": arguments["item_ids"][:-1]}
    if "payment_method_id" in arguments:
        others = [one for one in user.get("payment_methods", {}) if one != arguments["payment_method_id"]]
        yield from ({"payment_method_id": one} for one in others)
    if "reason" in arguments:
        yield from ({"reason": one} for one in REASONS if one != arguments["reason"])
    if "address1" in arguments:
        yield {"address1": _ELSEWHERE}
    yield from ({"order_id": one} for one in user.get("orders", ()) if one != order["order_id"])
