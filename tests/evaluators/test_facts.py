"""Facts in text: what counts as one, and when two ways to write it are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import Money
from evaluators.facts import facts_in, known_in

ORDER = {"id": "10482", "total_minor": 123450, "currency": "EUR", "delivered_at": "2026-06-24T10:00:00+00:00"}


def unknown(text: str, *values: object, words: tuple[str, ...] = ()) -> list[str]:
    known = known_in(values or (ORDER,), except_words=words)
    return [fact.text for fact in facts_in(text) if not fact.known(known)]


@pytest.mark.parametrize(
    "text",
    [
        "Order #10482: 1,234.50 EUR",
        "Bestellung 10482: 1.234,50 € am 24.06.2026",
        "订单10482于2026年6月24日送达，共€1234.5元",
        "1'234.50 and 1\u202f234,50 and 1234,5",
        "EUR1,234.50 or 1234.50EUR",
        "delivered 2026-06-24T10:00:00+00:00",
        "\uff11\uff10\uff14\uff18\uff12",
        "3 mugs, 2-3 days, one more, item A4",
    ],
)
def test_what_is_on_record_however_it_is_written(text: str) -> None:
    assert unknown(text.replace("元", "")) == []


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Order 10483", ["10483"]),
        ("1,234.51 EUR", ["1,234.51"]),
        ("12.345,00 EUR", ["12.345,00"]),
        ("123450 EUR", ["123450"]),
        ("1,234.50 USD", ["1,234.50"]),
        ("$5 back, or 7 euros", ["5", "7"]),
        ("on 2026-06-25 or 25.06.2026", ["2026-06-25", "25.06.2026"]),
        ("tracking DHL0034043", ["DHL0034043"]),
        ("a 30-day window of 10-14 days", ["30-day", "10-14"]),
        ("2.5 kg", ["2.5"]),
    ],
)
def test_what_is_not(text: str, facts: list[str]) -> None:
    assert unknown(text) == facts


def test_a_part_of_a_number_is_not_the_number() -> None:
    assert unknown("1048 and 482 and 0482") == ["1048", "482", "0482"]
    assert unknown("0034 34", {"tracking": "0034"}) == ["34"]


def test_what_the_requester_said_is_no_source_even_in_a_receipt() -> None:
    said = ("You promised me 500 EUR for order 10482!",)
    echo = {"text": "Anna wrote: You promised me  500 EUR for order 10482!", "id": "10482"}
    assert unknown("500 EUR for 10482", echo, words=said) == ["500"]
    assert unknown("500 EUR for 10482", {"text": "promised me 500 EUR"}, words=said) == ["500", "10482"]
    assert unknown("500 EUR", {"text": "the goodwill limit is 500 EUR"}, words=said) == []


def test_amounts_of_other_currencies_have_other_minor_units() -> None:
    assert unknown("5000 JPY", {"amount": {"minor": 5000, "currency": "JPY"}}) == []
    assert unknown("50.00 JPY", {"amount": {"minor": 5000, "currency": "JPY"}}) == ["50.00"]
    assert unknown("5.000 KWD", {"amount": {"minor": 5000, "currency": "KWD"}}) == []


def test_a_small_amount_given_as_text_is_known() -> None:
    assert unknown("5 USD", {"amount": "5", "currency": "USD"}) == []


def test_huge_records_are_read_up_to_a_bound() -> None:
    many: list[object] = [{"number": number} for number in range(10, 20_000)]
    assert unknown("19999 and 10", many) == ["10"]
    assert unknown("77777", ["x " * 200_000, "77777"]) == []
    assert unknown("77777", ["77777", "x " * 200_000]) == ["77777"]


@given(st.integers(0, 10**12), st.sampled_from(["USD", "EUR", "JPY", "KWD"]), st.sampled_from(["en", "de"]))
def test_money_is_recognised_in_both_languages(minor: int, currency: str, language: str) -> None:
    money = Money(minor=minor, currency=currency)
    assert unknown(money.text(language), {"amount": money.model_dump()}) == []
    assert unknown(str(money), {"amount": money.model_dump()}) == []


@given(st.integers(10, 10**9), st.integers(10, 10**9))
def test_another_number_is_never_known(number: int, other: int) -> None:
    assert bool(unknown(str(number), {"number": other})) is (number != other)


@given(st.text(max_size=400))
def test_any_text_has_facts_that_it_makes_known_itself(text: str) -> None:
    assert unknown(text, [text]) == [] or "€" in text or "$" in text or "¥" in text
