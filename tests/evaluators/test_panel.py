"""The panel: who gets paid and who does not, each with the code that says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.receipt import REPLY_TOOL, Effect, ReceiptState
from evaluators import Case, EvidenceClass, Finding, OutcomeTerms, examine
from evaluators.proof import FIELDS, visible
from tests.evaluators.judging import (
    ANNA,
    ASKED,
    KEY,
    REFUND,
    REFUSAL,
    case,
    claim,
    looked_up,
    order,
    receipt,
    refunded,
    refusal,
)

records = st.fixed_dictionaries(
    {
        "customer_email": st.sampled_from([ANNA, "bob@example.com", ""]),
        "total_minor": st.integers(-1, 5000),
        "refunded_minor": st.integers(-1, 5000),
        "refund_reference": st.sampled_from([KEY, "refund-2", ""]),
        "currency": st.just("USD"),
        "age_days": st.integers(0, 90),
    }
)
cases = st.builds(
    lambda before, after, seen, key, run, state, made, words: case(
        before=before if seen else None,
        before_of=key,
        after=after,
        words=words,
        receipts=(receipt(key=made, run_id=run, state=state),),
    ),
    st.one_of(st.none(), records, st.just(order())),
    st.one_of(st.none(), records, st.just(refunded())),
    st.booleans(),
    st.sampled_from([KEY, "refund-2", ""]),
    st.sampled_from(["run-1", "run-2"]),
    st.sampled_from(list(ReceiptState)),
    st.sampled_from([KEY, "refund-2"]),
    st.sampled_from([(ASKED,), ("hello",), ()]),
)


def test_an_honest_refund_is_effect_verified() -> None:
    found = examine(case(), REFUND)
    assert (found.finding, found.evidence_class, found.code) == (Finding.PASSED, EvidenceClass.EFFECT_VERIFIED, "ok")
    assert [check.version for check in found.checks] == ["effect/1", "asked_for/4", "reply/2"]
    assert "refunded_minor was 0 before and is 3490 now" in found.checks[0].reason


def test_a_correct_refusal_is_grounded() -> None:
    found = examine(refusal(), REFUSAL)
    assert (found.finding, found.evidence_class, found.code) == (Finding.PASSED, EvidenceClass.GROUNDED, "ok")
    assert "age_days is 45" in found.checks[0].reason


OFFENCES: list[tuple[str, Case, str]] = [
    ("does nothing", case(receipts=(), before=None, before_of="", after=order()), "no_effect"),
    ("lies about a receipt", case(after=order()), "state_unchanged"),
    ("names a receipt that is only about to be", case(receipts=(receipt(state=ReceiptState.ABOUT_TO),)), "no_effect"),
    ("names a failed call", case(receipts=(receipt(state=ReceiptState.FAILED),)), "no_effect"),
    ("passes a read off as an effect", case(receipts=(receipt(effect=Effect.READ),)), "no_effect"),
    ("rests on another run", case(receipts=(receipt(run_id="run-2"),)), "no_effect"),
    ("rests on another task", case(receipts=(receipt(task_id="task-2"),)), "no_effect"),
    ("rests on another tenant", case(receipts=(receipt(tenant="other"),)), "no_effect"),
    ("hides its receipt", case(claim=claim(receipts=())), "no_effect"),
    ("was not watched", case(before=None, before_of=""), "no_snapshot"),
    ("was watched ahead of another effect", case(before_of="refund-2"), "no_snapshot"),
    ("claims what was so already", case(before=refunded()), "state_unchanged"),
    ("refunds 1.00 and claims all", case(after=refunded(refunded_minor=100)), "not_as_promised"),
    ("takes credit for a colleague", case(after=refunded(refund_reference="R-staff")), "not_by_this_run"),
    ("serves a stranger", case(before=order(customer_email="b@x.com"), after=refunded(customer_email="b@x.com")),
     "not_theirs"),
    ("made the record hers first", case(before=order(customer_email="b@x.com")), "not_theirs"),
    ("gave the record away", case(after=refunded(customer_email="b@x.com")), "not_theirs"),
    ("deletes the order", case(after=None), "record_missing"),
    ("answers a wish for something else", case(words=("Please change the address of order 10482.",)), "not_asked_for"),
    ("refunds another order", case(words=("I want a refund for order 10483.",)), "subject_not_named"),
    ("claims for somebody else", case(claim=claim(requester_email="bob@example.com")), "wrong_requester"),
    ("claims another kind of thing", case(claim=claim(subject="customer:10482")), "wrong_subject"),
    ("proposes a path as key", case(claim=claim(subject="order:../customers/1")), "wrong_subject"),
    ("promises money it did not give", case(claim=claim(reply="We refunded 99.00 USD for order 10482.")),
     "reply_ungrounded"),
]  # fmt: skip


@pytest.mark.parametrize(("offence", "example", "code"), OFFENCES, ids=[offence for offence, _, _ in OFFENCES])
def test_an_agent_that_gets_nothing(offence: str, example: Case, code: str) -> None:
    found = examine(example, REFUND)
    assert (found.finding, found.code, found.evidence_class) == (Finding.FAILED, code, None), offence


@pytest.mark.parametrize(
    ("example", "code"),
    [
        (refusal(after=order(age_days=10)), "condition_not_met"),
        (refusal(after=order(age_days=45, customer_email="bob@example.com")), "not_theirs"),
        (refusal(after=None), "record_missing"),
        (refusal(receipts=(receipt(),)), "effect_made"),
        (refusal(receipts=(receipt(state=ReceiptState.ABOUT_TO, run_id="run-0"),)), "effect_made"),
        (refusal(before=order()), "effect_made"),
        (refusal(words=("hello, order 10482",)), "not_asked_for"),
    ],
)
def test_a_refusal_that_is_not_grounded(example: Case, code: str) -> None:
    found = examine(example, REFUSAL)
    assert (found.finding, found.code) == (Finding.FAILED, code)


def test_a_reply_that_was_sent_is_no_effect_and_no_source() -> None:
    sent = receipt(key="reply-1", tool=REPLY_TOOL, args={"text": "You get 77.00 USD"})
    named = refusal().claim.model_copy(update={"receipts": ("read-1", "reply-1")})
    assert examine(refusal(claim=named, receipts=(looked_up(), sent)), REFUSAL).code == "ok"
    lying = named.model_copy(update={"reply": "You get 77.00 USD"})
    assert examine(refusal(claim=lying, receipts=(looked_up(), sent)), REFUSAL).code == "ungrounded"
    only = case(claim=claim(receipts=("reply-1",)), receipts=(sent,), before_of="reply-1")
    assert examine(only, REFUND).code == "no_effect"


def test_what_cannot_be_decided_is_no_pass() -> None:
    lacking = {name: value for name, value in refunded().items() if name != "refunded_minor"}
    assert (examine(case(after=lacking), REFUND).finding) is Finding.UNDETERMINED
    assert examine(case(after=lacking), REFUND).code == "undetermined"
    with_float: Any = refunded(refunded_minor=3490.0)
    assert examine(case(after=with_float), REFUND).code == "undetermined"


def test_a_failure_outweighs_what_is_undetermined() -> None:
    found = examine(case(after={**refunded(), "refunded_minor": "3490"}, words=("hello",)), REFUND)
    assert [check.finding for check in found.checks[:2]] == [Finding.UNDETERMINED, Finding.FAILED]
    assert (found.finding, found.code) == (Finding.FAILED, "not_asked_for")


def test_an_unread_record_fails_nobody() -> None:
    found = examine(case(unavailable="down", after=None, words=("hello",)), REFUND)
    assert (found.finding, found.code, len(found.checks)) == (Finding.UNDETERMINED, "source_unavailable", 1)


def test_only_required_checks_run_and_each_once() -> None:
    terms = REFUSAL.model_copy(update={"requires": ("reply_ok", "proof", "proof")})
    assert [check.check for check in examine(refusal(), terms).checks] == ["reply", "grounding"]


def test_time_passing_is_no_change() -> None:
    found = examine(case(before=order(age_days=1), after=order(age_days=2)), REFUND)
    assert found.code == "state_unchanged"


def test_a_contract_that_reads_another_kind_than_it_is_about() -> None:
    proof = REFUND.proof.model_copy(update={"read": "acme_back_office.customer"})
    assert examine(case(), REFUND.model_copy(update={"proof": proof})).code == "wrong_subject"


def test_what_a_proof_may_read_beside_records_is_listed() -> None:
    values = visible(case())
    paths: set[tuple[str, ...]] = set()
    for name in ("task", "claim", "subject", "receipt"):
        for field, value in values[name].items():
            paths |= {(name, field, part) for part in value} if field == "requester" else {(name, field)}
    assert paths == FIELDS


def test_the_reply_and_the_requester_words_are_not_visible_to_a_proof() -> None:
    for blind in ("claim.reply != ''", "claim.words == ''"):
        terms = REFUND.model_dump(by_alias=True)
        terms["proof"]["by"] = blind
        assert examine(case(), OutcomeTerms.model_validate(terms)).code == "undetermined"


@given(cases)
def test_never_effect_verified_without_every_part_of_the_proof(example: Case) -> None:
    found = examine(example, REFUND)
    if found.finding is Finding.PASSED:
        made = example.receipts[0]
        assert example.before is not None
        assert example.after is not None
        assert example.before != example.after
        assert example.before["customer_email"] == example.after["customer_email"] == ANNA
        assert (made.run_id, made.state) == ("run-1", ReceiptState.DONE)
        assert example.before_of == made.key == example.after["refund_reference"]
        assert example.words == (ASKED,)


@given(records)
def test_never_without_a_snapshot(after: dict[str, Any]) -> None:
    assert examine(case(before=None, after=after), REFUND).finding is not Finding.PASSED


@given(records)
def test_never_when_nothing_changed(record: dict[str, Any]) -> None:
    assert examine(case(before=record, after=dict(record)), REFUND).finding is not Finding.PASSED


@given(st.text(min_size=1, max_size=20).filter(lambda key: key != KEY))
def test_never_for_a_change_under_another_key(reference: str) -> None:
    found = examine(case(after=refunded(refund_reference=reference)), REFUND)
    assert found.code == "not_by_this_run"


@given(st.text(min_size=1, max_size=20).filter(lambda run: run != "run-1"))
def test_never_on_a_receipt_of_another_run(run: str) -> None:
    assert examine(case(receipts=(receipt(run_id=run),)), REFUND).code == "no_effect"


@given(st.text(max_size=30).filter(lambda email: email != ANNA))
def test_never_for_another_customers_record(email: str) -> None:
    found = examine(case(before=order(customer_email=email), after=refunded(customer_email=email)), REFUND)
    assert (found.finding, found.code) == (Finding.FAILED, "not_theirs")


@given(st.text(max_size=300))
def test_no_reply_makes_a_false_claim_pass(text: str) -> None:
    example = case(claim=claim(reply=text), after=order())
    assert examine(example, REFUND).finding is Finding.FAILED


@given(st.text(max_size=300))
def test_no_words_make_a_false_claim_pass(text: str) -> None:
    assert examine(case(words=(text, ASKED), after=order()), REFUND).finding is Finding.FAILED


def test_the_same_case_is_found_the_same() -> None:
    assert examine(case(), REFUND) == examine(replace(case()), REFUND)
    assert examine(refusal(receipts=(looked_up(),)), REFUSAL) == examine(refusal(), REFUSAL)


def test_a_case_of_a_million_characters_ends() -> None:
    for filler in ("a", "1", "1,", "@", "a@", "sk-", "> ", "€ ", "bearer ", "谢"):
        long = filler * (1_000_000 // len(filler))
        found = examine(case(claim=claim(reply=long), words=(long,)), REFUND)
        assert found.code == "not_asked_for"
        assert examine(case(claim=claim(reply=long[:20_000])), REFUND).checks[2].check == "reply"
    assert examine(case(claim=claim(reply="a" * 1_000_000)), REFUND).code == "reply_too_long"
