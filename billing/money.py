"""Prices as text become whole minor units, exactly or not at all. No float comes near."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from agents.money import Money, exponent
from billing.errors import InvalidAmount


def exact(price: Decimal, currency: str) -> Money:
    """``price`` in major units as Money.

    Raises:
        InvalidAmount: it is negative, not a number, or finer than the currency's minor unit (``0.995`` USD).
    """
    places = exponent(currency)
    if not price.is_finite() or price < 0:
        raise InvalidAmount(f"a price is zero or more; found {price}")
    if price != price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):
        raise InvalidAmount(f"{price} is finer than the minor unit of {currency}, which has {places} decimal places")
    return rounded(price, currency)


def rounded(amount: Decimal, currency: str) -> Money:
    """``amount`` in major units to the nearest minor unit; a half goes up (away from zero)."""
    minor = amount.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_UP)
    return Money(minor=int(minor), currency=currency)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of ``amounts``, all of them in ``currency``; zero if there are none.

    Raises:
        InvalidAmount: one of them is in another currency.
    """
    minor = 0
    for amount in amounts:
        if amount.currency != currency:
            raise InvalidAmount(f"{amount} cannot be added to a sum in {currency}")
        minor += amount.minor
    return Money(minor=minor, currency=currency)
