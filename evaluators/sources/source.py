"""What a system of record is to the evaluators: a place to read one record by kind and key, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from pydantic import JsonValue

AGE_DAYS = "age_days"
"""The field that `with_age` adds. It follows the clock, so it never counts as a change of the record."""

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SystemOfRecord(Protocol):
    """One tenant's system of record. Every call reads afresh; nothing is cached, nothing is ever written."""

    async def read(self, kind: str, key: str) -> dict[str, JsonValue] | None:
        """The record of that kind under that key, without floats; None when there is no such record.

        Raises:
            SourceUnavailable: no usable answer could be had.
            UnknownSource: this source holds no such kind of record.
        """
        ...


def acceptable_key(key: str) -> bool:
    """True for 1 to 64 ASCII letters, digits, ``_`` and ``-``: the only keys that ever reach a source."""
    return _KEY.fullmatch(key) is not None


def with_age(record: dict[str, JsonValue], age_from: Sequence[str], now: datetime) -> dict[str, JsonValue]:
    """``record`` with ``age_days``: whole days from the first date in the fields ``age_from`` to ``now``.

    Fields hold ISO dates or date-times (UTC unless they say otherwise); null, missing and unreadable ones are passed
    over. Without any date the record is returned as it is.
    """
    for field in age_from:
        since = _moment(record, field)
        if since is not None:
            return {**record, AGE_DAYS: (now - since).days}
    return record


def without_age(record: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """``record`` as the system of record itself holds it: without the field that follows the clock."""
    return {name: value for name, value in record.items() if name != AGE_DAYS}


def _moment(record: Mapping[str, JsonValue], field: str) -> datetime | None:
    value = record.get(field)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
