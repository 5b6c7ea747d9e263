"""Periods of whole days and their weeks, as one time zone counts them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days of one time zone."""

    first: date
    last: date
    """Included."""
    timezone: ZoneInfo

    @classmethod
    def weeks_until(cls, now: datetime, weeks: int, timezone: ZoneInfo) -> Period:
        """The week of ``now`` and those before it, ``weeks`` in all, Monday to Sunday."""
        today = now.astimezone(timezone).date()
        monday = today - timedelta(days=today.weekday())
        return cls(first=monday - timedelta(weeks=weeks - 1), last=monday + timedelta(days=6), timezone=timezone)

    @property
    def start(self) -> datetime:
        """Its first moment, in UTC."""
        return _midnight(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        """The first moment after it, in UTC."""
        return _midnight(self.last + timedelta(days=1), self.timezone)

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def weeks(self) -> tuple[Period, ...]:
        """Its weeks, Monday to Sunday, the first and the last cut to what lies within."""
        found, first = [], self.first
        while first <= self.last:
            last = min(first + timedelta(days=6 - first.weekday()), self.last)
            found.append(Period(first=first, last=last, timezone=self.timezone))
            first = last + timedelta(days=1)
        return tuple(found)


def _midnight(day: date, timezone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone).astimezone(UTC)
