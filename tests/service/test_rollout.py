"""Shadow mode and the rollout: which tickets are worked on, which are only commented, which are left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import tables
from agents.errors import InvalidDocument
from agents.ticket import Author, TicketStatus
from service.rollout import decide, in_share, open_at
from service.settings import Hours, RolloutSettings, load_settings
from service.stopping import Switch
from service.summary import ticket_lines
from service.tables import Treatment, rollout_of
from tests.examples.running import running as back_office
from tests.service.builders import RETAIL, deployment_in, settle
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""10:00 in Berlin."""
Started = Callable[..., AbstractAsyncContextManager[RetailDesk]]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


@pytest.fixture
def started(tmp_path: Path, office: Office) -> Started:
    """A desk with a [rollout] in its settings."""

    def start(**rollout: Any) -> AbstractAsyncContextManager[RetailDesk]:
        lines = [f"{name} = {_toml(value)}\n" for name, value in rollout.items()]
        return desk_at_work(tmp_path, office, sections="\n[rollout]\n" + "".join(lines))

    return start


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def treatment(desk: RetailDesk, ticket: str) -> tuple[str, str]:
    with desk.run.database.transaction() as session:
        row = rollout_of(session, "acme", ticket)
    assert row is not None
    return row.treatment, row.why


def tasks(desk: RetailDesk, ticket: str) -> list[str]:
    with desk.run.database.transaction() as session:
        return [task.state.value for task in tables.tasks_of_ticket(session, "acme", ticket)]


async def untouched(desk: RetailDesk, ticket: str) -> bool:
    thread = await desk.ticket(ticket)
    return thread.status is TicketStatus.OPEN and all(one.author is Author.REQUESTER for one in thread.messages)


async def test_in_shadow_one_note_is_all_that_is_written(started: Started, office: Office) -> None:
    order = office.order("ann@example.com")
    async with started(mode="shadow") as desk:
        before = office.everything()
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        (note,) = await desk.notes("T-1")
        assert "nothing was done and nobody was told" in note
        assert "The ticket would be: resolved" in note
        assert f"would call back_office.refund(amount=34.90 USD, order_id={order})" in note
        assert "would claim refund_issued (0.99 USD by the contract; nothing is charged now)" in note
        assert "> We are sorry that your order" in note
        assert "We have refunded 34.90 USD" in note
        assert await desk.replies("T-1") == []
        assert (await desk.ticket("T-1")).status is TicketStatus.OPEN
        assert office.everything() == before
        assert tasks(desk, "T-1") == []
        assert desk.line("T-1") is None
        await desk.writes("T-1", "Any news?")
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert await desk.notes("T-1") == [note]


@pytest.mark.parametrize(("mode", "expected"), [("off", "people"), ("shadow", "shadow")])
async def test_thanks_are_not_closed_where_the_rollout_does_not_take_them(
    started: Started, mode: str, expected: str
) -> None:
    async with started(mode=mode) as desk:
        await desk.asks("T-1", "ann@example.com", "Thank you!", subject="Thanks")
        assert treatment(desk, "T-1")[0] == expected
        assert (await desk.ticket("T-1")).status is TicketStatus.OPEN
        assert len(await desk.notes("T-1")) == (mode == "shadow")


async def test_thanks_decide_nothing_for_what_is_written_later(started: Started, office: Office) -> None:
    order = office.order("later@example.com")
    async with started(procedures={"refund-damaged-item": "off"}) as desk:
        await desk.asks("T-1", "later@example.com", "Thank you!", subject="Thanks")
        assert desk.stands("T-1") == ("excluded", "nothing_asked")
        await desk.writes("T-1", BROKEN.format(order=order))
        assert treatment(desk, "T-1")[0] == "people"
        assert office.version(order) == 1


async def test_a_ticket_for_which_nothing_fits_is_commented_too(started: Started) -> None:
    async with started(mode="shadow") as desk:
        await desk.asks("T-1", "ann@example.com", "Do you have a job for a warehouse clerk?")
        (note,) = await desk.notes("T-1")
        assert "The ticket would be: handed to people" in note
        assert "Procedure: none fits" in note
        assert await desk.replies("T-1") == []


async def test_live_work_afterwards_is_not_fooled_by_the_shadow(started: Started, office: Office) -> None:
    order = office.order("ann@example.com")
    words = BROKEN.format(order=order)
    async with started(procedures={"refund-damaged-item": "live"}, mode="shadow") as desk:
        await desk.asks("T-1", "ann@example.com", WHERE)
        await desk.asks("T-2", "ann@example.com", words)
        assert treatment(desk, "T-1") == ("shadow", "the rollout only watches where-is-my-order")
        assert office.refunds(order) == [3490]
        assert desk.outcome("T-2")[0] == "verified"


