"""Plans, prices and the two rules that move money: proration and the retention offer. Whole fen, no database."""

from dataclasses import dataclass
from datetime import date, timedelta

CURRENCY = "CNY"
OFFER_PERCENT, OFFER_MONTHS = 20, 3
OFFER_AFTER_DAYS = 90
"""A subscription that is younger is not made an offer."""
OFFER_AGAIN_DAYS = 365
"""An offer that was made stays the only one for this long."""
MONTHS_OF_A_YEAR_PAID = 10
"""Paid for a year, a seat costs ten months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan, with the names customers give it."""

    id: str
    name_en: str
    name_zh: str
    seat_minor: int
    """Price of one seat for one month, in fen."""
    most_seats: int

    def price_minor(self, seats: int, period: str) -> int:
        """Price of one period for all seats."""
        return self.seat_minor * seats * (MONTHS_OF_A_YEAR_PAID if period == "year" else 1)


PLANS = {
    plan.id: plan
    for plan in (
        Plan(id="starter", name_en="Starter", name_zh="入门版", seat_minor=2_900, most_seats=3),
        Plan(id="team", name_en="Team", name_zh="团队版", seat_minor=6_800, most_seats=250),
        Plan(id="business", name_en="Business", name_zh="商业版", seat_minor=11_800, most_seats=1000),
    )
}


def proration_minor(*, old_minor: int, new_minor: int, days_left: int, days: int) -> int:
    """What changing the price of a period in its middle comes to: due if positive, credited if negative.

    The difference of the two prices for the days that are left, today among them, rounded down to a whole fen: in the
    customer's favour, whichever way it goes.
    """
    return (new_minor - old_minor) * days_left // days


def kept_minor(price_minor: int) -> int:
    """What a customer who takes the offer pays over its months, each month's discount rounded in their favour."""
    return price_minor * (100 - OFFER_PERCENT) // 100 * OFFER_MONTHS


def eligible(*, status: str, period: str, started_on: date, offered_on: date | None, today: date) -> bool:
    """Whether the retention offer may be made: paid by the month, old enough, and none made within a year."""
    lately = offered_on is not None and (today - offered_on).days < OFFER_AGAIN_DAYS
    old_enough = (today - started_on).days >= OFFER_AFTER_DAYS
    return status == "active" and period == "month" and old_enough and not lately


def period_around(today: date, started_on: date, period: str) -> tuple[date, date]:
    """First day and day after the last of the paid period that ``today`` is in."""
    months = 12 if period == "year" else 1
    start, count = started_on, 0
    while True:
        count += 1
        end = _months_after(started_on, months * count)
        if end > today:
            return start, end
        start = end


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))
