"""Periods: months as the contract's time zone counts them. A charge belongs to the month it settled in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One month: from ``start`` (included) to ``end`` (excluded), both aware UTC."""

    label: str
    """``2026-10``"""
    timezone: str
    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def utc(at: datetime) -> datetime:
    """``at`` in UTC; ValueError if it is naive."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime has no place here; times are aware")
    return at.astimezone(UTC)


def month(label: str, timezone: str) -> Period:
    """The month ``label`` (``2026-10``) in ``timezone`` (``Europe/Berlin``); ValueError if it is no month."""
    try:
        first = datetime.strptime(label, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{label!r} is not a month; write it as 2026-10") from None
    return _month(first.year, first.month, ZoneInfo(timezone))


def month_of(at: datetime, timezone: str) -> Period:
    """The month of ``timezone`` in which the moment ``at`` lies."""
    zone = ZoneInfo(timezone)
    local = utc(at).astimezone(zone)
    return _month(local.year, local.month, zone)


def _month(year: int, number: int, zone: ZoneInfo) -> Period:
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return Period(
        label=f"{year:04d}-{number:02d}",
        timezone=zone.key,
        start=datetime(year, number, 1, tzinfo=zone).astimezone(UTC),
        end=datetime(*after, 1, tzinfo=zone).astimezone(UTC),
    )
