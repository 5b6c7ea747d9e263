"""The kill switch: nothing goes out while it is on, and afterwards everything goes on where it was, once."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents import tables
from agents.ticket import TicketStatus
from service.clock import OffsetClock
from service.deployment import open_state
from service.stopping import Switch
from tests.examples.running import running as back_office
from tests.service.builders import PYTHON, ROOT, deployment_in, settle
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work

TWO = "My mug from order {} arrived broken, please refund me. And also please cancel my order {}."
GATE = '''
"""An effect that the test holds up: it says that it has begun, and waits until it may end."""

from pathlib import Path

from pydantic import BaseModel

from agents import ToolContext, tool


class Marked(BaseModel):
    order_id: str


def find(ctx: ToolContext, order_id: str) -> Marked | None:
    ledger = Path("FOLDER/ledger")
    return Marked(order_id=order_id) if ledger.exists() and ctx.key in ledger.read_text() else None


@tool(effect="write", sinks={"order_id"}, outputs={"": "system"}, lookup=find, timeout=120)
def mark(ctx: ToolContext, order_id: str) -> Marked:
    """Mark an order."""
    Path("FOLDER/begun").write_text("begun")
    Path("FOLDER/go_on").read_text()
    with Path("FOLDER/ledger").open("a") as ledger:
        ledger.write(f"{ctx.key}\\\\n")
    return Marked(order_id=order_id)
'''


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


@dataclass
class Lever:
    """Stands in for the file: on from the n-th look until it is lifted."""

    at: int
    looks: int = 0
    lifted: bool = False

    def stopped(self) -> bool:
        self.looks += 1
        return not self.lifted and self.looks >= self.at


async def written(desk: RetailDesk, ticket: str, orders: list[str]) -> tuple[Any, ...]:
    """All that went out."""
    thread = await desk.ticket(ticket)
    messages = [(one.author, one.public, one.text) for one in thread.messages]
    return messages, thread.status, desk.office.everything(), [desk.office.refunds(one) for one in orders]


async def play(desk: RetailDesk, office: Office, kind: str) -> list[str]:
    """One ticket of a kind; what it takes to its end, however often it is held up."""
    broken, other = office.order("ann@example.com"), office.order("ann@example.com", status="processing")
    texts = {
        "refund": BROKEN.format(order=broken),
        "two": TWO.format(broken, other),
        "mixed": TWO.format(broken, "10999"),
        "asks": "My mug arrived broken, please refund me.",
        "unproven": f"The mug in order {broken} came in pieces, it arrived broken.",
        "nobody's": "Do you have a job for a warehouse clerk?",
    }
    await desk.opens("T-1", "ann@example.com", texts[kind])
    return [broken, other]


def summary(desk: RetailDesk, ticket: str) -> object:
    with desk.run.database.transaction() as session:
        tasks = tables.tasks_of_ticket(session, "acme", ticket)
    return [(one.state.value, one.reason, one.procedure) for one in tasks], desk.charged()


KINDS = ("refund", "two", "mixed", "asks", "unproven", "nobody's")


@pytest.mark.parametrize("kind", KINDS)
async def test_stopped_at_any_moment_nothing_goes_out_and_then_everything_once(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lever = Lever(at=10**9)
    monkeypatch.setattr(Switch, "stopped", lambda self: lever.stopped())

    async def ends(folder: Path, at: int) -> tuple[object, int]:
        nonlocal lever
        lever = Lever(at=10**9)
        async with desk_at_work(folder, office) as desk:
            lever = Lever(at=at)
            orders = await play(desk, office, kind)
            await desk.run.desk.idle()
            looks = lever.looks
            if lever.looks >= at:
                before = await written(desk, "T-1", orders)
                await desk.run.desk.catch_up()
                await desk.run.desk.notice("T-1")
                await desk.run.desk.idle()
                assert await written(desk, "T-1", orders) == before, f"something went out after look {at}"
                lever.lifted = True
                await desk.run.desk.resume()
                await desk.run.desk.idle()
            thread, status, _, refunds = await written(desk, "T-1", orders)
            told = [(author, public, _shown(text, orders, whole=public)) for author, public, text in thread]
            return (told, status, refunds, summary(desk, "T-1")), looks

    undisturbed, looks = await ends(tmp_path / "0", 10**9)
    assert looks >= 2
    for at in range(1, looks + 1):
        assert (await ends(tmp_path / str(at), at))[0] == undisturbed, f"stopped at look {at} of {looks}"


def _shown(text: str, orders: list[str], *, whole: bool) -> str:
    """A text without what differs from run to run; of notes, which hold times and hashes, the first line."""
    text = text if whole else text.partition("\n")[0]
    for order in orders:
        text = text.replace(order, "ORDER")
    return text


async def test_what_comes_in_while_it_is_on_is_worked_on_afterwards(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com", total=30_000)
    async with desk_at_work(tmp_path, office) as desk:
        switch = Switch(desk.run.state.folder)
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        (asked,) = desk.approvals("T-1")
        switch.stop(by="grace", why="looking into it", at=desk.run.clock.now())
        await desk.run.desk.answer_approval(asked.id, approved=True, by="grace")
        await desk.asks("T-2", "bob@example.com", "Do you have a job for a warehouse clerk?")
        assert office.refunds(order) == []
        assert (await desk.ticket("T-2")).status is TicketStatus.OPEN
        assert switch.resume()
        await desk.run.desk.catch_up()
        await desk.run.desk.idle()
        assert office.refunds(order) == [30_000]
        assert (await desk.ticket("T-2")).status is TicketStatus.WITH_STAFF
        assert await desk.run.desk.resume() == 0


def test_the_first_reason_stands_and_an_unreadable_one_still_stops(tmp_path: Path) -> None:
    switch, now = Switch(tmp_path), OffsetClock(tmp_path / "clock").now()
    assert (switch.stopped(), switch.standing(), switch.resume()) == (False, None, False)
    first = switch.stop(by="grace", why="refunds look wrong", at=now)
    assert switch.stop(by="ada", why="me too", at=now) == first == switch.standing()
    (tmp_path / "stopped.json").write_text("{")
    standing = switch.standing()
    assert standing is not None
    assert "cannot be read" in standing.why
    assert switch.stopped()
    assert switch.resume()
    assert not switch.stopped()


def test_stopped_from_another_process_between_two_effects(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    (deployment / "tools" / "gate.py").write_text(GATE.replace("FOLDER", str(tmp_path)).replace("\\\\n", "\\n"))
    settings = (deployment / "settle.toml").read_text(encoding="utf-8")
    settings = settings.replace('"tools/back_office.py"]', '"tools/back_office.py", "tools/gate.py"]')
    (deployment / "settle.toml").write_text(settings, encoding="utf-8")
    procedure = deployment / "procedures" / "refund-damaged-item.yaml"
    text = procedure.read_text(encoding="utf-8")
    marked = '  - {id: mark, tool: gate.mark, args: {order_id: "${order.id}"}}\n  - {id: refund,'
    procedure.write_text(text.replace("  - {id: refund,", marked), encoding="utf-8")
    for name in ("begun", "go_on"):
        os.mkfifo(tmp_path / name)
    file = tmp_path / "one.jsonl"
    words = "My mugs in order 11874 arrived broken, please refund me."
    file.write_text(json.dumps({"id": "T-1", "email": "emma.collins@example.com", "text": words}) + "\n")
    command = [PYTHON, "-m", "service.cli", "run", str(file), "--deployment", str(deployment), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as at_work:
        assert (tmp_path / "begun").read_text() == "begun"  # the first effect is under way in the other process
        stopped = settle("stop", "--why", "refunds look wrong", "--by", "grace", cwd=deployment)
        assert stopped.returncode == 0, stopped.stderr
        (tmp_path / "go_on").write_text("go on")
        out, err = at_work.communicate(timeout=120)
    assert at_work.returncode == 1, err
    assert "T-1 was not finished" in out
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1
    assert orders(deployment) == []
    assert messages(deployment) == [("requester", 1)]

    again = settle("run", file, "--no-browser", cwd=deployment)
    assert "STOPPED: stopped by grace" in again.stderr
    assert orders(deployment) == []
    listed = settle("tickets", "--json", cwd=deployment)
    assert ": refunds look wrong. Nothing goes out" in listed.stderr
    assert json.loads(listed.stdout)[0]["task_state"] == "open"

    resumed = settle("resume", cwd=deployment)
    assert resumed.returncode == 0, resumed.stderr
    assert "The kill switch is lifted." in resumed.stdout
    assert len(orders(deployment)) == 1
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1, "the first effect is not done again"
    assert messages(deployment) == [("agent", 1), ("requester", 1)]
    assert "STOPPED" not in settle("tickets", cwd=deployment).stderr
    assert "was not on" in settle("resume", cwd=deployment).stdout


def orders(deployment: Path) -> list[tuple[Any, ...]]:
    """The refunds of the one order."""
    return _rows(deployment / ".settle" / "back_office.db", "SELECT amount_minor FROM refunds WHERE order_id = '11874'")


def messages(deployment: Path) -> list[tuple[Any, ...]]:
    """How many messages of whom are in the helpdesk."""
    query = "SELECT author, count(*) FROM helpdesk_message GROUP BY author ORDER BY author"
    return _rows(open_state(deployment / ".settle").folder / "app.db", query)


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database, timeout=15)) as connection:
        return connection.execute(query).fetchall()
