"""Second thoughts: what is void, what is reversed, and for how long."""

from datetime import datetime

import pytest

from billing import ledger
from billing.outcome import Outcome, find_outcome
from billing.reconcile import reconcile
from billing.reversal import proof_undone, requester_returned, restart_window, subject_reopened, to_look_at
from billing.transitions import OutcomeState
from evaluators.verdict import Finding
from tests.billing.books import CONTRACT, DAY, HOUR, START, TENANT, Books, claim, looked, signed

VERIFIED_AT = START + HOUR
SETTLED_AT = VERIFIED_AT + 3 * DAY


def returned(books: Books, at: datetime, *, now: datetime | None = None) -> tuple[Outcome, ...]:
    with books.write() as session:
        return requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=at, now=now or at)


def state(books: Books) -> str:
    with books.write() as session:
        assert reconcile(session, tenant=TENANT).differences == ()
        return find_outcome(session, tenant=TENANT, outcome_id="claim-1").state


def test_a_return_before_settlement_is_void(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    (changed,) = returned(books, START + 2 * DAY)
    assert (changed.state, changed.code) == (OutcomeState.VOID, "reopened_before_settlement")
    assert returned(books, START + 2 * DAY) == ()
    assert books.settle("claim-1").state is OutcomeState.VOID


def test_a_return_before_the_verdict_is_void(books: Books) -> None:
    books.claim(claim())
    returned(books, START + HOUR)
    assert books.verify(claim()).state is OutcomeState.VOID


@pytest.mark.parametrize(("after", "ends"), [(30 * DAY, "reversed"), (30 * DAY + HOUR, "settled")])
def test_a_return_after_settlement_reverses_within_the_window(books: Books, after: object, ends: str) -> None:
    books.settled(claim())
    changed = returned(books, SETTLED_AT + after)  # type: ignore[operator]
    assert state(books) == ends
    assert [each.code for each in changed] == (["same_subject_reopened"] if ends == "reversed" else [])


def test_a_reversal_mirrors_the_settlement_once(books: Books) -> None:
    books.settled(claim())
    returned(books, SETTLED_AT + DAY)
    returned(books, SETTLED_AT + DAY)
    with books.write() as session:
        posted = ledger.entries(session, tenant=TENANT)
    assert [entry.source for entry in posted] == ["settle:claim-1", "reverse:claim-1"]
    assert set(ledger.balances(posted).values()) == {0}


def test_a_late_delivery_counts_from_when_it_was_written(books: Books) -> None:
    books.settled(claim())
    returned(books, SETTLED_AT + 30 * DAY, now=SETTLED_AT + 40 * DAY)
    assert state(books) == "reversed"


def test_a_message_written_before_the_claim_touches_nothing(books: Books) -> None:
    """It was answered by the claim; a webhook that delivers it again must not undo what it led to."""
    books.settled(claim())
    assert returned(books, START, now=SETTLED_AT + DAY) == ()
    assert state(books) == "settled"


def test_another_ticket_about_the_same_subject_reopens_it(books: Books) -> None:
    books.settled(claim())
    with books.write() as session:
        changed = subject_reopened(
            session,
            tenant=TENANT,
            requester_email="ada@example.org ",
            subject="order:10481",
            outcome_types=[claim().outcome_type],
            written_at=SETTLED_AT + DAY,
            now=SETTLED_AT + DAY,
        )
        assert [each.id for each in changed] == ["claim-1"]
        assert not subject_reopened(
            session,
            tenant=TENANT,
            requester_email="ada@example.org",
            subject="order:2",
            outcome_types=[claim().outcome_type],
            written_at=SETTLED_AT + DAY,
            now=SETTLED_AT + DAY,
        )
    assert state(books) == "reversed"


@pytest.mark.parametrize(
    ("finding", "after", "ends"),
    [
        (Finding.FAILED, DAY, "reversed"),
        (Finding.FAILED, 31 * DAY, "settled"),
        (Finding.UNDETERMINED, DAY, "settled"),
        (Finding.PASSED, DAY, "settled"),
    ],
)
def test_a_proof_undone_after_settlement_reverses(books: Books, finding: Finding, after: object, ends: str) -> None:
    books.settled(claim())
    for _ in range(2):
        with books.write() as session:
            proof_undone(
                session,
                tenant=TENANT,
                outcome_id="claim-1",
                still_stands=looked(finding),
                now=SETTLED_AT + after,  # type: ignore[operator]
            )
    assert state(books) == ends


def seen(books: Books, at: datetime, finding: Finding = Finding.PASSED) -> list[str]:
    """The charges that are due for a look, each of which is then given one."""
    with books.write() as session:
        due = [outcome.id for outcome in to_look_at(session, tenant=TENANT, now=at)]
        for each in due:
            proof_undone(session, tenant=TENANT, outcome_id=each, still_stands=looked(finding), now=at)
    return due


def test_a_charge_is_looked_at_once_a_day_while_it_can_be_taken_back(books: Books) -> None:
    books.settled(claim(1))
    books.settled(claim(2, outcome_type="order_status_told"))  # nothing was changed that could be undone
    books.claim(claim(3))
    books.verify(claim(3))
    assert seen(books, SETTLED_AT + 23 * HOUR) == []
    assert seen(books, SETTLED_AT + DAY) == ["claim-1"]
    assert seen(books, SETTLED_AT + DAY + HOUR) == []
    assert seen(books, SETTLED_AT + 2 * DAY, Finding.UNDETERMINED) == ["claim-1"]
    assert seen(books, SETTLED_AT + 2 * DAY + HOUR) == ["claim-1"], "nobody could say: it is tried again"
    assert seen(books, SETTLED_AT + 31 * DAY) == []
    assert seen(books, SETTLED_AT + 30 * DAY, Finding.FAILED) == ["claim-1"]
    assert state(books) == "reversed"
    assert seen(books, SETTLED_AT + 30 * DAY) == []


def test_nobody_looks_where_the_contract_takes_nothing_back(books: Books) -> None:
    lasting = signed(CONTRACT.replace("[same_subject_reopened, proof_undone]", "[same_subject_reopened]"))
    books.claim(claim())
    books.verify(claim(), contract_=lasting)
    books.settle("claim-1")
    assert seen(books, SETTLED_AT + 2 * DAY) == []


def test_only_what_the_contract_names_reverses(books: Books) -> None:
    strict = signed(CONTRACT.replace("[same_subject_reopened, proof_undone]", "[proof_undone]"))
    books.claim(claim())
    books.verify(claim(), contract_=strict)
    books.settle("claim-1")
    assert returned(books, SETTLED_AT + DAY) == ()
    assert state(books) == "settled"


def restarted(books: Books, at: datetime, event: str = "requester_message") -> datetime | None:
    with books.write() as session:
        restart_window(session, tenant=TENANT, ticket_id="ticket-1", event=event, at=at)  # type: ignore[arg-type]
        return find_outcome(session, tenant=TENANT, outcome_id="claim-1").settle_at


def test_thanks_restart_the_window_up_to_its_limit(books: Books) -> None:
    books.claim(claim())
    books.verify(claim())
    assert restarted(books, START + DAY) == START + 4 * DAY
    assert restarted(books, START + DAY) == START + 4 * DAY
    assert restarted(books, START + 2 * HOUR) == START + 4 * DAY
    assert restarted(books, START) == START + 4 * DAY
    assert restarted(books, START + 13 * DAY, "staff_public_reply") == VERIFIED_AT + 14 * DAY


def test_only_what_the_contract_names_restarts_the_window(books: Books) -> None:
    books.claim(claim())
    books.verify(claim(), contract_=signed(CONTRACT.replace("requester_message, ", "")))
    assert restarted(books, START + DAY) == SETTLED_AT
    assert restarted(books, START + DAY, "staff_public_reply") == START + 4 * DAY


def test_a_settled_outcome_has_no_window(books: Books) -> None:
    books.settled(claim())
    assert restarted(books, SETTLED_AT + HOUR) == SETTLED_AT
