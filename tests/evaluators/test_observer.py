"""The observer: no snapshot, no effect; and the first snapshot stands."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agents.effect import EffectObserver
from evaluators import MemorySnapshots, RecordMissing, Snapshot, SourceUnavailable, SubjectRefused, UnknownSource
from tests.evaluators.judging import KEY, NOW, Down, Shop, order, pending


async def test_what_is_seen_ahead_of_an_effect_is_kept() -> None:
    shop = Shop()
    observer: EffectObserver = shop.observer
    await observer.before_effect(pending())
    [snapshot] = shop.snapshots.of_task("acme", "task-1")
    assert (snapshot.key, snapshot.subject, snapshot.taken_at) == (KEY, "order:10482", NOW)
    kept = json.loads(shop.evidence.get(snapshot.evidence.sha256))
    assert kept["record"] == order(age_days=21)
    assert (kept["read_at"], kept["effect"]) == (NOW.isoformat(), KEY)


async def test_the_first_snapshot_stands() -> None:
    shop = Shop()
    await shop.refund()
    first = shop.snapshots.of_task("acme", "task-1")
    shop.clock.advance(timedelta(seconds=1))
    await shop.observer.before_effect(pending())
    assert shop.snapshots.of_task("acme", "task-1") == first
    assert (await shop.verify()).code == "ok"


async def test_an_outcome_without_terms_is_not_watched() -> None:
    shop = Shop()
    await shop.observer.before_effect(pending(outcome_type="voucher_sent"))
    assert shop.snapshots.of_task("acme", "task-1") == ()


@pytest.mark.parametrize("subject", ["customer:10482", "10482", "order:", "order:../1", "order:1 2", ":1"])
async def test_a_subject_of_another_kind_is_refused(subject: str) -> None:
    shop = Shop()
    with pytest.raises(SubjectRefused) as caught:
        await shop.observer.before_effect(pending(subject=subject))
    assert caught.value.subject == subject
    assert shop.snapshots.of_task("acme", "task-1") == ()


async def test_no_record_no_effect() -> None:
    with pytest.raises(RecordMissing, match="'10483'") as caught:
        await Shop().observer.before_effect(pending(subject="order:10483"))
    assert (caught.value.source, caught.value.kind, caught.value.key) == ("acme_back_office", "order", "10483")


async def test_no_source_no_effect() -> None:
    shop = Shop()
    shop.sources["acme_back_office"] = Down()
    with pytest.raises(SourceUnavailable, match="switched off"):
        await shop.observer.before_effect(pending())
    shop.sources["acme_backoffice"] = shop.sources.pop("acme_back_office")
    with pytest.raises(UnknownSource, match="did you mean 'acme_backoffice'"):
        await shop.observer.before_effect(pending())
    assert shop.snapshots.of_task("acme", "task-1") == ()


async def test_snapshots_of_tenants_and_tasks_are_apart() -> None:
    shop = Shop()
    await shop.observer.before_effect(pending())
    await shop.observer.before_effect(pending(tenant="other"))
    await shop.observer.before_effect(pending(task_id="task-2", key="refund-9"))
    assert [each.key for each in shop.snapshots.of_task("acme", "task-1")] == [KEY]
    assert [each.key for each in shop.snapshots.of_task("acme", "task-2")] == ["refund-9"]
    assert [each.tenant for each in shop.snapshots.of_task("other", "task-1")] == ["other"]


async def test_memory_gives_the_oldest_first() -> None:
    shop = Shop()
    await shop.refund()
    [late] = shop.snapshots.of_task("acme", "task-1")
    early = late.model_copy(update={"key": "z", "taken_at": NOW - timedelta(days=1)})
    snapshots = MemorySnapshots()
    assert [snapshots.keep(late), snapshots.keep(early)] == [late, early]
    other = Snapshot.model_validate({**late.model_dump(), "subject": "order:1"})
    assert snapshots.keep(other) == late
    assert snapshots.of_task("acme", "task-1") == (early, late)
