"""From claim to settlement: what is charged, what never is, and that nothing happens twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import Session

from agents.money import Money
from billing import ledger
from billing.errors import (
    ClaimConflict,
    ContractNotInForce,
    IllegalTransition,
    NotDue,
    OutcomeNotFound,
    VerdictRefused,
)
from billing.outcome import due, find_outcome, locked, outcomes, record_verdict, settle
from billing.transitions import TRANSITIONS, OutcomeState, is_legal, move
from evaluators.signing import SigningKey
from evaluators.verdict import EvidenceClass, Finding
from tests.billing.books import (
    CONTRACT,
    DAY,
    HOUR,
    START,
    TENANT,
    VENDOR,
    Books,
    claim,
    contract,
    drafted,
    looked,
    signed,
    verdict,
)

VERIFIED_AT = START + HOUR
SETTLED_AT = VERIFIED_AT + 3 * DAY


def posted(books: Books) -> list[str]:
    with books.write() as session:
        return [entry.source for entry in ledger.entries(session, tenant=TENANT)]


def test_a_claim_becomes_a_charge(books: Books) -> None:
    assert books.claim(claim()).state is OutcomeState.CLAIMED
    verified = books.verify(claim())
    assert (verified.state, verified.price) == (OutcomeState.VERIFIED, Money(minor=99, currency="USD"))
    assert verified.settle_at == SETTLED_AT
    assert posted(books) == []
    settled = books.settle("claim-1")
    assert (settled.state, settled.settled_at) == (OutcomeState.SETTLED, SETTLED_AT)
    assert settled.settlement == looked()
    assert [(step.after, step.code) for step in settled.history] == [
        ("claimed", "claim_made"),
        ("verified", "proof_passed"),
        ("settled", "proof_stands"),
    ]
    with books.write() as session:
        (entry,) = ledger.entries(session, tenant=TENANT)
    assert [(p.account, p.minor, p.currency) for p in entry.postings] == [
        ("assets:contract", 99, "USD"),
        ("revenue:refund_issued", -99, "USD"),
    ]


def test_the_same_calls_again_change_nothing(books: Books) -> None:
    once = books.settled(claim())
    again = books.settled(claim())
    assert again == once
    assert books.settle("claim-1", now=SETTLED_AT + DAY, finding=Finding.FAILED) == once
    assert posted(books) == ["settle:claim-1"]


def test_a_claim_id_is_one_claim(books: Books) -> None:
    books.claim(claim())
    with pytest.raises(ClaimConflict):
        books.claim(claim(reply="Something else."))
    with pytest.raises(ClaimConflict):
        books.verify(claim(reply="Something else."))


def test_a_verdict_needs_a_recorded_claim(books: Books) -> None:
    with pytest.raises(OutcomeNotFound):
        books.verify(claim())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": SigningKey.generate("evaluator")}, "not signed by the evaluators"),
        ({"key": VENDOR}, "not signed by the evaluators"),
        ({"claim_sha256": "0" * 64}, "another claim"),
        ({"claim_id": "claim-2"}, "another claim"),
        ({"contract": "acme-2026@1"}, "other terms"),
        ({"contract_sha256": "0" * 64}, "other terms"),
        ({"outcome_type": "order_status_told"}, "another outcome_type"),
        ({"subject": "order:1"}, "another subject"),
        ({"requester_email": "eve@example.org"}, "another requester_email"),
        ({"ticket_id": "ticket-9"}, "another ticket_id"),
        ({"tenant": "other"}, "another tenant"),
        ({"checks": (looked(Finding.FAILED),)}, "one of its checks did not"),
    ],
)
def test_an_unfit_verdict_is_refused(books: Books, changes: dict[str, Any], says: str) -> None:
    books.claim(claim())
    with pytest.raises(VerdictRefused, match=says):
        books.verify(claim(), **changes)
    with books.write() as session:
        assert find_outcome(session, tenant=TENANT, outcome_id="claim-1").state is OutcomeState.CLAIMED


def test_a_verdict_altered_after_signing_is_refused(books: Books) -> None:
    books.claim(claim())
    failed = verdict(claim(), finding=Finding.FAILED, evidence_class=None, code="state_unchanged")
    forged = failed.model_copy(update={"finding": Finding.PASSED, "evidence_class": EvidenceClass.EFFECT_VERIFIED})
    with pytest.raises(VerdictRefused), books.write() as session:
        record_verdict(session, claim(), forged, contract(), ticket_opened_at=START, ticket_tags=(), now=VERIFIED_AT)


@pytest.mark.parametrize("half", [drafted(), drafted().sign(VENDOR)])
def test_an_unsigned_contract_charges_nothing(books: Books, half: object) -> None:
    books.claim(claim())
    with pytest.raises(ContractNotInForce):
        books.verify(claim(), contract_=half)  # type: ignore[arg-type]
    assert posted(books) == []


def test_a_contract_prices_no_ticket_opened_before_it(books: Books) -> None:
    books.claim(claim())
    newer = signed(CONTRACT.replace("version: 2", "version: 3"), in_force_from=START)
    with pytest.raises(ContractNotInForce, match="in force from"):
        books.verify(claim(), contract_=newer, opened_at=START - HOUR)


@pytest.mark.parametrize(
    ("about", "changes", "code"),
    [
        (
            {},
            {"finding": Finding.FAILED, "evidence_class": None, "code": "state_unchanged"},
            "state_unchanged",
        ),
        (
            {},
            {"finding": Finding.UNDETERMINED, "evidence_class": None, "code": "undetermined"},
            "undetermined",
        ),
        ({}, {"evidence_class": EvidenceClass.JUDGED}, "class_not_billable"),
        ({}, {"evidence_class": EvidenceClass.GROUNDED}, "class_not_billable"),
        ({"outcome_type": "order_lost"}, {}, "not_in_contract"),
        ({"subject": "invoice:7"}, {}, "wrong_subject"),
    ],
)
def test_what_was_not_proven_as_agreed_is_rejected(
    books: Books, about: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    books.claim(claim(**about))
    rejected = books.verify(claim(**about), **changes)
    assert (rejected.state, rejected.code, rejected.price) == (OutcomeState.REJECTED, code, None)
    with pytest.raises(IllegalTransition):
        books.settle("claim-1")
    assert posted(books) == []


def test_an_unreachable_source_decides_nothing(books: Books) -> None:
    books.claim(claim())
    away: dict[str, Any] = {
        "finding": Finding.UNDETERMINED,
        "evidence_class": None,
        "code": "source_unavailable",
    }
    assert books.verify(claim(), **away).state is OutcomeState.CLAIMED
    assert books.verify(claim()).state is OutcomeState.VERIFIED


def test_the_first_verdict_stands(books: Books) -> None:
    books.claim(claim())
    first = books.verify(claim(), finding=Finding.FAILED, evidence_class=None, code="not_theirs")
    assert books.verify(claim(), id="verdict-2") == first


@pytest.mark.parametrize("tag", ["spam", " Spam"])
def test_spam_is_void(books: Books, tag: str) -> None:
    books.claim(claim())
    assert books.verify(claim(), tags=("vip", tag)).code == "spam"
    books.claim(claim(2))
    books.verify(claim(2))
    assert books.settle("claim-2", tags=(tag,)).code == "spam"
    assert posted(books) == []


def test_spam_is_charged_where_the_contract_does_not_exempt_it(books: Books) -> None:
    without = signed(CONTRACT.replace("never_bill: {spam: {decided_by: helpdesk_tag, before: settle}}\n", ""))
    books.claim(claim())
    assert books.verify(claim(), contract_=without, tags=("spam",)).state is OutcomeState.VERIFIED


def test_nothing_settles_before_its_window_ends(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    with pytest.raises(NotDue):
        books.settle("claim-1", now=SETTLED_AT - HOUR)
    with books.write() as session:
        assert due(session, tenant=TENANT, now=SETTLED_AT - HOUR) == ()
        assert [each.id for each in due(session, tenant=TENANT, now=SETTLED_AT)] == ["claim-1"]
        assert due(session, tenant="other", now=SETTLED_AT) == ()


def test_a_proof_that_fell_is_void(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    gone = books.settle("claim-1", finding=Finding.FAILED)
    assert (gone.state, gone.code) == (OutcomeState.VOID, "proof_undone")
    assert gone.settlement == looked(Finding.FAILED)
    assert posted(books) == []


def test_a_proof_that_cannot_be_seen_waits_until_the_last_moment_and_is_void_then(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    waiting = books.settle("claim-1", finding=Finding.UNDETERMINED)
    assert (waiting.state, waiting.settlement) == (OutcomeState.VERIFIED, None)
    last = VERIFIED_AT + 14 * DAY
    assert books.settle("claim-1", finding=Finding.UNDETERMINED, now=last - HOUR).state == "verified"
    assert books.settle("claim-1", finding=Finding.UNDETERMINED, now=last).code == "proof_undetermined"


def test_transactions_that_fail_leave_nothing(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    with Session(books.engine) as session:
        settle(session, tenant=TENANT, outcome_id="claim-1", still_stands=looked(), ticket_tags=(), now=SETTLED_AT)
        session.rollback()
    assert posted(books) == []
    assert books.settle("claim-1").state is OutcomeState.SETTLED


def test_tenants_do_not_see_each_other(books: Books) -> None:
    books.claim(claim())
    with pytest.raises(OutcomeNotFound), books.write() as session:
        find_outcome(session, tenant="other", outcome_id="claim-1")


def test_all_outcomes_of_a_tenant_are_listed(books: Books) -> None:
    books.claim(claim(1))
    books.claim(claim(2))
    books.verify(claim(2))
    with books.write() as session:
        assert {each.id: each.state for each in outcomes(session, tenant=TENANT)} == {
            "claim-1": "claimed",
            "claim-2": "verified",
        }
        assert outcomes(session, tenant="other") == ()


def test_only_the_tables_steps_are_taken(books: Books) -> None:
    books.claim(claim())
    for state in OutcomeState:
        if not is_legal(OutcomeState.CLAIMED, state):
            with books.write() as session:
                row = locked(session, tenant=TENANT, outcome_id="claim-1")
                with pytest.raises(IllegalTransition):
                    move(session, row, state, code="no", at=START)
    for end in (OutcomeState.REVERSED, OutcomeState.REJECTED, OutcomeState.VOID):
        assert TRANSITIONS[end] == frozenset()


def test_many_at_once_charge_once(books: Books) -> None:
    """Eight threads bring eight claims of one Episode through, each twice."""
    claims = [claim(n, subject="order:1") for n in range(8)]

    def bring(n: int) -> str:
        about = claims[n % 8]
        books.claim(about)
        books.verify(about)
        try:
            return books.settle(about.id).state
        except IllegalTransition:
            return "rejected"

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(bring, range(16)))
    assert sorted(set(states)) == ["rejected", "settled"]
    assert len(posted(books)) == 1
