"""Which issues a ticket holds: several only where that is sure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner import ProcedureSelector
from agents.planner.issues import MAX_ISSUES, Issue, issues, named
from service.deployment import load_deployment

PROCEDURES = load_deployment(Path(__file__).parents[2] / "examples" / "retail").procedures
SELECTOR = ProcedureSelector(PROCEDURES)
REFUND = "The mug from order {} arrived broken, please refund me."
WHERE = "Where is my order {}?"
CANCEL = "Please cancel my order {}."


def names(found: tuple[Issue, ...]) -> list[str | None]:
    return [one.procedure.name if one.procedure else None for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{REFUND} {WHERE}".format(10001, 10002), ["refund-damaged-item", "where-is-my-order"]),
        (f"{REFUND} {REFUND}".format(10001, 10002), ["refund-damaged-item", "refund-damaged-item"]),
        ("Bitte stornieren Sie meine Bestellung 10001. Und wo bleibt meine Bestellung 10002?",
         ["cancel-order", "where-is-my-order"]),
        ("请取消我的订单10001。另外我的包裹10002到哪里了？", ["cancel-order", "where-is-my-order"]),
        ("请取消我的订单１０００１。另外我的包裹１０００２到哪里了？", ["cancel-order", "where-is-my-order"]),
        ("My order 10001 arrived damaged, I want my money back, and also please cancel my order 10002",
         ["refund-damaged-item", "cancel-order"]),
        (f"Hi! {REFUND} Second thing. {WHERE} Thanks, Ann".format(10001, 10002),
         ["refund-damaged-item", "where-is-my-order"]),
    ],
)  # fmt: skip
def test_different_wishes_about_different_records_are_several_issues(text: str, expected: list[str]) -> None:
    found = issues(SELECTOR, [text])
    assert names(found) == expected
    for one in found:
        assert one.procedure is not None
        assert len(named(one.procedure, one.words)) == 1


@pytest.mark.parametrize(
    "text",
    [
        REFUND.format(10001),
        f"{REFUND} When do I get my money back?".format(10001),
        f"{REFUND} {WHERE}".format(10001, 10001),
        f"{WHERE} It arrived broken last time.".format(10001),
        REFUND.format("10001 or 10002"),
        "Two questions about order 10001. Or was it 10002?",
        "Please change the delivery address of order 10001. New address: 1 A St, B\n"
        "Sorry, typo. New address: 2 A St, B",
        "",
    ],
)
def test_what_is_not_surely_several_is_one(text: str) -> None:
    (only,) = issues(SELECTOR, [text])
    assert only.words == ()
    chosen = SELECTOR.select(text).procedure
    assert only.procedure is chosen


def test_too_many_issues_are_for_a_person() -> None:
    text = " ".join(REFUND.format(10001 + number) for number in range(MAX_ISSUES + 1))
    (only,) = issues(SELECTOR, [text])
    assert only.procedure is None
    assert str(MAX_ISSUES) in only.reason


def test_issues_may_come_in_several_messages() -> None:
    found = issues(SELECTOR, ["Hello", REFUND.format(10001), CANCEL.format(10002)])
    assert names(found) == ["refund-damaged-item", "cancel-order"]


PIECES = [REFUND, WHERE, CANCEL, "Thanks!", "Order {}", "\n", "。", "And also ", "另外"]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(10001, 10004)), max_size=8))
def test_issues_never_share_a_record_and_lose_no_word(pieces: list[tuple[str, int]]) -> None:
    text = " ".join(piece.format(number) for piece, number in pieces)
    found = issues(SELECTOR, [text])
    assert 1 <= len(found) <= MAX_ISSUES
    if len(found) > 1:
        said = " ".join(word for one in found for word in one.words)
        assert {word for word in text.split() if word.isalnum() and word not in ("And", "also", "另外")} <= set(
            said.split()
        )
        keys = [(one.procedure, named(one.procedure, one.words)) for one in found if one.procedure]
        assert len(keys) == len(found)
        for number, (procedure, values) in enumerate(keys):
            for other, others in keys[number + 1 :]:
                assert procedure is not other or not values & others


@pytest.mark.parametrize("filler", [" ", "\n ", ", ", "a", ". ", "另外", "1", "and also "])
def test_no_text_takes_long(filler: str) -> None:
    text = REFUND.format(10001) + filler * (100_000 // len(filler)) + WHERE.format(10002)
    assert issues(SELECTOR, [text])
