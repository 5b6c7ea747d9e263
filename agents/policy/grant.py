"""Grants: what a Plan allows, minted before any untrusted text is read. Nothing outside it executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from agents.canonical import fingerprint


class Autonomy(StrEnum):
    """How much agents do without a person."""

    COPILOT = "copilot"
    """They draft; a person sends each reply and allows each effect."""
    AGENT = "agent"
    """They act; a person allows what the policy or the procedure names, and every effect that a model decided on."""
    COWORKER = "coworker"
    """They act within their grant; a person allows what the policy or the procedure names."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The argument is written in the procedure."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Filled:
    """The argument is filled from what earlier steps left: ``${order.id}``."""

    template: str


@dataclass(frozen=True, slots=True)
class Hole:
    """A model fills the argument in, or leaves it out; what it may choose among is written in the procedure."""

    one_of: tuple[JsonValue, ...] = ()
    """Nothing else is accepted; empty accepts anything that the tool takes."""


Source = Fixed | Filled | Hole
"""Where an argument comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Room for calls of one tool by one step."""

    step: str
    tool: str
    args: Mapping[str, Source]
    """Where each argument comes from; no other argument is accepted, and none from elsewhere."""
    max_calls: int = 1

    def misfit(self, args: Mapping[str, JsonValue], sources: Mapping[str, Source], *, values: bool) -> str:
        """The name of an argument that the slot has no room for, or lacks; empty when all of them fit.

        Without ``values`` only names and sources are looked at: a person wrote the values.
        """
        for name in sorted(args.keys() | self.args.keys()):
            planned, given = self.args.get(name), sources.get(name)
            if name not in args:
                if not isinstance(planned, Hole):
                    return name
            elif (
                planned is None
                or (given is not planned and given != planned)
                or (values and not isinstance(planned, Filled) and not _allows(planned, args[name]))
            ):
                return name
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The calls that one Run may make."""

    tenant: str
    run_id: str
    requester_email: str
    slots: tuple[Slot, ...]
    max_calls: int
    """Calls of all tools together, tries included."""
    expires_at: datetime
    hosts: frozenset[str] = frozenset()
    """The hosts that an argument which is an address may name, in lower case."""
    autonomy: Autonomy = Autonomy.AGENT

    def slot(self, step: str, tool: str) -> Slot | None:
        """The room that the step has for calls of the tool, if any."""
        return next((slot for slot in self.slots if (slot.step, slot.tool) == (step, tool)), None)

    @property
    def sha256(self) -> str:
        """The grant's fingerprint; the run's trace carries it."""
        return fingerprint(self)


def _allows(source: Fixed | Hole, value: JsonValue) -> bool:
    match source:
        case Fixed(fixed):
            return _same(value, (fixed,))
        case Hole(one_of):
            return not one_of or _same(value, one_of)


def _same(value: JsonValue, allowed: tuple[JsonValue, ...]) -> bool:
    """True if ``value`` is one of ``allowed``, of the same type: 1, 1.0 and true are three values."""
    return any(type(value) is type(one) and value == one for one in allowed)
