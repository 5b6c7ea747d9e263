"""Tables of this package, and functions on a Session. Callers commit; the service owns database and migrations.

Rows are inserted once and never changed: the first writer of a key wins, whatever is retried or delivered twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, Session, SQLModel, col, select

from agents.tables import UtcDateTime, insert_or_ignore
from evaluators.observer import Snapshot
from evaluators.verdict import Verdict


class SnapshotRow(SQLModel, table=True):
    """One look at a record ahead of an effect."""

    __tablename__ = "snapshot"

    tenant: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    task_id: str = Field(index=True)
    taken_at: datetime = Field(sa_type=UtcDateTime)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class VerdictRow(SQLModel, table=True):
    """The one verdict on a claim."""

    __tablename__ = "verdict"

    tenant: str = Field(primary_key=True)
    claim_id: str = Field(primary_key=True)
    id: str = Field(index=True)
    finding: str
    code: str
    decided_at: datetime = Field(sa_type=UtcDateTime)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


def keep_snapshot(session: Session, snapshot: Snapshot) -> Snapshot:
    """Store ``snapshot`` unless one stands under (tenant, key); returns the one that stands."""
    row = SnapshotRow(
        tenant=snapshot.tenant,
        key=snapshot.key,
        task_id=snapshot.task_id,
        taken_at=snapshot.taken_at,
        record=snapshot.model_dump(mode="json"),
    )
    insert_or_ignore(session, row)
    found = select(SnapshotRow).where(SnapshotRow.tenant == snapshot.tenant, SnapshotRow.key == snapshot.key)
    return Snapshot.model_validate(session.exec(found).one().record)


def snapshots_of_task(session: Session, tenant: str, task_id: str) -> tuple[Snapshot, ...]:
    """The task's snapshots, oldest first."""
    found = select(SnapshotRow).where(SnapshotRow.tenant == tenant, SnapshotRow.task_id == task_id)
    rows = session.exec(found.order_by(col(SnapshotRow.taken_at), col(SnapshotRow.key)))
    return tuple(Snapshot.model_validate(row.record) for row in rows)


def save_verdict(session: Session, verdict: Verdict) -> Verdict:
    """Store ``verdict`` unless its claim has one; returns the one that stands.

    Save only verdicts that are to stand: not those of a source that was unavailable.
    """
    row = VerdictRow(
        tenant=verdict.tenant,
        claim_id=verdict.claim_id,
        id=verdict.id,
        finding=verdict.finding.value,
        code=verdict.code,
        decided_at=verdict.decided_at,
        record=verdict.model_dump(mode="json"),
    )
    insert_or_ignore(session, row)
    return verdict_of_claim(session, verdict.tenant, verdict.claim_id) or verdict


def verdict_of_claim(session: Session, tenant: str, claim_id: str) -> Verdict | None:
    """The verdict on that claim, if there is one."""
    found = select(VerdictRow).where(VerdictRow.tenant == tenant, VerdictRow.claim_id == claim_id)
    row = session.exec(found).one_or_none()
    return None if row is None else Verdict.model_validate(row.record)
