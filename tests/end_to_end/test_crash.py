"""SIGKILL anywhere between the plan and the invoice: after a restart nothing is lost and nothing happened twice."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.end_to_end.slices import Traces, play, traces

POINTS = [
    ("plan.made", 1),
    ("step.done", 2),
    ("effect.about_to", 1),
    ("effect.called", 3),
    ("effect.done", 1),
    ("run.ended", 2),
    ("claim.made", 1),
    ("verdict.signed", 2),
    ("outcome.verified", 3),
    ("ticket.resolved", 1),
    ("outcome.settled", 1),
    ("outcome.reversed", 1),
    ("invoice.issued", 1),
    ("bundle.written", 1),
]
PAIRED = ("effect.about_to", "effect.called", "claim.made", "verdict.signed", "outcome.settled", "outcome.reversed")
"""Points of which every pair is tried: on both sides of an effect, of a verdict, of a charge and of its reversal."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traces, list[str]]:
    folder = tmp_path_factory.mktemp("undisturbed") / "state"
    _, moments = play(folder)
    return traces(folder), moments


def test_the_slice_is_what_it_should_be(undisturbed: tuple[Traces, list[str]]) -> None:
    found, moments = undisturbed
    assert [(ticket, kind, state) for ticket, kind, state, _, _ in found.outcomes] == [
        ("T-1002", "order_status_told", "invoiced"),
        ("T-1007", "refund_issued", "reversed"),
        ("T-1009", "refused_correctly", "invoiced"),
        ("T-1013", None, "escalated"),
    ]
    assert list(found.refunds.values()) == [1]
    assert set(found.messages.values()) == {1}
    assert {name for name, _ in POINTS} <= set(moments)


@pytest.mark.parametrize(("moment", "number"), POINTS, ids=[f"{name}-{number}" for name, number in POINTS])
def test_a_kill_changes_nothing(
    moment: str, number: int, undisturbed: tuple[Traces, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    code, _ = play(folder, moment, number)
    assert code == -9
    code, _ = play(folder)
    assert code == 0
    assert traces(folder) == undisturbed[0]


@pytest.mark.long
def test_a_kill_at_every_moment_changes_nothing(undisturbed: tuple[Traces, list[str]], tmp_path: Path) -> None:
    wanted, moments = undisturbed
    for name in dict.fromkeys(moments):
        for number in range(1, moments.count(name) + 1):
            folder = tmp_path / f"{name}-{number}"
            code, _ = play(folder, name, number)
            assert code in (0, -9), (name, number)
            assert play(folder)[0] == 0, (name, number)
            assert traces(folder) == wanted, (name, number)


@pytest.mark.long
def test_two_kills_change_nothing(undisturbed: tuple[Traces, list[str]], tmp_path: Path) -> None:
    wanted, _ = undisturbed
    for first, second in product(PAIRED, repeat=2):
        folder = tmp_path / f"{first}-{second}"
        play(folder, first, 1, browser=False)
        play(folder, second, 1, browser=False)
        play(folder, browser=False)
        assert traces(folder) == wanted, (first, second)
