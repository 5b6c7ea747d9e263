"""Rehearsing tickets on the retail example: what would happen is told, and nothing happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import tables
from agents.ticket import Author, Message, Requester, Ticket
from agents.tools import Toolbox
from service.rehearsal import Rehearsal
from service.rehearsed import Proof, Rehearsed, RehearsedEnd, RehearsedTask
from tests.examples.running import running as back_office
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


class Stage:
    """A rehearsal beside a live desk."""

    def __init__(self, desk: RetailDesk) -> None:
        run = desk.run
        settings = run.deployment.tool_settings(run.state.secrets(run.deployment.settings), {})
        self.desk = desk
        self.rehearsal = Rehearsal(
            deployment=run.deployment,
            settings=settings,
            sources=run.sources,
            browser=None,
            library=None,
            clock=run.clock,
        )

    async def play(self, *messages: str, email: str = "ann@example.com", tags: tuple[str, ...] = ()) -> Rehearsed:
        now = self.rehearsal.clock.now()
        ticket = Ticket(
            tenant="acme",
            id="T-1",
            subject="Question",
            requester=Requester(email=email, name="Ann Example"),
            messages=(Message(id="T-1:1", author=Author.REQUESTER, text=messages[0], at=now),),
            tags=tags,
            opened_at=now,
            version=1,
        )
        before = self.desk.office.everything()
        played = await self.rehearsal.play(ticket, later=messages[1:])
        assert self.desk.office.everything() == before, "a rehearsal changes nothing"
        with self.desk.run.database.transaction() as session:
            assert tables.tasks(session, "acme") == []
            assert tables.receipts_of_task(session, "acme", "T-1:task-1") == []
        assert self.desk.run.embedded.list() == []
        return played

    async def task(self, *messages: str, **rest: Any) -> RehearsedTask:
        (task,) = (await self.play(*messages, **rest)).tasks
        return task


@asynccontextmanager
async def stage(folder: Path, office: Office) -> AsyncIterator[Stage]:
    async with desk_at_work(folder, office) as desk:
        yield Stage(desk)


async def test_a_refund_is_told_and_not_made(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        played = await on.play(BROKEN.format(order=order))
        (task,) = played.tasks
        assert played.end is RehearsedEnd.RESOLVED
        assert (task.outcome_type, task.subject, task.proof) == ("refund_issued", f"order:{order}", Proof.ASSUMED)
        assert (task.charge_minor, task.charge_most_minor) == (99, 99)
        ((tool, args),) = ((effect.tool, effect.args) for effect in task.effects)
        assert tool == "back_office.refund"
        assert args == {"order_id": order, "amount": {"minor": 3490, "currency": "USD"}}
        assert "We have refunded" in played.replies[-1]


async def test_a_live_run_is_not_fooled_by_a_rehearsal_before_it(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        for _ in range(2):
            await on.play(BROKEN.format(order=order))
        await on.desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        assert on.desk.outcome("T-1") == ("verified", "proof_passed", 0)
        assert office.refunds(order) == [3490]


async def test_an_answer_that_changes_nothing_is_really_checked(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com", status="processing")
    async with stage(tmp_path, office) as on:
        task = await on.task(f"Where is my order {order}? Has it been shipped yet, and when will my parcel arrive?")
        assert (task.end, task.outcome_type, task.proof) == (
            RehearsedEnd.RESOLVED, "order_status_told", Proof.CHECKED,
        )  # fmt: skip
        assert task.charge_minor == 29
        assert task.effects == ()


async def test_a_claim_that_would_not_be_proven_is_a_handoff_and_costs_nothing(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        task = await on.task(f"The mug in order {order} came in pieces, it arrived broken.")
        assert (task.end, task.code, task.proof) == (RehearsedEnd.HANDED_OFF, "not_asked_for", Proof.MISSING)
        assert task.charge_most_minor == 0
        assert [effect.tool for effect in task.effects] == ["back_office.refund"]


async def test_approvals_are_taken_as_given_and_counted(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com", total=30_000)
    async with stage(tmp_path, office) as on:
        task = await on.task(BROKEN.format(order=order))
        assert len(task.approvals) == 1
        assert task.end is RehearsedEnd.RESOLVED


async def test_a_question_is_answered_as_far_as_the_history_goes(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        asked = await on.play("My mug arrived broken, please refund me.", f"It is {order}", "Thank you!")
        assert (asked.end, asked.tasks[0].questions, asked.unread) == (RehearsedEnd.RESOLVED, 1, 1)
        assert len(asked.replies) == 2
        silent = await on.play("My mug arrived broken, please refund me.")
        assert (silent.end, silent.tasks[0].code) == (RehearsedEnd.WAITING, "input_missing")


async def test_what_is_not_there_any_more_is_said(tmp_path: Path, office: Office) -> None:
    async with stage(tmp_path, office) as on:
        task = await on.task(BROKEN.format(order="10999"), email="nobody@example.com")
        assert (task.end, task.code) == (RehearsedEnd.ANSWERED, "order_not_found")
        assert task.nothing_found == ("shop.find_orders(email=nobody@example.com)",)
        assert task.subject == ""


async def test_two_issues_are_two_tasks_and_one_reply(tmp_path: Path, office: Office) -> None:
    broken, other = office.order("ann@example.com"), office.order("ann@example.com", status="processing", total=30_000)
    async with stage(tmp_path, office) as on:
        played = await on.play(f"{BROKEN.format(order=broken)} And also please cancel my order {other}.")
        assert [(task.outcome_type, task.subject) for task in played.tasks] == [
            ("refund_issued", f"order:{broken}"),
            ("order_cancelled", f"order:{other}"),
        ]
        assert (played.end, played.charge_minor, len(played.replies)) == (RehearsedEnd.RESOLVED, 99 + 79, 1)
        assert "We have refunded" in played.replies[0]
        mixed = await on.play(f"{BROKEN.format(order=broken)} And also please cancel my order 10999.")
        assert [task.end for task in mixed.tasks] == [RehearsedEnd.RESOLVED, RehearsedEnd.ANSWERED]
        assert mixed.end is RehearsedEnd.ANSWERED


async def test_spam_and_what_no_procedure_fits(tmp_path: Path, office: Office) -> None:
    async with stage(tmp_path, office) as on:
        spam = await on.play("Buy cheap watches", tags=("Spam",))
        assert (spam.end, spam.tasks) == (RehearsedEnd.NOT_WORKED_ON, ())
        task = await on.task("Do you have a job for a warehouse clerk?")
        assert (task.end, task.code, task.procedure) == (RehearsedEnd.HANDED_OFF, "no_procedure", "")


async def test_a_read_that_fails_ends_one_ticket_only(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        on.rehearsal._settings = {**on.rehearsal._settings, "back_office_url": "http://127.0.0.1:9"}
        task = await on.task(BROKEN.format(order=order))
        assert (task.end, task.code) == (RehearsedEnd.HANDED_OFF, "tool_failed")
        assert "does not answer" in task.nothing_found[0]


async def test_an_effect_is_never_called_whatever_it_is_declared_as(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com", status="processing")

    def explosive(toolbox: Toolbox) -> Toolbox:
        async def explode(*args: Any, **rest: Any) -> Any:
            raise AssertionError("called in a rehearsal")

        return Toolbox(
            replace(one, function=explode, lookup=explode) if one.name.startswith("back_office.") else one
            for one in toolbox
        )

    async with desk_at_work(tmp_path, office) as desk:
        deployment = replace(desk.run.deployment, toolbox=explosive(desk.run.deployment.toolbox))
        settings = deployment.tool_settings(desk.run.state.secrets(deployment.settings), {})
        rehearsal = Rehearsal(
            deployment=deployment,
            settings=settings,
            sources=desk.run.sources,
            browser=None,
            library=None,
            clock=desk.run.clock,
        )
        on = Stage(desk)
        on.rehearsal = rehearsal
        wishes = ("please cancel order {}", "I moved, order {}. New address: Street 2, Berlin")
        for wish in wishes:
            task = await on.task(wish.format(order))
            assert (task.end, task.proof) == (RehearsedEnd.RESOLVED, Proof.ASSUMED), task


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["My mug from order {} arrived broken, please refund me, but only 10 dollars of it."], "limited_wish"),
        (["My mug arrived broken, please refund me.", "Order {}. But only 10 dollars of it."], "limited_wish"),
        (["My mug from order {} arrived broken. I want no refund, please send a new one."], "unclear_wish"),
    ],
)
async def test_a_wish_in_doubt_would_be_for_a_person(
    messages: list[str], code: str, tmp_path: Path, office: Office
) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        task = await on.task(*(text.format(order) for text in messages))
    assert (task.end, task.code, task.effects) == (RehearsedEnd.HANDED_OFF, code, ())


async def test_a_wish_beside_the_issue_would_be_for_a_person(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com")
    async with stage(tmp_path, office) as on:
        played = await on.play(f"{BROKEN.format(order=order)} And when does my other parcel come?")
    assert [(task.end, task.code) for task in played.tasks] == [
        (RehearsedEnd.RESOLVED, ""),
        (RehearsedEnd.HANDED_OFF, "part_left"),
    ]
    assert played.end is RehearsedEnd.HANDED_OFF


async def test_thanks_would_be_closed(tmp_path: Path, office: Office) -> None:
    async with stage(tmp_path, office) as on:
        played = await on.play("Thank you!")
        assert played.tasks != ()  # the subject line may be a matter
        played = await on.play("I am out of the office until Monday.")
    assert (played.end, played.tasks, played.replies) == (RehearsedEnd.NOT_WORKED_ON, (), ())
