"""Records in memory: for programs that embed the evaluators and hold their records themselves, and for tests."""

from __future__ import annotations

import copy

from pydantic import JsonValue

from agents.canonical import canonical_json
from agents.clock import Clock, SystemClock
from evaluators.sources.source import acceptable_key, with_age


class MemorySource:
    """A system of record that is a dictionary; what is read is a copy."""

    def __init__(self, *, clock: Clock | None = None, age_from: tuple[str, ...] = ()) -> None:
        self._clock = clock or SystemClock()
        self._age_from = age_from
        self._records: dict[tuple[str, str], dict[str, JsonValue]] = {}

    def put(self, kind: str, key: str, record: dict[str, JsonValue]) -> None:
        """Store a copy of ``record``, in place of the one that was there.

        Raises:
            TypeError: it holds a float or something else that is not canonical JSON.
        """
        canonical_json(record)
        self._records[kind, key] = copy.deepcopy(record)

    def remove(self, kind: str, key: str) -> None:
        """Forget that record, if it is there."""
        self._records.pop((kind, key), None)

    async def read(self, kind: str, key: str) -> dict[str, JsonValue] | None:
        """The record as it stands now, or None."""
        record = self._records.get((kind, key)) if acceptable_key(key) else None
        return None if record is None else with_age(copy.deepcopy(record), self._age_from, self._clock.now())
