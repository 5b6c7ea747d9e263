"""Prices become minor units exactly; sums stay in one currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import Money
from billing.errors import InvalidAmount
from billing.money import exact, rounded, total


def test_a_price_becomes_minor_units_of_its_currency() -> None:
    assert exact(Decimal("0.99"), "USD") == Money(minor=99, currency="USD")
    assert exact(Decimal("0.990"), "USD") == Money(minor=99, currency="USD")
    assert exact(Decimal("120"), "JPY") == Money(minor=120, currency="JPY")
    assert exact(Decimal("0.125"), "KWD") == Money(minor=125, currency="KWD")


@pytest.mark.parametrize(
    ("price", "currency"),
    [("0.995", "USD"), ("0.5", "JPY"), ("0.0001", "KWD"), ("-1", "USD"), ("NaN", "USD"), ("Infinity", "USD")],
)
def test_what_cannot_be_charged_exactly_is_refused(price: str, currency: str) -> None:
    with pytest.raises(InvalidAmount):
        exact(Decimal(price), currency)


def test_a_half_goes_up() -> None:
    assert rounded(Decimal("0.125"), "USD").minor == 13
    assert rounded(Decimal("0.1249"), "USD").minor == 12
    assert rounded(Decimal("0.5"), "JPY").minor == 1


@given(st.lists(st.integers(min_value=-(10**9), max_value=10**9)))
def test_a_total_is_the_sum_of_minor_units(minors: list[int]) -> None:
    assert total((Money(minor=minor, currency="EUR") for minor in minors), "EUR").minor == sum(minors)


def test_two_currencies_are_never_added() -> None:
    with pytest.raises(InvalidAmount, match="EUR"):
        total([Money(minor=1, currency="USD"), Money(minor=1, currency="EUR")], "USD")
