"""What may be spent, reserved before each call and settled after it: by one run, and by a tenant in a day.

A reservation is the most that a call can take. It counts from the moment it is made, so that runs at the same time
never spend together what each of them alone might have; settled, it counts what was really used.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from uuid import uuid4

from agents.clock import Clock
from agents.errors import ModelFailed


class DailySpending(Protocol):
    """What a tenant spends in a day (UTC), in micro-dollars; safe with many writers at a time."""

    def reserve(self, tenant: str, day: date, reservation_id: str, micros: int, cap: int) -> bool:
        """Count ``micros``, unless the day would come to more than ``cap``: then nothing changes, and False."""
        ...

    def settle(self, tenant: str, reservation_id: str, micros: int) -> None:
        """Count ``micros`` in place of what was reserved; a second time changes nothing."""
        ...

    def spent(self, tenant: str, day: date) -> int:
        """What was spent and what is reserved."""
        ...


class MemorySpending:
    """Days that end with the process."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, date], int] = {}
        self._open: dict[tuple[str, str], tuple[date, int]] = {}
        self._lock = threading.Lock()

    def reserve(self, tenant: str, day: date, reservation_id: str, micros: int, cap: int) -> bool:
        """Count ``micros``, unless the day would come to more than ``cap``."""
        with self._lock:
            total = self._days.get((tenant, day), 0) + micros
            if total > cap:
                return False
            self._days[tenant, day] = total
            self._open[tenant, reservation_id] = day, micros
            return True

    def settle(self, tenant: str, reservation_id: str, micros: int) -> None:
        """Count ``micros`` in place of what was reserved."""
        with self._lock:
            held = self._open.pop((tenant, reservation_id), None)
            if held is not None:
                self._days[tenant, held[0]] += micros - held[1]

    def spent(self, tenant: str, day: date) -> int:
        """What was spent and what is reserved."""
        with self._lock:
            return self._days.get((tenant, day), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may take; None is no limit."""

    steps: int | None = None
    calls: int | None = None
    tokens: int | None = None
    micros: int | None = None
    seconds: float | None = None
    """From ``started_at``, waiting for people included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one run has taken, reservations included."""

    steps: int = 0
    calls: int = 0
    tokens: int = 0
    micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A tenant's day: where it is counted, and its cap in micro-dollars."""

    tenant: str
    spending: DailySpending
    cap: int


class RunBudget:
    """The budget of one run."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Clock,
        started_at: datetime,
        spent: Spent | None = None,
        day: Day | None = None,
    ) -> None:
        """Go on from ``spent``, which an earlier job of the same run has taken."""
        self.limits = limits
        self._clock = clock
        self._started_at = started_at
        self._spent = spent or Spent()
        self._day = day
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """So far."""
        return self._spent

    @property
    def seconds_left(self) -> float | None:
        """Until the run's time is over; None without an end."""
        if self.limits.seconds is None:
            return None
        return self.limits.seconds - (self._clock.now() - self._started_at).total_seconds()

    def step(self) -> None:
        """Count a step; `ModelFailed` (``budget``) if there was to be none."""
        with self._lock:
            self._check("steps", self._spent.steps + 1, self.limits.steps, "settle")
            self._spent = replace(self._spent, steps=self._spent.steps + 1)

    def reserve(self, model: str, tokens: int, micros: int) -> Reservation:
        """Count a call that takes at most so much; `ModelFailed` (``budget``) if that is more than is left."""
        left = self.seconds_left
        if left is not None and left <= 0:
            raise ModelFailed(model, f"the run has had its {self.limits.seconds:g} seconds", code="budget")
        with self._lock:
            now = self._spent
            wanted = replace(now, calls=now.calls + 1, tokens=now.tokens + tokens, micros=now.micros + micros)
            for name in ("calls", "tokens", "micros"):
                self._check(name, getattr(wanted, name), getattr(self.limits, name), model)
            held = Reservation(self, model, tokens, micros, uuid4().hex)
            if self._day is not None and not self._day.spending.reserve(
                self._day.tenant, self._clock.now().date(), held.id, micros, self._day.cap
            ):
                cap = dollars(self._day.cap)
                message = f"what is left of the day's {cap} does not cover a call of up to {dollars(micros)}"
                raise ModelFailed(model, message, code="budget")
            self._spent = wanted
            return held

    def _settle(self, held: Reservation, tokens: int, micros: int) -> None:
        with self._lock:
            self._spent = replace(
                self._spent,
                tokens=self._spent.tokens + tokens - held.tokens,
                micros=self._spent.micros + micros - held.micros,
            )
        if self._day is not None:
            self._day.spending.settle(self._day.tenant, held.id, micros)

    def _check(self, name: str, wanted: int, limit: int | None, model: str) -> None:
        if limit is not None and wanted > limit:
            shown = [dollars(each) if name == "micros" else str(each) for each in (wanted, limit)]
            what = "money" if name == "micros" else name
            raise ModelFailed(model, f"the run's {what} could come to {shown[0]}; it has {shown[1]}", code="budget")


class Reservation:
    """What a call under way may take."""

    def __init__(self, budget: RunBudget, model: str, tokens: int, micros: int, its_id: str) -> None:
        self.model = model
        self.tokens = tokens
        self.micros = micros
        self.id = its_id
        self._budget = budget
        self._settled = False

    def settle(self, tokens: int, micros: int) -> None:
        """It took so much; only the first time counts."""
        if not self._settled:
            self._settled = True
            self._budget._settle(self, tokens, micros)


def dollars(micros: int) -> str:
    """As people read it: ``$0.012300``."""
    return f"${Decimal(micros).scaleb(-6):.6f}"
