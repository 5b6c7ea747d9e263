"""Months are the contract's, whatever the machine's time zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import month, month_of, utc


def test_a_month_begins_at_local_midnight() -> None:
    october = month("2026-10", "Europe/Berlin")
    assert october.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert october.end == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert month_of(datetime(2026, 9, 30, 22, tzinfo=UTC), "Europe/Berlin") == october
    assert month_of(datetime(2026, 9, 30, 21, 59, tzinfo=UTC), "Europe/Berlin").label == "2026-09"


@given(
    st.integers(0, 100 * 365 * 86400).map(
        lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Chatham", "Asia/Shanghai"]),
)
def test_every_moment_lies_in_exactly_one_month(at: datetime, zone: str) -> None:
    found = month_of(at, zone)
    assert at in found
    assert found == month(found.label, zone)
    assert found.end not in found
    assert month_of(found.end, zone).start == found.end
    assert month_of(found.start - timedelta(microseconds=1), zone).end == found.start


@pytest.mark.parametrize("label", ["2026-13", "2026", "October", "2026-10-01", ""])
def test_what_is_no_month_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="2026-10"):
        month(label, "UTC")


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        utc(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
