"""A wish with a limit is told from words that only say what something cost or how much is broken."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.limits import limits, number

REFUND = ("refund", "money back", "erstatt", "geld zurück", "退款", "退钱")
CANCEL = ("cancel", "don't send", "stornier", "取消")

LIMITED = [
    (REFUND, ["Refund order 11975, but only 10 dollars of it"]),
    (REFUND, ["Refund order 11975.", "But only $10, please."]),
    (REFUND, ["I paid 20 so refund only 10 dollars"]),
    (REFUND, ["please refund me just ten dollars"]),
    (REFUND, ["refund at most 20 EUR of 11975"]),
    (REFUND, ["refund 11975, 10 euros is enough"]),
    (REFUND, ["please refund half the money"]),
    (REFUND, ["I would like a partial refund for 11975"]),
    (REFUND, ["refund only the mug from 11975"]),
    (REFUND, ["Bitte erstatten Sie Bestellung 11975, aber nur 10 Euro"]),
    (REFUND, ["Erstattung von höchstens 10,50 € bitte"]),
    (REFUND, ["Bitte die Hälfte des Kaufpreises erstatten"]),
    (REFUND, ["订单11975坏了，请退款，只退10元"]),
    (REFUND, ["最多退款十元"]),
    (REFUND, ["退款一半的钱就行"]),
    (CANCEL, ["cancel only the towels in 11975"]),
    (CANCEL, ["Please only cancel the towels of 11975"]),
    (CANCEL, ["Bitte nur die Handtücher stornieren"]),
    (CANCEL, ["只取消毛巾，订单11975"]),
]
WHOLE = [
    (REFUND, ["I only paid 10 dollars for it, refund please"]),
    (REFUND, ["I just received my order for 30 dollars and it is broken, refund please"]),
    (REFUND, ["it was only 10 dollars, but I want a refund"]),
    (REFUND, ["only one mug arrived broken, please refund"]),
    (REFUND, ["refund please, only one mug arrived"]),
    (REFUND, ["half of the plates are broken, refund"]),
    (REFUND, ["I only want a refund"]),
    (REFUND, ["not only 10 dollars but all of it, refund"]),
    (REFUND, ["Ich habe nur 10 Euro bezahlt, bitte erstatten"]),
    (REFUND, ["Die hat nur 10 Euro gekostet, bitte Geld zurück"]),
    (REFUND, ["Ich will nur mein Geld zurück"]),
    (REFUND, ["我只花了10元，请退款"]),
    (REFUND, ["只要退款，不要换货"]),
    (REFUND, ["The shelf costs only 10 dollars elsewhere"]),
    (CANCEL, ["please only cancel order 11975"]),
    (CANCEL, ["Bitte nur die Bestellung 11975 stornieren"]),
    (CANCEL, ["我只想取消订单11979"]),
    (CANCEL, ["Where is it? It was only 10 dollars"]),
    (CANCEL, []),
]


@pytest.mark.parametrize(("phrases", "words"), LIMITED)
def test_a_limited_wish(phrases: tuple[str, ...], words: list[str]) -> None:
    assert limits(words, phrases)


@pytest.mark.parametrize(("phrases", "words"), WHOLE)
def test_a_wish_for_the_whole(phrases: tuple[str, ...], words: list[str]) -> None:
    assert limits(words, phrases) == []


def test_the_amount_is_read() -> None:
    (limit,) = limits(["refund only 1,010.50 dollars"], REFUND)
    assert limit.amount == Decimal("1010.50")
    (limit,) = limits(["bitte nur zehn Euro erstatten"], REFUND)
    assert limit.amount is None


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("10", "10"),
        ("10,5", "10.5"),
        ("1.000,50", "1000.50"),
        ("1,000", "1000"),
        ("10.", "10"),
        ("", None),
        ("a", None),
    ],
)
def test_amounts_in_both_ways_of_writing(digits: str, value: str | None) -> None:
    assert number(digits) == (None if value is None else Decimal(value))


@given(st.lists(st.sampled_from(["only", "10", "$", "refund", "the", "mug", ".", ",", "只", "退", "元", "\n"])))
def test_no_text_is_too_odd(words: list[str]) -> None:
    text = " ".join(words)
    assert ("refund" in text) or limits([text], REFUND) == []


@pytest.mark.parametrize(
    "filler",
    ["a", "a ", "only ", "only a ", "10 ", "$1", "half the ", " ", "nur die ", "refund only ", "一", "1,", "只退"],
)
def test_no_text_takes_long(filler: str) -> None:
    text = "refund " + filler * (40_000 // len(filler)) + "!"
    assert isinstance(limits([text], REFUND), list)
