"""What models may cost: a tenant in a day, in the app database, where every process sees the same; or one rehearsal."""

from __future__ import annotations

from datetime import date

from agents.models.budget import MemorySpending
from agents.tables import reserve_spending, settle_spending, spent_in_day
from service.database import Database


class SqlSpending:
    """`agents.models.budget.DailySpending` in the app database. A crash leaves what was reserved counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, tenant: str, day: date, reservation_id: str, micros: int, cap: int) -> bool:
        """Count ``micros``, unless the day would come to more than ``cap``."""
        with self._database.transaction() as session:
            return reserve_spending(session, tenant, day, reservation_id, micros, cap)

    def settle(self, tenant: str, reservation_id: str, micros: int) -> None:
        """Count ``micros`` in place of what was reserved."""
        with self._database.transaction() as session:
            settle_spending(session, tenant, reservation_id, micros)

    def spent(self, tenant: str, day: date) -> int:
        """What was spent and what is reserved."""
        with self._database.reading() as session:
            return spent_in_day(session, tenant, day)


class Purse(MemorySpending):
    """`agents.models.budget.DailySpending` for one undertaking: all days are one."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = False
        """True as soon as it did not cover a call."""

    def reserve(self, tenant: str, day: date, reservation_id: str, micros: int, cap: int) -> bool:
        """Count ``micros``, unless all of it would come to more than ``cap``."""
        covered = super().reserve(tenant, date.min, reservation_id, micros, cap)
        self.refused |= not covered
        return covered
