"""SIGKILL anywhere between the plan and the invoice: after a restart nothing is lost and nothing happened twice."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.end_to_end.slices import Traces, play, play_two_issues, traces

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
BETWEEN = [
    ("approval.asked", 1),
    ("task.waiting_approval", 1),
    ("effect.called", 1),
    ("run.ended", 3),
    ("effect.called", 2),
    ("effect.done", 2),
    ("claim.made", 1),
    ("verdict.signed", 1),
    ("outcome.verified", 1),
]
"""Points of a ticket with two issues: between their runs, around the final reply, between their claims."""
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


@pytest.fixture(scope="module")
def two_issues(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traces, list[str]]:
    folder = tmp_path_factory.mktemp("two") / "state"
    _, moments = play_two_issues(folder)
    return traces(folder), moments


def test_two_issues_end_as_they_should(two_issues: tuple[Traces, list[str]]) -> None:
    found, _ = two_issues
    assert [(kind, state, amount) for _, kind, state, _, amount in found.outcomes] == [
        ("refund_issued", "invoiced", 99),
        ("refused_correctly", "invoiced", 39),
    ]
    assert [author for _, author, _ in found.messages] == ["requester", "agent"]
    assert list(found.refunds.values()) == [1]


@pytest.mark.parametrize(("moment", "number"), BETWEEN, ids=[f"{name}-{number}" for name, number in BETWEEN])
def test_a_kill_between_two_issues_changes_nothing(
    moment: str, number: int, two_issues: tuple[Traces, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    assert play_two_issues(folder, moment, number)[0] == -9
    assert play_two_issues(folder)[0] == 0
    assert traces(folder) == two_issues[0]


@pytest.mark.long
def test_a_kill_at_every_moment_of_two_issues_changes_nothing(
    two_issues: tuple[Traces, list[str]], tmp_path: Path
) -> None:
    wanted, moments = two_issues
    for name in dict.fromkeys(moments):
        for number in range(1, moments.count(name) + 1):
            folder = tmp_path / f"{name}-{number}"
            assert play_two_issues(folder, name, number)[0] in (0, -9), (name, number)
            assert play_two_issues(folder)[0] == 0, (name, number)
            assert traces(folder) == wanted, (name, number)


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
