"""Time as everything here sees it: aware, UTC, and injected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; deadlines are compared with it and nothing else."""

    def now(self) -> datetime:
        """The current moment, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment, aware and in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware time, for example datetime(2026, 1, 1, tzinfo=UTC)")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment this clock stands at."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; a clock never goes back."""
        if by < timedelta(0):
            raise ValueError("a clock never goes back")
        self._now += by
