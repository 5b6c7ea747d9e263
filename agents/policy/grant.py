"""Grants: what a Plan allows, minted before any untrusted text is read. Nothing outside it executes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agents.canonical import fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Room for calls of one tool by one step."""

    step: str
    tool: str
    args: frozenset[str]
    """Names of the arguments the step passes; no other is accepted."""
    max_calls: int


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

    def slot(self, step: str) -> Slot | None:
        """The slot of that step, if it has one."""
        return next((slot for slot in self.slots if slot.step == step), None)

    @property
    def sha256(self) -> str:
        """The grant's fingerprint; the run's trace carries it."""
        return fingerprint(self)