async def test_one_careful_issue_makes_the_whole_ticket_careful(started: Started, office: Office) -> None:
    broken, other = office.order("ann@example.com"), office.order("ann@example.com", status="processing")
    async with started(procedures={"cancel-order": "shadow"}) as desk:
        both = f"{BROKEN.format(order=broken)} And also please cancel my order {other}."
        await desk.asks("T-1", "ann@example.com", both)
        assert treatment(desk, "T-1")[0] == "shadow"
        assert (office.refunds(broken), office.version(other)) == ([], 1)
        (note,) = await desk.notes("T-1")
        assert "would call back_office.refund" in note
        assert "would call back_office.cancel" in note


async def test_off_leaves_everything_as_it_is_and_says_why(started: Started, office: Office) -> None:
    order = office.order("ann@example.com")
    async with started(procedures={"refund-damaged-item": "off"}) as desk:
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        assert await untouched(desk, "T-1")
        (line,) = ticket_lines(desk.run.database, "acme", "USD", [await desk.ticket("T-1")])
        assert line.happened == "left to people (the rollout leaves refund-damaged-item to people)"
        assert line.task_state == "people"


async def test_what_was_left_to_people_stays_with_them(
    started: Started, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("ann@example.com")
    async with started(percent=0) as desk:
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        assert treatment(desk, "T-1")[1] == "it is not among the 0 % of tickets that the rollout takes"
        monkeypatch.setattr(desk.run.desk._opening._rollout, "_settings", RolloutSettings(percent=100))
        await desk.writes("T-1", "Please answer me")
        assert await untouched(desk, "T-1")


async def test_what_was_begun_live_is_finished_live(
    started: Started, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("ann@example.com")
    async with started(percent=100, hours=HOURS | {"days": "mon-sun", "from": "00:00", "to": "23:59:59"}) as desk:
        await desk.asks("T-1", "ann@example.com", "My mug arrived broken, please refund me.")
        assert treatment(desk, "T-1") == ("live", "the rollout takes it")
        monkeypatch.setattr(desk.run.desk._opening._rollout, "_settings", RolloutSettings(mode="off"))
        await desk.writes("T-1", f"It is {order}")
        assert office.refunds(order) == [3490]


WHERE = "Where is my order 10999? Has it been shipped yet, and when will my parcel arrive?"
HOURS = {"timezone": "Europe/Berlin", "days": "mon-fri", "from": "09:00", "to": "17:30"}


def night(desk: RetailDesk) -> datetime:
    """The next Saturday noon."""
    now = desk.run.clock.now()
    return (now + timedelta(days=(5 - now.weekday()) % 7 + 7)).replace(hour=12)


async def test_outside_the_hours_a_ticket_waits_and_is_begun_with_them(started: Started, office: Office) -> None:
    order = office.order("ann@example.com")
    async with started(hours=HOURS) as desk:
        desk.run.clock.move_to(night(desk))
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        await desk.asks("T-2", "bob@example.com", "Do you have a job for a warehouse clerk?")
        assert treatment(desk, "T-1")[0] == "later"
        assert "Sat 1" in treatment(desk, "T-1")[1]
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert await untouched(desk, "T-1")
        desk.run.embedded.write("T-2", "We hire!", key="staff-1", author=Author.STAFF)
        desk.run.clock.move_to(night(desk) - timedelta(days=7) + timedelta(days=2))
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert treatment(desk, "T-1")[0] == "live"
        assert office.refunds(order) == [3490]
        assert treatment(desk, "T-2") == ("people", "somebody took it up before the hours began")
        assert await desk.replies("T-2") == []


async def test_outside_the_hours_a_ticket_may_be_left_to_people(started: Started) -> None:
    async with started(hours=HOURS | {"outside": "people"}) as desk:
        desk.run.clock.move_to(night(desk))
        await desk.asks("T-1", "ann@example.com", WHERE)
        assert treatment(desk, "T-1")[0] == "people"
        assert await untouched(desk, "T-1")


async def test_the_kill_switch_holds_notes_too(started: Started) -> None:
    async with started(mode="shadow") as desk:
        switch = Switch(desk.run.state.folder)
        switch.stop(by="grace", why="", at=desk.run.clock.now())
        await desk.asks("T-1", "ann@example.com", WHERE)
        assert await untouched(desk, "T-1")
        switch.resume()
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert len(await desk.notes("T-1")) == 1


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 100), st.integers(0, 100))
def test_who_is_in_a_share_is_in_every_larger_one(tenant: str, ticket: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert in_share(tenant, ticket, high) or not in_share(tenant, ticket, low)
    assert in_share(tenant, ticket, 100)
    assert not in_share(tenant, ticket, 0)


def test_a_share_is_about_what_it_says() -> None:
    for percent in (1, 25, 50):
        taken = sum(in_share("acme", f"T-{number}", percent) for number in range(10_000))
        assert abs(taken - percent * 100) < 200
    differ = sum(in_share("acme", f"T-{number}", 50) != in_share("other", f"T-{number}", 50) for number in range(1000))
    assert differ > 400


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        (MONDAY, True),
        (MONDAY.replace(hour=8, minute=0), True),
        (MONDAY.replace(hour=7, minute=59), False),
        (MONDAY.replace(hour=16, minute=29), True),
        (MONDAY.replace(hour=16, minute=30), False),
        (MONDAY - timedelta(days=1), False),
        (datetime(2026, 7, 6, 7, 0, tzinfo=UTC), True),
    ],
)
def test_hours_are_those_of_the_place(at: datetime, open_: bool) -> None:
    assert open_at(Hours.model_validate(HOURS), at) is open_


