"""The journal: receipts, approvals and trace of runs. Written ahead of effects, read after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.canonical import fingerprint
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import Receipt, ReceiptState
from agents.tools.tool import Tool
from agents.trace import Event


class TargetTaken(Exception):
    """Control flow: this task already has an effect of this tool on this target, or the call has ended already."""


class Journal(Protocol):
    """Where runs keep what must outlive a crash. Each call is one transaction."""

    def receipt(self, tenant: str, key: str) -> Receipt | None:
        """The receipt under that key."""
        ...

    def begin(self, receipt: Receipt, *, target: str, approval_id: str | None, events: Sequence[Event]) -> None:
        """Record that an effect is about to happen, and that its approval is used up.

        Raises:
            TargetTaken: the second guard against doing a thing twice.
        """
        ...

    def finish(self, receipt: Receipt, *, events: Sequence[Event]) -> Receipt:
        """Record how a call ended (for a read: that it was made at all); returns the receipt that stands.

        One that is done or failed already is never changed again.
        """
        ...

    def record(self, events: Sequence[Event]) -> None:
        """Append events; those already there are ignored."""
        ...

    def approval(self, tenant: str, approval_id: str) -> Approval | None:
        """The approval of that id."""
        ...

    def ask(self, approval: Approval, *, events: Sequence[Event]) -> Approval:
        """Ask a person; if the same question stands already, that one is returned."""
        ...


def target_of(tool: Tool, receipt: Receipt) -> str:
    """What an effect is aimed at: the fingerprint of its sinks; the key itself for tools without sinks."""
    sinks = {name: receipt.args[name] for name in sorted(tool.sinks) if name in receipt.args}
    return fingerprint(sinks) if sinks else receipt.key


class MemoryJournal:
    """A journal for as long as the process lives."""

    def __init__(self) -> None:
        self.receipts: dict[tuple[str, str], Receipt] = {}
        self.approvals: dict[tuple[str, str], Approval] = {}
        self.events: dict[tuple[str, str, str, int], Event] = {}
        self._targets: dict[tuple[str, str, str, str], str] = {}

    def receipt(self, tenant: str, key: str) -> Receipt | None:
        """The receipt under that key."""
        return self.receipts.get((tenant, key))

    def begin(self, receipt: Receipt, *, target: str, approval_id: str | None, events: Sequence[Event]) -> None:
        """Record that an effect is about to happen; `TargetTaken` if it did under another key."""
        place = (receipt.tenant, receipt.task_id, receipt.tool, target)
        standing = self.receipt(receipt.tenant, receipt.key)
        if standing is not None and standing.state is not ReceiptState.ABOUT_TO:
            raise TargetTaken
        if self._targets.setdefault(place, receipt.key) != receipt.key:
            raise TargetTaken
        self.receipts[receipt.tenant, receipt.key] = receipt
        if approval_id is not None:
            used = self.approvals[receipt.tenant, approval_id]
            self.approvals[receipt.tenant, approval_id] = used.model_copy(update={"state": ApprovalState.USED})
        self.record(events)

    def finish(self, receipt: Receipt, *, events: Sequence[Event]) -> Receipt:
        """Record how a call ended; returns the receipt that stands."""
        standing = self.receipt(receipt.tenant, receipt.key)
        if standing is None or standing.state is ReceiptState.ABOUT_TO:
            self.receipts[receipt.tenant, receipt.key] = receipt
        self.record(events)
        return self.receipts[receipt.tenant, receipt.key]

    def record(self, events: Sequence[Event]) -> None:
        """Append events; those already there are ignored."""
        for event in events:
            self.events.setdefault((event.tenant, event.run_id, event.step, event.n), event)

    def approval(self, tenant: str, approval_id: str) -> Approval | None:
        """The approval of that id."""
        return self.approvals.get((tenant, approval_id))

    def ask(self, approval: Approval, *, events: Sequence[Event]) -> Approval:
        """Ask a person; the question that stands already is returned."""
        self.record(events)
        return self.approvals.setdefault((approval.tenant, approval.id), approval)
