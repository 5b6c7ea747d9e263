"""Tables of this package, and functions on a Session. Callers commit; the service owns database and migrations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Insert,
    Table,
    TypeDecorator,
    UniqueConstraint,
    func,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlmodel import Field, Session, SQLModel, col, select

from agents.claim import Claim
from agents.journal import TargetTaken
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import Receipt, ReceiptState
from agents.task import Run, Task, TaskState
from agents.ticket import Requester
from agents.trace import Event, EventKind


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times in every database; naive ones are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times in the database are aware; this one is naive")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware (SQLite forgets the zone)."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class TaskRow(SQLModel, table=True):
    """One Task."""

    __tablename__ = "task"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    ticket_id: str = Field(index=True)
    requester_email: str = Field(index=True)
    requester_name: str
    language: str
    procedure: str = Field(default="", sa_column_kwargs={"server_default": ""})
    about: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]"))
    heard: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    opened_at: datetime = Field(sa_type=UtcDateTime)
    state: str
    reason: str = ""
    detail: str = ""
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RunRow(SQLModel, table=True):
    """One Run, with the plan it was started with."""

    __tablename__ = "run"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    task_id: str = Field(index=True)
    procedure: str
    plan_sha256: str
    job: int
    ticket_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})


class ReceiptRow(SQLModel, table=True):
    """One receipt. ``target`` is the second guard: one effect of a tool on a target per task."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("tenant", "task_id", "tool", "target"),)

    tenant: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    task_id: str = Field(index=True)
    run_id: str = Field(index=True)
    tool: str
    target: str
    state: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class EventRow(SQLModel, table=True):
    """One trace event."""

    __tablename__ = "event"

    tenant: str = Field(primary_key=True)
    run_id: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    kind: str
    at: datetime = Field(sa_type=UtcDateTime)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ApprovalRow(SQLModel, table=True):
    """One question to a person, and the answer."""

    __tablename__ = "approval"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    ticket_id: str = Field(index=True)
    state: str = Field(index=True)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ClaimRow(SQLModel, table=True):
    """One claim."""

    __tablename__ = "claim"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    task_id: str = Field(index=True)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class SpendingRow(SQLModel, table=True):
    """One call of a model: what is reserved for it, or what it did cost, in millionths of a US dollar."""

    __tablename__ = "spending"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    day: date
    micros: int = Field(sa_type=BigInteger)
    settled: bool


class SpendingDayRow(SQLModel, table=True):
    """The sum of one tenant's day (UTC); every change of a `SpendingRow` changes it in the same transaction."""

    __tablename__ = "spending_day"

    tenant: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    micros: int = Field(sa_type=BigInteger)


def save_task(session: Session, task: Task) -> None:
    """Insert or update a task."""
    session.merge(
        TaskRow(
            requester_email=task.requester.email,
            requester_name=task.requester.name,
            **task.model_dump(exclude={"requester", "state", "about"}),
            about=list(task.about),
            state=task.state.value,
        )
    )


def move_task(
    session: Session, tenant: str, task_id: str, state: TaskState, *, at: datetime, reason: str = "", detail: str = ""
) -> None:
    """Note where a task stands from ``at`` on, and why; `NoResultFound` if there is no such task."""
    row = session.get_one(TaskRow, (tenant, task_id))
    row.state, row.reason, row.detail, row.changed_at = state.value, reason, detail, at
    session.add(row)


def task_of(session: Session, tenant: str, task_id: str) -> Task:
    """The task of that id; `NoResultFound` if there is none."""
    return _task(session.get_one(TaskRow, (tenant, task_id)))


def tasks_of_ticket(session: Session, tenant: str, ticket_id: str) -> list[Task]:
    """The tasks of a ticket in the order they were opened."""
    query = select(TaskRow).where(TaskRow.tenant == tenant, TaskRow.ticket_id == ticket_id)
    return [_task(row) for row in session.exec(query.order_by(func.length(TaskRow.id), col(TaskRow.id)))]


def tasks_of_requester(session: Session, tenant: str, email: str) -> list[Task]:
    """The tasks of a requester, by id; capital letters in the address make no difference."""
    query = select(TaskRow).where(TaskRow.tenant == tenant, func.lower(TaskRow.requester_email) == email.lower())
    return [_task(row) for row in session.exec(query.order_by(col(TaskRow.id)))]