@pytest.mark.parametrize(
    ("settings", "names", "treated"),
    [
        ({}, {"a", ""}, Treatment.LIVE),
        ({"mode": "shadow"}, {"a"}, Treatment.SHADOW),
        ({"mode": "shadow", "procedures": {"a": "live"}}, {"a"}, Treatment.LIVE),
        ({"mode": "shadow", "procedures": {"a": "live"}}, {"a", "b"}, Treatment.SHADOW),
        ({"procedures": {"a": "off", "b": "shadow"}}, {"a", "b"}, Treatment.PEOPLE),
        ({"mode": "off"}, {""}, Treatment.PEOPLE),
        ({"percent": 0, "mode": "shadow"}, {"a"}, Treatment.PEOPLE),
        ({"hours": HOURS | {"days": "sat, sun"}}, {"a"}, Treatment.LATER),
        ({"hours": HOURS | {"days": "sat-sun"}, "mode": "shadow"}, {"a"}, Treatment.SHADOW),
        ({"hours": HOURS | {"days": "fri-mon"}}, {"a"}, Treatment.LIVE),
    ],
)
def test_the_most_careful_mode_counts(settings: dict[str, Any], names: set[str], treated: Treatment) -> None:
    found, why = decide(RolloutSettings.model_validate(settings), "acme", "T-1", names, at=MONDAY)
    assert found is treated
    assert why


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("percent = 101", "rollout.percent"),
        ('mode = "on"', "rollout.mode"),
        ('hours = {timezone = "Mars", days = "mon-fri", from = "09:00", to = "17:00"}', "Mars"),
        ('hours = {timezone = "UTC", days = "monday", from = "09:00", to = "17:00"}', 'write days as "mon-fri"'),
        ('hours = {timezone = "UTC", days = "mon", from = "17:00", to = "09:00"}', "from is before to"),
        ('procedures = {refund-damage-item = "live"}', "did you mean"),
    ],
)
def test_a_rollout_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    deployment = deployment_in(tmp_path)
    with (deployment / "settle.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[rollout]\n{text}\n")
    done = settle("lint", deployment, cwd=tmp_path) if "did you mean" in problem else None
    if done is not None:
        assert problem in done.stdout + done.stderr
        return
    with pytest.raises(InvalidDocument, match=re.escape(problem)):
        load_settings(deployment / "settle.toml")


def test_commands_say_how_a_ticket_was_treated_and_why(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    with (deployment / "settle.toml").open("a", encoding="utf-8") as file:
        file.write("\n[rollout]\npercent = 0\n")
    (tmp_path / "one.jsonl").write_text('{"id": "T-1", "email": "ann@example.com", "text": "Where is my order 10999?"}')
    done = settle("run", tmp_path / "one.jsonl", "--no-browser", cwd=deployment)
    assert done.returncode == 0, done.stdout + done.stderr
    why = "left to people (it is not among the 0 % of tickets that the rollout takes)"
    assert why in done.stdout
    assert why in settle("tickets", cwd=deployment).stdout
    assert why in settle("runs", "show", "T-1", cwd=deployment).stdout
    (shown,) = json.loads(settle("runs", "show", "T-1", "--json", cwd=deployment).stdout)
    assert (shown["treatment"], shown["ticket_id"]) == ("people", "T-1")


def test_the_example_has_no_rollout() -> None:
    assert load_settings(RETAIL / "settle.toml").rollout == RolloutSettings()
