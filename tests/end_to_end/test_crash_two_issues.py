"""SIGKILL on a ticket with two issues: after a restart both are done once, and there is one reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.slices import Traces, play_two_issues, traces

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
