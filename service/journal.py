"""The journal and the snapshots of one deployment, in its database. Each call is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from agents import tables
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import Receipt
from agents.trace import Event
from evaluators import tables as evaluator_tables
from evaluators.observer import Snapshot
from service.database import Database


class SqlJournal:
    """`agents.journal.Journal` in the app database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receipt(self, tenant: str, key: str) -> Receipt | None:
        """The receipt under that key."""
        with self._database.transaction() as session:
            return tables.receipt_of(session, tenant, key)

    def begin(self, receipt: Receipt, *, target: str, approval_id: str | None, events: Sequence[Event]) -> None:
        """Record that an effect is about to happen; `TargetTaken` if it did under another key."""
        with self._database.transaction() as session:
            tables.begin_receipt(session, receipt, target)
            approval = tables.approval_of(session, receipt.tenant, approval_id) if approval_id else None
            if approval is not None:
                tables.save_approval(session, approval.model_copy(update={"state": ApprovalState.USED}))
            tables.record_events(session, events)

    def finish(self, receipt: Receipt, *, events: Sequence[Event]) -> Receipt:
        """Record how a call ended; returns the receipt that stands."""
        with self._database.transaction() as session:
            tables.record_events(session, events)
            return tables.finish_receipt(session, receipt)

    def record(self, events: Sequence[Event]) -> None:
        """Append events; those already there are ignored."""
        with self._database.transaction() as session:
            tables.record_events(session, events)

    def approval(self, tenant: str, approval_id: str) -> Approval | None:
        """The approval of that id."""
        with self._database.transaction() as session:
            return tables.approval_of(session, tenant, approval_id)

    def ask(self, approval: Approval, *, events: Sequence[Event]) -> Approval:
        """Ask a person; the question that stands already is returned."""
        with self._database.transaction() as session:
            standing = tables.approval_of(session, approval.tenant, approval.id)
            if standing is None:
                tables.save_approval(session, approval)
            tables.record_events(session, events)
            return standing or approval


class SqlSnapshots:
    """`evaluators.observer.Snapshots` in the app database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, snapshot: Snapshot) -> Snapshot:
        """Keep a snapshot; the first one under its key stands and is returned."""
        with self._database.transaction() as session:
            return evaluator_tables.keep_snapshot(session, snapshot)

    def of_task(self, tenant: str, task_id: str) -> tuple[Snapshot, ...]:
        """The snapshots taken ahead of a task's effects."""
        with self._database.transaction() as session:
            return evaluator_tables.snapshots_of_task(session, tenant, task_id)
