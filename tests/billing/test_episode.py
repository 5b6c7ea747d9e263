"""One Episode, at most one unreversed charge: across tickets, spellings and time."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from billing.reversal import requester_returned
from billing.tables import ChargeRow
from tests.billing.books import DAY, HOUR, START, TENANT, Books, claim


def brought(books: Books, n: int, *, subject: str = "order:1", email: str = "ada@example.org") -> str:
    about = claim(n, subject=subject, requester_email=email)
    books.claim(about)
    return books.verify(about).code


def test_the_same_issue_on_another_ticket_is_not_charged_again(books: Books) -> None:
    assert brought(books, 1) == "proof_passed"
    assert brought(books, 2) == "already_charged"
    assert brought(books, 3, email=" ADA@Example.ORG ") == "already_charged"


def test_another_requester_subject_or_type_is_another_episode(books: Books) -> None:
    assert brought(books, 1) == "proof_passed"
    assert brought(books, 2, subject="order:2") == "proof_passed"
    assert brought(books, 3, email="bob@example.org") == "proof_passed"
    about = claim(4, subject="order:1", outcome_type="order_status_told")
    books.claim(about)
    assert books.verify(about).code == "proof_passed"


def test_a_void_or_reversed_charge_frees_the_episode(books: Books) -> None:
    brought(books, 1)
    with books.write() as session:
        requester_returned(
            session, tenant=TENANT, ticket_id="ticket-1", written_at=START + 2 * HOUR, now=START + 2 * HOUR
        )
    assert brought(books, 2) == "proof_passed"
    books.settle("claim-2")
    with books.write() as session:
        requester_returned(
            session, tenant=TENANT, ticket_id="ticket-2", written_at=START + 9 * DAY, now=START + 9 * DAY
        )
    assert brought(books, 3) == "proof_passed"


def test_the_reopen_window_ends_an_episode(books: Books) -> None:
    window_ends = START + HOUR + 3 * DAY + 30 * DAY
    books.settled(claim(1, subject="order:1"))
    late = claim(2, subject="order:1")
    books.claim(late)
    assert books.verify(late, now=window_ends).code == "already_charged"
    later = claim(3, subject="order:1")
    books.claim(later)
    assert books.verify(later, now=window_ends + HOUR).code == "proof_passed"
    again = claim(4, subject="order:1")
    books.claim(again)
    assert books.verify(again, now=window_ends + 2 * HOUR).code == "already_charged"


def test_the_database_itself_holds_one_live_charge(books: Books) -> None:
    about: dict[str, Any] = {
        "tenant": TENANT,
        "requester": "a",
        "outcome_type": "t",
        "subject": "s",
        "episode": 1,
    }
    with books.write() as session:
        session.add(ChargeRow(outcome_id="x", live=True, **about))
        session.add(ChargeRow(outcome_id="y", live=False, **about))
    with pytest.raises(IntegrityError), books.write() as session:
        session.add(ChargeRow(outcome_id="z", live=True, **about))
