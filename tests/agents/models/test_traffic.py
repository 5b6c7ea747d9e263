"""How much a provider is asked in a minute, and when it is left alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.models.traffic import Circuit, Entry, Rate, Throttle


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 60)), max_size=60))
def test_no_minute_holds_more_than_the_rate(asked: list[tuple[float, int]]) -> None:
    now = Now()
    throttle = Throttle(Rate(requests=5, tokens=100), now)
    passed: list[tuple[float, int]] = []
    for pause, tokens in asked:
        now.seconds += pause
        entry = throttle.take(tokens)
        if isinstance(entry, Entry):
            passed.append((now.seconds, tokens))
        else:
            assert 0 < entry < 60.001
        recent = [each for at, each in passed if at + 60 - now.seconds > 0]
        assert len(recent) <= 5
        assert sum(recent) <= 100


def test_what_was_not_used_makes_room() -> None:
    throttle = Throttle(Rate(tokens=100), Now())
    entry = throttle.take(80)
    assert isinstance(entry, Entry)
    assert throttle.take(50) == 60.0
    entry.tokens = 20
    assert isinstance(throttle.take(50), Entry)


def test_one_that_is_too_large_alone_is_asked_alone() -> None:
    throttle = Throttle(Rate(tokens=100), Now())
    assert isinstance(throttle.take(500), Entry)
    assert throttle.take(1) == 60.0


def test_a_circuit_opens_tries_one_and_closes() -> None:
    now = Now()
    circuit = Circuit(now, failures=2, seconds=30)
    circuit.failed()
    assert circuit.wait() == 0
    circuit.failed()
    assert circuit.wait() == 30
    now.seconds += 30
    assert circuit.wait() == 0
    assert circuit.wait() == 30
    circuit.failed()
    now.seconds += 29
    assert circuit.wait() == 1
    now.seconds += 1
    assert circuit.wait() == 0
    circuit.succeeded()
    assert circuit.wait() == circuit.wait() == 0


def test_a_provider_that_asks_to_be_left_alone_is() -> None:
    now = Now()
    circuit = Circuit(now)
    circuit.pause(90)
    assert circuit.wait() == 90
    now.seconds += 90
    assert circuit.wait() == 0
