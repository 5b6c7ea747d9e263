"""Bounds: what a plan that a model writes may ask for, written by the tenant before any word of a ticket is read.

A plan inside its bounds becomes a grant; one that reaches beyond them is refused, or a person is asked to widen them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agents.policy.grant import Fixed, Grant, Hole, Slot, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The tools that a plan may use, and what it may not choose about them."""

    tools: Mapping[str, Mapping[str, Source]]
    """By tool: where the arguments come from that the tenant fixed; a hole with choices leaves these and no others."""
    free: frozenset[str] = frozenset()
    """Tools that every plan may use: replies, and asking a person for more."""

    def regrant(self, grant: Grant, slots: Iterable[Slot]) -> Grant:
        """The grant with the room of a new plan in the place of the old one's; the one way to change a grant.

        Raises:
            ValueError: the plan reaches beyond the bounds.
        """
        slots = tuple(slots)
        if outside := (*self.beyond(slots), *self.against(slots)):
            raise ValueError(f"the plan reaches beyond its bounds: {', '.join(outside)}")
        return replace(grant, slots=slots, max_calls=grant.max_calls + sum(slot.max_calls for slot in slots))

    def beyond(self, slots: Iterable[Slot]) -> tuple[str, ...]:
        """The tools of ``slots`` that the bounds do not name, sorted; a person may allow them."""
        return tuple(sorted({slot.tool for slot in slots} - self.tools.keys() - self.free))

    def against(self, slots: Iterable[Slot]) -> tuple[str, ...]:
        """``tool: argument`` where ``slots`` fill one otherwise than the tenant fixed it; nobody may allow that."""
        return tuple(
            f"{slot.tool}: {name}"
            for slot in slots
            for name, fixed in self.tools.get(slot.tool, {}).items()
            if not _within(slot.args.get(name), fixed)
        )

    def widened(self, tools: Iterable[str]) -> Bounds:
        """The same with ``tools`` beside, every argument of theirs free: a person said yes to it."""
        return replace(self, tools={**{tool: {} for tool in tools}, **self.tools})


def _within(source: Source | None, fixed: Source) -> bool:
    """True if an argument that comes from ``source`` is one that the tenant's ``fixed`` allows."""
    if isinstance(fixed, Hole):
        if not fixed.one_of:
            return True
        match source:
            case None:
                return True
            case Fixed(value):
                return any(type(value) is type(one) and value == one for one in fixed.one_of)
            case _:
                return source == fixed
    return source == fixed
