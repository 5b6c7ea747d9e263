"""Budgets of runs and days: nothing is spent that was not reserved, also by many at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.clock import ManualClock
from agents.errors import ModelFailed
from agents.models.budget import Day, Limits, MemorySpending, RunBudget, Spent

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
TODAY = START.date()


def budget(
    limits: Limits, *, clock: ManualClock | None = None, spent: Spent | None = None, day: Day | None = None
) -> RunBudget:
    return RunBudget(limits, clock=clock or ManualClock(START), started_at=START, spent=spent, day=day)


@pytest.mark.parametrize(
    "limits, said",
    [
        (Limits(calls=1), "calls could come to 2; it has 1"),
        (Limits(tokens=199), "tokens could come to 200; it has 199"),
        (Limits(micros=19_999), r"money could come to \$0.020000; it has \$0.019999"),
    ],
)
def test_a_second_call_is_more_than_there_is(limits: Limits, said: str) -> None:
    run = budget(limits)
    run.reserve("a:b", 100, 10_000)
    with pytest.raises(ModelFailed, match=said) as caught:
        run.reserve("a:b", 100, 10_000)
    assert (caught.value.code, caught.value.model) == ("budget", "a:b")
    assert run.spent == Spent(calls=1, tokens=100, micros=10_000)


def test_what_was_not_used_is_given_back_once() -> None:
    run = budget(Limits(micros=10_000))
    held = run.reserve("a:b", 100, 10_000)
    held.settle(10, 1_000)
    held.settle(0, 0)
    assert run.spent == Spent(calls=1, tokens=10, micros=1_000)
    run.reserve("a:b", 100, 9_000)


def test_steps_and_what_earlier_jobs_took() -> None:
    run = budget(Limits(steps=3, micros=100), spent=Spent(steps=2, calls=5, micros=90))
    run.step()
    with pytest.raises(ModelFailed, match="steps"):
        run.step()
    with pytest.raises(ModelFailed, match="money"):
        run.reserve("a:b", 1, 11)
    assert run.spent == Spent(steps=3, calls=5, micros=90)


def test_time() -> None:
    clock = ManualClock(START)
    run = budget(Limits(seconds=60), clock=clock)
    clock.advance(timedelta(seconds=45))
    assert run.seconds_left == 15
    run.reserve("a:b", 1, 1)
    clock.advance(timedelta(seconds=15))
    with pytest.raises(ModelFailed, match="60 seconds"):
        run.reserve("a:b", 1, 1)


def test_a_day_is_shared_and_a_new_one_begins_at_midnight() -> None:
    clock, spending = ManualClock(START), MemorySpending()
    one, other = (budget(Limits(), clock=clock, day=Day(tenant="t", spending=spending, cap=100)) for _ in range(2))
    foreign = budget(Limits(), clock=clock, day=Day(tenant="u", spending=spending, cap=100))
    held = one.reserve("a:b", 1, 60)
    with pytest.raises(ModelFailed, match="left of the day") as caught:
        other.reserve("a:b", 1, 60)
    assert caught.value.code == "budget"
    assert other.spent == Spent()
    foreign.reserve("a:b", 1, 60)
    clock.advance(timedelta(hours=12))
    other.reserve("a:b", 1, 60)
    held.settle(1, 10)
    assert [spending.spent("t", day) for day in (TODAY, TODAY + timedelta(days=1))] == [10, 60]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=40))
def test_reserved_and_spent_never_exceed_the_cap(calls: list[tuple[int, int, bool]]) -> None:
    spending = MemorySpending()
    run = budget(Limits(micros=120), day=Day(tenant="t", spending=spending, cap=100))
    used = 0
    for micros, real, settles in calls:
        try:
            held = run.reserve("a:b", 0, micros)
        except ModelFailed:
            continue
        used += min(real, micros) if settles else micros
        if settles:
            held.settle(0, min(real, micros))
        assert spending.spent("t", TODAY) == run.spent.micros == used <= 100


def test_nothing_was_spent_on_another_day() -> None:
    assert MemorySpending().spent("t", date(2026, 1, 1)) == 0
