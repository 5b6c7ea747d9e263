"""The tables: the first writer of a key wins, and tenants do not meet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, create_engine

from agents.evidence import Evidence
from evaluators import Snapshot
from evaluators.tables import (
    SnapshotRow,
    VerdictRow,
    keep_snapshot,
    save_verdict,
    snapshots_of_task,
    verdict_of_claim,
)
from tests.evaluators.judging import KEY, NOW, Shop, claim


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = create_engine(f"sqlite:///{tmp_path / 'app.db'}")
    SQLModel.metadata.create_all(
        engine, tables=[SQLModel.metadata.tables[str(row.__tablename__)] for row in (SnapshotRow, VerdictRow)]
    )
    with Session(engine) as session:
        yield session
    engine.dispose()


def snapshot(**changes: object) -> Snapshot:
    values: dict[str, object] = {
        "tenant": "acme",
        "key": KEY,
        "task_id": "task-1",
        "subject": "order:10482",
        "evidence": Evidence(sha256="0" * 64, media_type="application/json", label="before"),
        "taken_at": NOW,
    }
    return Snapshot.model_validate({**values, **changes})


def test_the_first_snapshot_stands(session: Session) -> None:
    assert keep_snapshot(session, snapshot()) == snapshot()
    session.commit()
    assert keep_snapshot(session, snapshot(subject="order:1")) == snapshot()
    assert keep_snapshot(session, snapshot(tenant="other", subject="order:1")).subject == "order:1"
    assert snapshots_of_task(session, "acme", "task-1") == (snapshot(),)


def test_a_tasks_snapshots_oldest_first(session: Session) -> None:
    berlin = timezone(timedelta(hours=2))
    late = snapshot(key="a", taken_at=NOW + timedelta(minutes=1))
    early = snapshot(key="b", taken_at=(NOW - timedelta(minutes=1)).astimezone(berlin))
    for each in (late, snapshot(), early, snapshot(key="c", task_id="task-2")):
        keep_snapshot(session, each)
    found = snapshots_of_task(session, "acme", "task-1")
    assert [each.key for each in found] == ["b", KEY, "a"]
    assert found[0].taken_at == early.taken_at
    assert snapshots_of_task(session, "other", "task-1") == ()


async def test_the_first_verdict_stands_and_stays_authentic(session: Session) -> None:
    shop = Shop()
    await shop.refund()
    first = await shop.verify()
    shop.clock.advance(timedelta(seconds=1))
    second = await shop.verify()
    assert first != second
    assert save_verdict(session, first) == first
    session.commit()
    assert save_verdict(session, second) == first
    session.commit()
    session.expire_all()
    standing = verdict_of_claim(session, "acme", "claim-1")
    assert standing == first
    assert standing.authentic(shop.key.public_key)
    assert verdict_of_claim(session, "other", "claim-1") is None
    assert verdict_of_claim(session, "acme", "claim-2") is None


async def test_another_tenants_claim_of_the_same_id(session: Session) -> None:
    shop = Shop()
    verdict = await shop.verify(claim(receipts=()))
    save_verdict(session, verdict)
    other = save_verdict(session, verdict.model_copy(update={"tenant": "other", "signature": None}))
    assert other.tenant == "other"


def test_a_rollback_takes_them_back(session: Session) -> None:
    keep_snapshot(session, snapshot())
    session.rollback()
    assert snapshots_of_task(session, "acme", "task-1") == ()


def test_keys_lead_with_the_tenant(session: Session) -> None:
    keys = inspect(session.get_bind())
    assert keys.get_pk_constraint("snapshot")["constrained_columns"] == ["tenant", "key"]
    assert keys.get_pk_constraint("verdict")["constrained_columns"] == ["tenant", "claim_id"]


def test_a_time_without_a_zone_is_refused(session: Session) -> None:
    with pytest.raises(Exception, match="aware"):
        keep_snapshot(session, snapshot(taken_at=NOW.replace(tzinfo=None)))
