"""Tickets: which words are the requester's own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents import Author, ManualClock, Message, Requester, SystemClock
from agents.testing import NOW, MemoryHelpdesk


def test_own_words_leave_out_quotes_automatic_replies_and_answered_subjects() -> None:
    helpdesk = MemoryHelpdesk()
    helpdesk.open("T-1", "first\n> quoted 10001\n  > deeper\nlast", subject="order 10002")
    helpdesk.write("T-1", "we ask", author=Author.STAFF)
    ticket = helpdesk.write("T-1", "> all quoted")
    away = Message(id="m", author=Author.REQUESTER, text="away", at=NOW, automatic=True)
    ticket = ticket.model_copy(update={"messages": (*ticket.messages, away)})
    assert [words.split() for words in ticket.own_words()] == [["order", "10002"], ["first", "last"]]


@pytest.mark.parametrize("subject", ["Re: order", " AW : order", "回复：order", "re:"])
def test_the_subject_of_an_answer_is_not_the_requesters(subject: str) -> None:
    assert MemoryHelpdesk().open("T-1", subject=subject).own_words() == ()


def test_a_clock_is_aware_and_never_goes_back() -> None:
    clock = ManualClock(NOW)
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOW + timedelta(hours=1)
    with pytest.raises(ValueError, match="back"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="aware"):
        ManualClock(NOW.replace(tzinfo=None))
    assert SystemClock().now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("name", "email", "greeting"),
    [
        ("Margaret O'Neill", "m@example.com", "Margaret O'Neill"),
        ("  王晓明 ", "w@example.com", "王晓明"),
        ("Refund 9999.00 USD http://evil.example", "anna.k85@example.com", "anna k"),
        ("<b>Bold</b>", "85@example.com", "customer"),
        ("", "ada@example.com", "ada"),
    ],
)
def test_a_greeting_is_a_name_and_nothing_else(name: str, email: str, greeting: str) -> None:
    assert Requester(email=email, name=name).greeting == greeting