def tasks(session: Session, tenant: str, state: TaskState | None = None) -> list[Task]:
    """All tasks of a tenant, or those in one state, in the order of their tickets."""
    query = select(TaskRow).where(TaskRow.tenant == tenant).order_by(col(TaskRow.ticket_id))
    if state is not None:
        query = query.where(TaskRow.state == state.value)
    return [_task(row) for row in session.exec(query)]


def save_run(session: Session, run: Run, plan_sha256: str) -> None:
    """Insert a run, or note its next job."""
    session.merge(RunRow(**run.model_dump(), plan_sha256=plan_sha256))


def runs_of_task(session: Session, tenant: str, task_id: str) -> list[tuple[Run, str]]:
    """The runs of a task in the order they were started, each with its plan's fingerprint."""
    query = select(RunRow).where(RunRow.tenant == tenant, RunRow.task_id == task_id)
    rows = session.exec(query.order_by(func.length(RunRow.id), col(RunRow.id)))
    return [(Run(**row.model_dump(exclude={"plan_sha256"})), row.plan_sha256) for row in rows]


def receipt_of(session: Session, tenant: str, key: str) -> Receipt | None:
    """The receipt under that key."""
    row = session.get(ReceiptRow, (tenant, key))
    return None if row is None else Receipt.model_validate(row.record)


def receipts_of_task(session: Session, tenant: str, task_id: str) -> list[Receipt]:
    """All receipts of a task, oldest first."""
    query = select(ReceiptRow).where(ReceiptRow.tenant == tenant, ReceiptRow.task_id == task_id)
    rows = session.exec(query.order_by(col(ReceiptRow.started_at), col(ReceiptRow.key)))
    return [Receipt.model_validate(row.record) for row in rows]


def begin_receipt(session: Session, receipt: Receipt, target: str) -> None:
    """Record an effect that is about to happen; `TargetTaken` if this task has it under another key, or had it."""
    standing = session.get(ReceiptRow, (receipt.tenant, receipt.key))
    if standing is not None and standing.state != ReceiptState.ABOUT_TO:
        raise TargetTaken
    query = select(ReceiptRow.key).where(
        ReceiptRow.tenant == receipt.tenant,
        ReceiptRow.task_id == receipt.task_id,
        ReceiptRow.tool == receipt.tool,
        ReceiptRow.target == target,
    )
    if session.exec(query).first() not in (None, receipt.key):
        raise TargetTaken
    session.merge(_receipt_row(receipt, target))


def finish_receipt(session: Session, receipt: Receipt) -> Receipt:
    """Record how a call ended; returns the receipt that stands. One that is done or failed is never changed again."""
    if insert_or_ignore(session, _receipt_row(receipt, receipt.key)):
        return receipt
    row = session.get_one(ReceiptRow, (receipt.tenant, receipt.key), populate_existing=True)
    if row.state != ReceiptState.ABOUT_TO:
        return Receipt.model_validate(row.record)
    row.state = receipt.state.value
    row.record = receipt.model_dump(mode="json")
    session.add(row)
    return receipt


def record_events(session: Session, events: Iterable[Event]) -> None:
    """Append events; those already there are ignored."""
    rows = [event.model_dump(mode="python") | {"kind": event.kind.value} for event in events]
    if rows:
        session.connection().execute(_insert(EventRow, session), rows)


def insert_or_ignore(session: Session, row: SQLModel) -> bool:
    """Insert ``row`` unless one stands under its key; True if it was inserted.

    One atomic statement: no read before it that another writer could overtake, no savepoint that SQLite commits.
    """
    session.flush()
    counted = {"preserve_rowcount": True}
    done = session.connection().execute(_insert(type(row), session), row.model_dump(), execution_options=counted)
    return done.rowcount > 0


def _insert(model: type[SQLModel], session: Session) -> Insert:
    return _insert_for(model, session.get_bind().dialect.name)


@cache
def _insert_for(model: type[SQLModel], dialect: str) -> Insert:
    table: Table = model.__table__  # type: ignore[attr-defined]
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def events_of_run(session: Session, tenant: str, run_id: str) -> list[Event]:
    """A run's trace in the order it happened."""
    query = select(EventRow).where(EventRow.tenant == tenant, EventRow.run_id == run_id)
    rows = session.exec(query.order_by(col(EventRow.at), col(EventRow.n)))
    return [Event(**row.model_dump(exclude={"kind"}), kind=EventKind(row.kind)) for row in rows]


