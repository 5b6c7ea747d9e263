"""One provider's traffic: how much may be asked in a minute, and when to leave it alone.

Both go by a monotonic clock that is handed in, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a provider allows in a minute; None is no limit."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(slots=True)
class Entry:
    """One request of the last minute."""

    at: float
    tokens: int
    """Set to what it really took once that is known."""


class Throttle:
    """Counts the last minute, exactly: whatever sixty seconds are looked at, they hold no more than the rate."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._entries: deque[Entry] = deque()

    def take(self, tokens: int) -> Entry | float:
        """The request's entry if it may be made now; else the seconds after which to try again."""
        now = self._monotonic()
        while self._entries and self._entries[0].at + WINDOW - now <= 0:
            self._entries.popleft()
        if not self._fits(tokens):
            return self._entries[0].at + WINDOW - now
        entry = Entry(now, tokens)
        self._entries.append(entry)
        return entry

    def _fits(self, tokens: int) -> bool:
        if not self._entries:  # alone it may be too large: the provider will say so
            return True
        requests, most = self.rate.requests, self.rate.tokens
        if requests is not None and len(self._entries) >= requests:
            return False
        return most is None or sum(entry.tokens for entry in self._entries) + tokens <= most


class Circuit:
    """Closed: requests pass. After failures in a row it opens: none pass for a while; then one is tried."""

    def __init__(self, monotonic: Callable[[], float], *, failures: int = 5, seconds: float = 30.0) -> None:
        self._monotonic = monotonic
        self._most = failures
        self._seconds = seconds
        self._failures = 0
        self._until = 0.0

    def wait(self) -> float:
        """0 if a request may pass; it is then the one that is tried. Else the seconds until the next may."""
        now = self._monotonic()
        if now < self._until:
            return self._until - now
        if self._failures >= self._most:
            self._until = now + self._seconds
        return 0.0

    def succeeded(self) -> None:
        """Close it."""
        self._failures, self._until = 0, 0.0

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures >= self._most:
            self._until = self._monotonic() + self._seconds

    def pause(self, seconds: float) -> None:
        """Leave the provider alone for so long: it asked for that."""
        self._until = max(self._until, self._monotonic() + seconds)
