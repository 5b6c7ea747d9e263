"""Tables: what is written is read back, and what is settled stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Session, SQLModel, create_engine, text

from agents import Claim, Effect, Evidence, Receipt, ReceiptState, Requester, Run, Task, TaskState, tables
from agents.journal import MemoryJournal, TargetTaken
from agents.policy.approval import Approval, ApprovalState
from agents.testing import NOW
from agents.trace import Event, EventKind

TASK = Task(
    tenant="acme",
    id="t-1",
    ticket_id="T-1",
    requester=Requester(email="ada@example.com", name="Ada ☕"),
    language="de",
    opened_at=NOW,
)
RECEIPT = Receipt(
    tenant="acme",
    key="t-1:refund",
    task_id="t-1",
    run_id="t-1:run-1",
    step="refund",
    tool="shop.refund",
    tool_version="1",
    effect=Effect.WRITE,
    args={"order_id": "1", "amount": {"minor": 1, "currency": "USD"}, "note": "\x00\U0001f600"},
    args_sha256="0" * 64,
    procedure="refund@3",
    state=ReceiptState.ABOUT_TO,
    started_at=NOW,
)
DONE = RECEIPT.with_(
    state=ReceiptState.DONE,
    result={"ok": True},
    finished_at=NOW,
    evidence=(Evidence(sha256="a" * 64, media_type="image/png", label="after"),),
)
APPROVAL = Approval(
    tenant="acme",
    id="a-1",
    task_id="t-1",
    ticket_id="T-1",
    run_id="t-1:run-1",
    step="refund",
    tool="shop.refund",
    args={"order_id": "1"},
    args_sha256="0" * 64,
    reason="because",
    expires_at=NOW,
)
CLAIM = Claim(
    tenant="acme",
    id="t-1:claim",
    task_id="t-1",
    run_id="t-1:run-1",
    ticket_id="T-1",
    requester_email="ada@example.com",
    outcome_type="refund_issued",
    subject="order:1",
    procedure="refund@3",
    reply="Done",
    language="en",
    receipts=("t-1:refund",),
    made_at=NOW,
)


def event(n: int = 1, **changes: Any) -> Event:
    fields: dict[str, Any] = {"tenant": "acme", "run_id": "r", "step": "s", "n": n, "kind": EventKind.STEP_DONE}
    return Event(**(fields | {"at": NOW, "data": {"n": n}} | changes))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = create_engine(f"sqlite:///{tmp_path / 'app.sqlite'}")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as made:
        yield made
    engine.dispose()


def fresh(session: Session) -> Session:
    """The same session as another process would see it."""
    session.commit()
    session.expire_all()
    return session


def test_everything_comes_back_as_it_was(session: Session) -> None:
    run = Run(tenant="acme", id="t-1:run-1", task_id="t-1", procedure="refund@3", job=1)
    tables.save_task(session, TASK)
    tables.save_run(session, run, "sha")
    tables.finish_receipt(session, DONE)
    tables.save_approval(session, APPROVAL)
    tables.save_claim(session, CLAIM)
    tables.record_events(session, [event()])
    fresh(session)
    assert tables.tasks_of_ticket(session, "acme", "T-1") == [TASK]
    assert tables.runs_of_task(session, "acme", "t-1") == [(run, "sha")]
    assert tables.receipt_of(session, "acme", DONE.key) == DONE
    assert tables.receipts_of_task(session, "acme", "t-1") == [DONE]
    assert tables.approval_of(session, "acme", "a-1") == APPROVAL
    assert tables.claim_of(session, "acme", CLAIM.id) == CLAIM
    assert tables.events_of_run(session, "acme", "r") == [event()]


def test_nothing_is_seen_by_another_tenant(session: Session) -> None:
    tables.save_task(session, TASK)
    tables.finish_receipt(session, DONE)
    tables.save_approval(session, APPROVAL)
    tables.save_claim(session, CLAIM)
    tables.record_events(session, [event()])
    fresh(session)
    assert tables.tasks_of_ticket(session, "other", "T-1") == []
    assert tables.tasks(session, "other") == []
    assert tables.receipt_of(session, "other", DONE.key) is None
    assert tables.receipts_of_task(session, "other", "t-1") == []
    assert tables.approval_of(session, "other", "a-1") is None
    assert tables.approvals(session, "other", ApprovalState.PENDING) == []
    assert tables.claim_of(session, "other", CLAIM.id) is None
    assert tables.events_of_run(session, "other", "r") == []


def test_tasks_by_state(session: Session) -> None:
    tables.save_task(session, TASK)
    tables.save_task(session, TASK.model_copy(update={"id": "t-0", "ticket_id": "T-0"}))
    tables.save_task(session, TASK.model_copy(update={"state": TaskState.CLAIMED, "reason": "r"}))
    fresh(session)
    assert [task.ticket_id for task in tables.tasks(session, "acme")] == ["T-0", "T-1"]
    assert [task.id for task in tables.tasks(session, "acme", TaskState.CLAIMED)] == ["t-1"]


def test_approvals_by_state(session: Session) -> None:
    tables.save_approval(session, APPROVAL)
    tables.save_approval(session, APPROVAL.model_copy(update={"state": ApprovalState.USED}))
    fresh(session)
    assert tables.approvals(session, "acme", ApprovalState.PENDING) == []
    assert len(tables.approvals(session, "acme", ApprovalState.USED)) == 1


@pytest.mark.parametrize("state", [ReceiptState.DONE, ReceiptState.FAILED])
def test_a_receipt_that_ended_never_changes_again(session: Session, state: ReceiptState) -> None:
    tables.begin_receipt(session, RECEIPT, "target")
    tables.finish_receipt(session, DONE.with_(state=state))
    fresh(session)
    tables.finish_receipt(session, DONE.with_(result={"ok": False}, state=ReceiptState.FAILED))
    with pytest.raises(TargetTaken):
        tables.begin_receipt(session, RECEIPT, "target")
    assert tables.receipt_of(fresh(session), "acme", RECEIPT.key) == DONE.with_(state=state)


def test_an_effect_that_was_begun_may_be_begun_again_under_its_key_only(session: Session) -> None:
    tables.begin_receipt(session, RECEIPT, "target")
    tables.begin_receipt(session, RECEIPT, "target")
    fresh(session)
    with pytest.raises(TargetTaken):
        tables.begin_receipt(session, RECEIPT.with_(key="t-1:again"), "target")
    tables.begin_receipt(session, RECEIPT.with_(key="t-1:again"), "elsewhere")
    tables.begin_receipt(session, RECEIPT.with_(key="t-2:refund", task_id="t-2"), "target")
    tables.begin_receipt(session, RECEIPT.with_(key="t-1:cancel", tool="shop.cancel"), "target")
    assert len(tables.receipts_of_task(fresh(session), "acme", "t-1")) == 3


def test_the_database_itself_refuses_a_second_effect_on_a_target(session: Session) -> None:
    tables.begin_receipt(session, RECEIPT, "target")
    fresh(session)
    copy = (
        "INSERT INTO receipt SELECT tenant, 'k', task_id, run_id, tool, target, state, started_at, record FROM receipt"
    )
    with pytest.raises(IntegrityError):
        session.execute(text(copy))


def test_the_memory_journal_keeps_the_same_rules() -> None:
    journal = MemoryJournal()
    journal.begin(RECEIPT, target="target", approval_id=None, events=[event()])
    with pytest.raises(TargetTaken):
        journal.begin(RECEIPT.with_(key="t-1:again"), target="target", approval_id=None, events=[])
    journal.finish(DONE, events=[event(data={"n": 5})])
    journal.finish(DONE.with_(state=ReceiptState.FAILED), events=[])
    with pytest.raises(TargetTaken):
        journal.begin(RECEIPT, target="target", approval_id=None, events=[])
    assert journal.receipt("acme", RECEIPT.key) == DONE
    assert list(journal.events.values()) == [event()]


def test_events_are_inserted_or_ignored(session: Session) -> None:
    tables.record_events(session, [event(), event(data={"other": 1}), event(2)])
    fresh(session)
    tables.record_events(session, [event(2, data={}), event(3, at=NOW - timedelta(seconds=1))])
    found = tables.events_of_run(fresh(session), "acme", "r")
    assert [(one.n, one.data) for one in found] == [(3, {"n": 3}), (1, {"n": 1}), (2, {"n": 2})]


def test_the_first_claim_stands(session: Session) -> None:
    assert tables.save_claim(session, CLAIM) == CLAIM
    fresh(session)
    assert tables.save_claim(session, CLAIM.model_copy(update={"subject": "order:2"})) == CLAIM
    assert tables.claim_of(fresh(session), "acme", CLAIM.id) == CLAIM


def test_times_are_utc_and_aware(session: Session) -> None:
    berlin = datetime(2026, 3, 1, 11, 0, tzinfo=timezone(timedelta(hours=2)))
    tables.save_task(session, TASK.model_copy(update={"opened_at": berlin}))
    (found,) = tables.tasks_of_ticket(fresh(session), "acme", "T-1")
    assert found.opened_at == NOW
    assert found.opened_at.tzinfo is UTC


def test_naive_times_are_refused(session: Session) -> None:
    tables.save_task(session, TASK.model_copy(update={"opened_at": datetime(2026, 3, 1)}))  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive"):
        session.flush()
