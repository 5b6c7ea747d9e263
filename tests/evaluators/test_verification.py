"""Verification end to end: a fresh reading, kept evidence, a signature, and the second look before money is settled."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.canonical import fingerprint
from agents.errors import EvidenceMissing
from agents.evidence import Evidence, MemoryEvidenceStore
from agents.receipt import Receipt
from agents.ticket import Author, Message, Requester
from evaluators import (
    EvidenceClass,
    Finding,
    MemorySnapshots,
    SigningKey,
    UnknownSource,
    Verdict,
    Verifier,
    examine,
    rebuilt_case,
)
from tests.evaluators.judging import (
    ANNA,
    ASKED,
    KEY,
    NOW,
    REFUND,
    REFUSAL,
    Down,
    Shop,
    claim,
    looked_up,
    order,
    pending,
    receipt,
    refunded,
    ticket,
)

REFUSED = claim(
    outcome_type="refused_correctly", receipts=("read-1",), reply="Sorry, order 10482 is too old for a refund."
)


async def test_an_honest_run_from_snapshot_to_signature() -> None:
    shop = Shop()
    await shop.refund()
    shop.clock.advance(timedelta(minutes=5))
    verdict = await shop.verify()
    assert (verdict.finding, verdict.evidence_class) == (Finding.PASSED, EvidenceClass.EFFECT_VERIFIED)
    assert verdict.authentic(shop.key.public_key)
    assert verdict.id == "verdict-" + fingerprint(["claim-1", "acme-2026@2"])[:24]
    assert verdict.claim_sha256 == fingerprint(claim())
    assert (verdict.contract, verdict.verifier_version) == ("acme-2026@2", "settle-verifier/3")
    assert verdict.decided_at == NOW + timedelta(minutes=5)
    stored = [
        json.loads(shop.evidence.get(each.sha256)) for each in (verdict.before, verdict.after, verdict.request) if each
    ]
    assert stored[0]["record"] == order(age_days=21)
    assert (stored[1]["record"], stored[1]["read_at"]) == (refunded(age_days=21), "2026-07-01T12:05:00+00:00")
    assert stored[2] == {"requester": ANNA, "name": "anna", "messages": ["Broken mug", ASKED]}


async def test_doing_nothing_is_not_paid() -> None:
    shop = Shop()
    assert (await shop.verify(claim(receipts=()))).code == "no_effect"
    await shop.observer.before_effect(pending())
    verdict = await shop.verify()
    assert (verdict.finding, verdict.evidence_class, verdict.code) == (Finding.FAILED, None, "state_unchanged")
    assert verdict.authentic(shop.key.public_key)


async def test_an_unwatched_effect_is_not_paid() -> None:
    shop = Shop()
    shop.office.put("order", "10482", refunded())
    assert (await shop.verify()).code == "no_snapshot"


async def test_a_snapshot_of_another_subject_does_not_help() -> None:
    shop = Shop()
    shop.office.put("order", "10483", order(id="10483"))
    await shop.observer.before_effect(pending(subject="order:10483"))
    shop.office.put("order", "10482", refunded())
    assert (await shop.verify()).code == "no_snapshot"


async def test_a_snapshot_of_an_effect_that_is_not_in_the_claim_is_not_its_before() -> None:
    shop = Shop()
    await shop.observer.before_effect(pending(key="refund-2"))
    shop.office.put("order", "10482", refunded())
    verdict = await shop.verify()
    assert (verdict.code, verdict.before) == ("no_snapshot", None)


async def test_a_record_with_broken_characters_is_kept_and_repeated() -> None:
    shop = Shop()
    shop.office.put("order", "10482", order(note="\ud800"))
    await shop.observer.before_effect(pending())
    shop.office.put("order", "10482", refunded(note="\ud800"))
    verdict = await shop.verify()
    assert verdict.code == "undetermined"
    assert examine(rebuilt_case(verdict, claim(), [receipt()], shop.evidence), REFUND).checks == verdict.checks


async def test_a_lost_snapshot_proves_nothing() -> None:
    shop = Shop()
    await shop.refund()
    [snapshot] = shop.snapshots.of_task("acme", "task-1")
    altered = MemorySnapshots()
    altered.keep(snapshot.model_copy(update={"evidence": Evidence(sha256="0" * 64, media_type="x", label="x")}))
    verifier = Verifier(sources=shop.sources, snapshots=altered, evidence=shop.evidence, key=shop.key, clock=shop.clock)
    shop.verifier = verifier
    assert (await shop.verify()).code == "no_snapshot"


async def test_a_run_with_two_effects_is_proven_by_the_one_that_counts() -> None:
    shop = Shop()
    await shop.refund()
    shop.clock.advance(timedelta(seconds=1))
    await shop.observer.before_effect(pending(key="note-1"))
    shop.office.put("order", "10482", refunded(note="refunded"))
    both = claim(receipts=(KEY, "note-1"))
    verdict = await shop.verify(both, None, receipt(), receipt(key="note-1"))
    assert verdict.code == "ok"
    assert verdict.before == shop.snapshots.of_task("acme", "task-1")[0].evidence


async def test_the_ticket_says_who_asks() -> None:
    shop = Shop()
    await shop.refund()
    assert (await shop.verify(None, ticket(requester=Requester(email="bob@example.com")))).code == "wrong_requester"
    for other in (ticket(id="ticket-2"), ticket(tenant="other")):
        with pytest.raises(ValueError, match="ticket"):
            await shop.verify(None, other)


async def test_only_the_requesters_own_messages_ask() -> None:
    shop = Shop()
    await shop.refund()
    for message in (
        Message(id="m", author=Author.AGENT, text=ASKED, at=NOW),
        Message(id="m", author=Author.STAFF, text=ASKED, at=NOW),
        Message(id="m", author=Author.REQUESTER, text=ASKED, at=NOW, automatic=True),
    ):
        assert (await shop.verify(None, ticket(messages=(message,)))).code == "not_asked_for"


async def test_a_subject_line_asks_unless_it_is_that_of_an_answered_mail() -> None:
    shop = Shop()
    await shop.refund()
    assert (await shop.verify(None, ticket("It is broken.", subject="Refund for order 10482"))).code == "ok"
    answered = ticket("It is broken.", subject="Re: Refund for order 10482")
    assert (await shop.verify(None, answered)).code == "not_asked_for"


async def test_a_source_that_is_down_decides_nothing() -> None:
    shop = Shop()
    await shop.refund()
    shop.sources["acme_back_office"] = Down()
    verdict = await shop.verify()
    assert (verdict.finding, verdict.code) == (Finding.UNDETERMINED, "source_unavailable")
    assert "switched off" in verdict.checks[0].reason
    assert verdict.authentic(shop.key.public_key)
    shop.sources["acme_back_office"] = shop.office
    assert (await shop.verify()).code == "ok"


async def test_a_source_that_is_not_set_up_is_said_aloud() -> None:
    shop = Shop()
    shop.sources.clear()
    with pytest.raises(UnknownSource, match=r"proof\.read"):
        await shop.verify()


async def test_a_claim_of_another_kind_reads_nothing() -> None:
    shop = Shop()
    shop.sources["acme_back_office"] = Down()
    verdict = await shop.verify(claim(subject="customer:10482"))
    assert (verdict.code, verdict.after) == ("wrong_subject", None)


async def test_a_refusal_and_an_effect_in_the_same_task() -> None:
    shop = Shop()
    shop.clock.advance(timedelta(days=30))
    verdict = await shop.verify(REFUSED, None, looked_up(), terms=REFUSAL)
    assert (verdict.evidence_class, verdict.before) == (EvidenceClass.GROUNDED, None)
    await shop.observer.before_effect(pending(outcome_type="refused_correctly", key="hidden"))
    assert (await shop.verify(REFUSED, None, looked_up(), terms=REFUSAL)).code == "effect_made"


async def test_receipts_of_other_tasks_are_left_out() -> None:
    shop = Shop()
    shop.clock.advance(timedelta(days=30))
    elsewhere = receipt(task_id="task-2")
    assert (await shop.verify(REFUSED, None, looked_up(), elsewhere, terms=REFUSAL)).code == "ok"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (refunded(), "ok"),
        (refunded(status="returned"), "ok"),
        (order(), "state_unchanged"),
        (refunded(refunded_minor=100), "not_as_promised"),
        (refunded(refund_reference="R-2"), "not_by_this_run"),
        (refunded(customer_email="bob@example.com"), "not_theirs"),
        (None, "record_missing"),
    ],
)
async def test_an_effect_must_still_stand_at_settlement(now: dict[str, Any] | None, code: str) -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify()
    shop.clock.advance(timedelta(days=3))
    shop.office.remove("order", "10482")
    if now is not None:
        shop.office.put("order", "10482", now)
    found = await shop.verifier.still_stands(verdict, claim(), REFUND, [receipt()], ticket("money is here"))
    assert (found.check, found.version, found.code) == ("still_stands", "still_stands/1", code)
    assert found.finding is (Finding.PASSED if code == "ok" else Finding.FAILED)
    [evidence] = found.evidence
    assert json.loads(shop.evidence.get(evidence.sha256))["read_at"] == "2026-07-04T12:00:00+00:00"


async def test_settlement_without_a_reading_is_undetermined() -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify()
    lost = verdict.model_copy(update={"before": Evidence(sha256="0" * 64, media_type="x", label="x")})
    found = await shop.verifier.still_stands(lost, claim(), REFUND, [receipt()], ticket())
    assert (found.finding, found.code) == (Finding.UNDETERMINED, "evidence_missing")
    shop.sources["acme_back_office"] = Down()
    found = await shop.verifier.still_stands(verdict, claim(), REFUND, [receipt()], ticket())
    assert (found.finding, found.code) == (Finding.UNDETERMINED, "source_unavailable")


async def test_a_refusal_stands_while_the_record_is_theirs() -> None:
    shop = Shop()
    shop.clock.advance(timedelta(days=30))
    verdict = await shop.verify(REFUSED, None, looked_up(), terms=REFUSAL)

    async def code() -> str:
        found = await shop.verifier.still_stands(verdict, REFUSED, REFUSAL, [looked_up()], ticket())
        return found.code

    shop.office.put("order", "10482", order(placed_at="2026-07-30T00:00:00Z"))
    assert await code() == "ok"
    shop.office.put("order", "10482", order(customer_email="bob@example.com"))
    assert await code() == "not_theirs"
    shop.office.remove("order", "10482")
    assert await code() == "record_missing"
    shop.sources["acme_back_office"] = Down()
    assert await code() == "source_unavailable"


async def test_a_verdict_speaks_of_one_claim_only() -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify()
    other = claim(reply="something else")
    with pytest.raises(ValueError, match="as it stands here"):
        await shop.verifier.still_stands(verdict, other, REFUND, [receipt()], ticket())
    with pytest.raises(ValueError, match="as it stands here"):
        rebuilt_case(verdict, other, [receipt()], shop.evidence)


@pytest.mark.parametrize("receipts", [(receipt(),), (receipt(run_id="run-2"),)])
async def test_anyone_can_repeat_the_examination_offline(receipts: tuple[Receipt, ...]) -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify(None, None, *receipts)
    again = examine(rebuilt_case(verdict, claim(), receipts, shop.evidence), REFUND)
    assert (again.finding, again.evidence_class, again.code) == (verdict.finding, verdict.evidence_class, verdict.code)
    assert again.checks == verdict.checks


async def test_an_unavailable_source_repeats_as_one() -> None:
    shop = Shop()
    shop.sources["acme_back_office"] = Down()
    verdict = await shop.verify()
    assert examine(rebuilt_case(verdict, claim(), [receipt()], shop.evidence), REFUND).checks == verdict.checks


async def test_without_its_evidence_nothing_is_repeated() -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify()
    with pytest.raises(EvidenceMissing):
        rebuilt_case(verdict, claim(), [receipt()], MemoryEvidenceStore())
    with pytest.raises(ValueError, match="no messages"):
        rebuilt_case(verdict.model_copy(update={"request": verdict.after}), claim(), [receipt()], shop.evidence)
    swapped = verdict.model_copy(update={"after": await _reading_of_another_order(shop)})
    with pytest.raises(ValueError, match="order:10483"):
        rebuilt_case(swapped, claim(), [receipt()], shop.evidence)


async def _reading_of_another_order(shop: Shop) -> Evidence:
    shop.office.put("order", "10483", refunded())
    return (await shop.verify(claim(subject="order:10483"))).after or pytest.fail("nothing was read")


def test_only_an_evaluators_key_signs() -> None:
    shop = Shop()
    with pytest.raises(ValueError, match="vendor"):
        Verifier(
            sources={},
            snapshots=shop.snapshots,
            evidence=shop.evidence,
            key=SigningKey.generate("vendor"),
            clock=shop.clock,
        )


async def signed() -> tuple[Shop, Verdict]:
    shop = Shop()
    await shop.refund()
    return shop, await shop.verify()


@given(st.sampled_from(sorted(set(Verdict.model_fields) - {"signature"})), st.data())
async def test_no_field_of_a_verdict_can_be_altered(name: str, data: st.DataObject) -> None:
    shop, verdict = await signed()
    assert verdict.authentic(shop.key.public_key)
    others: dict[str, list[Any]] = {
        "finding": [Finding.FAILED, Finding.UNDETERMINED],
        "evidence_class": [None, EvidenceClass.GROUNDED],
        "checks": [
            verdict.checks[:2],
            (),
            (verdict.checks[0].model_copy(update={"reason": "x"}), *verdict.checks[1:]),
        ],
        "before": [None, verdict.after],
        "after": [None, verdict.before],
        "request": [None, verdict.before],
        "decided_at": [verdict.decided_at + timedelta(microseconds=1)],
    }
    old = getattr(verdict, name)
    new = data.draw(st.sampled_from(others[name]) if name in others else st.text().filter(lambda text: text != old))
    assert not verdict.model_copy(update={name: new}).authentic(shop.key.public_key)


async def test_a_verdict_outlives_json_and_no_other_signature_will_do() -> None:
    shop, verdict = await signed()
    assert Verdict.model_validate_json(verdict.model_dump_json()).authentic(shop.key.public_key)
    assert not verdict.unsigned().authentic(shop.key.public_key)
    assert not verdict.authentic(SigningKey.generate("evaluator").public_key)
    forger = SigningKey.generate("evaluator")
    forged = verdict.model_copy(update={"signature": forger.sign(verdict.unsigned())})
    assert not forged.authentic(shop.key.public_key)
    assert verdict.signature is not None
    for wrong in ({"signer": "vendor"}, {"signature": "00" * 64}, {"signature": "no hex"}):
        other = verdict.model_copy(update={"signature": verdict.signature.model_copy(update=wrong)})
        assert not other.authentic(shop.key.public_key)