def approval_of(session: Session, tenant: str, approval_id: str) -> Approval | None:
    """The approval of that id."""
    row = session.get(ApprovalRow, (tenant, approval_id))
    return None if row is None else Approval.model_validate(row.record)


def approvals(session: Session, tenant: str, state: ApprovalState) -> list[Approval]:
    """A tenant's approvals in one state."""
    query = select(ApprovalRow).where(ApprovalRow.tenant == tenant, ApprovalRow.state == state.value)
    return [Approval.model_validate(row.record) for row in session.exec(query.order_by(col(ApprovalRow.id)))]


def approvals_of_task(session: Session, tenant: str, task_id: str) -> list[Approval]:
    """All approvals that were asked for a task, in whatever state."""
    query = select(ApprovalRow).where(ApprovalRow.tenant == tenant).order_by(col(ApprovalRow.id))
    rows = session.exec(query.where(col(ApprovalRow.id).startswith(f"{task_id}:", autoescape=True)))
    return [Approval.model_validate(row.record) for row in rows]


def save_approval(session: Session, approval: Approval) -> None:
    """Insert or update an approval."""
    session.merge(
        ApprovalRow(
            tenant=approval.tenant,
            id=approval.id,
            ticket_id=approval.ticket_id,
            state=approval.state.value,
            record=approval.model_dump(mode="json"),
        )
    )


def save_claim(session: Session, claim: Claim) -> Claim:
    """Insert a claim; the one that stands under its id is returned."""
    row = session.get(ClaimRow, (claim.tenant, claim.id))
    if row is not None:
        return Claim.model_validate(row.record)
    session.add(ClaimRow(tenant=claim.tenant, id=claim.id, task_id=claim.task_id, record=claim.model_dump(mode="json")))
    return claim


def claim_of(session: Session, tenant: str, claim_id: str) -> Claim | None:
    """The claim of that id."""
    row = session.get(ClaimRow, (tenant, claim_id))
    return None if row is None else Claim.model_validate(row.record)


def reserve_spending(session: Session, tenant: str, day: date, reservation_id: str, micros: int, cap: int) -> bool:
    """Count ``micros`` for a call that is about to be made; False, and nothing is counted, if the day has not so much.

    The sum is compared and raised in one statement, so that callers at the same time cannot both have the last of it.
    """
    insert_or_ignore(session, SpendingDayRow(tenant=tenant, day=day, micros=0))
    within = col(SpendingDayRow.micros) + micros <= cap
    if not _add_to_day(session, tenant, day, micros, within):
        return False
    session.add(SpendingRow(tenant=tenant, id=reservation_id, day=day, micros=micros, settled=False))
    session.flush()
    return True


def settle_spending(session: Session, tenant: str, reservation_id: str, micros: int) -> None:
    """Count what a call did cost in place of what was reserved for it; a second time changes nothing."""
    query = select(SpendingRow).where(SpendingRow.tenant == tenant, SpendingRow.id == reservation_id)
    row = session.exec(query.with_for_update()).one_or_none()
    if row is None or row.settled:
        return
    _add_to_day(session, tenant, row.day, micros - row.micros, true())
    row.micros, row.settled = micros, True
    session.add(row)


def spent_in_day(session: Session, tenant: str, day: date) -> int:
    """What a tenant's calls have cost in a day (UTC), with what is reserved, in millionths of a US dollar."""
    row = session.get(SpendingDayRow, (tenant, day))
    return 0 if row is None else row.micros


def _add_to_day(session: Session, tenant: str, day: date, micros: int, condition: ColumnElement[bool]) -> bool:
    whose = (col(SpendingDayRow.tenant) == tenant, col(SpendingDayRow.day) == day)
    raised = update(SpendingDayRow).where(*whose, condition).values(micros=col(SpendingDayRow.micros) + micros)
    return bool(session.connection().execute(raised).rowcount)


def _task(row: TaskRow) -> Task:
    fields = row.model_dump(exclude={"requester_email", "requester_name", "state"})
    requester = Requester(email=row.requester_email, name=row.requester_name)
    return Task(**fields, requester=requester, state=TaskState(row.state))


def _receipt_row(receipt: Receipt, target: str) -> ReceiptRow:
    return ReceiptRow(
        tenant=receipt.tenant,
        key=receipt.key,
        task_id=receipt.task_id,
        run_id=receipt.run_id,
        tool=receipt.tool,
        target=target,
        state=receipt.state.value,
        started_at=receipt.started_at,
        record=receipt.model_dump(mode="json"),
    )
