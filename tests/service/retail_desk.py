"""A retail desk at work inside the test's own process: the back office is another process, everything else is here."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from agents import tables
from agents.documents import Source
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import Receipt
from agents.task import Run, Task
from agents.ticket import Author, Requester, Ticket
from agents.tools import Toolbox
from billing import draft, invoices, keep_contract
from billing.outcome import outcomes
from billing.periods import month_of
from billing.transitions import OutcomeState
from service.assembly import Running, running
from service.deployment import make_state
from service.helpdesks.embedded import NewTicket
from service.progress import Moment
from service.summary import OutcomeLine, outcome_lines
from tests.examples.running import CREDENTIALS
from tests.service.builders import RETAIL

BROKEN = "My mug from order {order} arrived broken, please refund me."
Swap = Callable[[Toolbox], Toolbox]


@dataclass(kw_only=True)
class Office:
    """The running back office, and its database for a look behind the API."""

    url: str
    database: Path
    numbers: count[int] = field(default_factory=lambda: count(13001))

    def order(
        self, email: str, *, name: str = "Ann Example", status: str = "delivered", total: int = 3490, note: str = ""
    ) -> str:
        """A new order of that customer, five days old; returns its number."""
        number, day = str(next(self.numbers)), (datetime.now(UTC) - timedelta(days=5)).isoformat(timespec="seconds")
        delivered = day if status == "delivered" else None
        item = f'[{{"sku": "MUG-OB", "title": "Mug", "quantity": 1, "unit_minor": {total}}}]'
        with closing(sqlite3.connect(self.database, timeout=15)) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO customers VALUES (?, ?, 'US', ?)", (email, name, day))
            connection.execute(
                "INSERT INTO orders (id, customer_email, status, currency, items, total_minor, address, placed_at,"
                " delivered_at, expected_on, customer_note) VALUES (?, ?, ?, 'USD', ?, ?, 'Street 1', ?, ?, ?, ?)",
                (number, email, status, item, total, day, delivered, day[:10], note),
            )
        return number

    def refunds(self, order: str) -> list[int]:
        """The amounts refunded on an order."""
        return [row[0] for row in self._rows("SELECT amount_minor FROM refunds WHERE order_id = ?", order)]

    def version(self, order: str) -> int:
        """1 as long as nothing was ever changed on an order."""
        return int(self._rows("SELECT version FROM orders WHERE id = ?", order)[0][0])

    def everything(self) -> list[tuple[Any, ...]]:
        """All orders and refunds, to be compared."""
        return self._rows("SELECT * FROM orders") + self._rows("SELECT * FROM refunds")

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=15)) as connection:
            return connection.execute(query, values).fetchall()


@dataclass(kw_only=True)
class RetailDesk:
    """A desk, with what tests say to it and ask of it."""

    run: Running
    office: Office
    moments: list[Moment]

    async def opens(self, ticket: str, email: str, *messages: str, name: str = "Ann Example", **rest: Any) -> None:
        """The requester opens a ticket; nothing is worked on yet."""
        requester = Requester(email=email, name=name)
        subject = rest.pop("subject", "Question")
        self.run.embedded.open(NewTicket(id=ticket, requester=requester, subject=subject, messages=messages, **rest))
        await self.run.desk.notice(ticket)

    async def asks(self, ticket: str, email: str, *messages: str, **rest: Any) -> None:
        """The requester opens a ticket, and the desk does what it can."""
        await self.opens(ticket, email, *messages, **rest)
        await self.run.desk.idle()

    async def interjects(self, ticket: str, text: str, *, automatic: bool = False) -> None:
        """The requester writes once more; nothing is worked on yet."""
        key = f"{ticket}:later-{len(self.run.embedded.list())}-{text[:40]}-{len((await self.ticket(ticket)).messages)}"
        self.run.embedded.write(ticket, text, key=key, author=Author.REQUESTER, automatic=automatic)
        await self.run.desk.notice(ticket)

    async def writes(self, ticket: str, text: str, *, automatic: bool = False) -> None:
        """The requester writes once more, and the desk does what it can."""
        await self.interjects(ticket, text, automatic=automatic)
        await self.run.desk.idle()

    async def ticket(self, ticket: str) -> Ticket:
        return await self.run.helpdesk.get(ticket)

    async def replies(self, ticket: str) -> list[str]:
        """What the requester was told, oldest first."""
        return [one.text for one in (await self.ticket(ticket)).messages if one.author is Author.AGENT and one.public]

    async def notes(self, ticket: str) -> list[str]:
        """What people find on the ticket."""
        return [one.text for one in (await self.ticket(ticket)).messages if not one.public]

    def task(self, ticket: str) -> Task:
        with self.run.database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, "acme", ticket)
        assert tasks
        return tasks[-1]

    def tasks(self, ticket: str) -> list[Task]:
        """All tasks of a ticket, in order."""
        with self.run.database.transaction() as session:
            return tables.tasks_of_ticket(session, "acme", ticket)

    def receipts(self, ticket: str) -> list[Receipt]:
        """What was called for the ticket's newest task."""
        with self.run.database.transaction() as session:
            return list(tables.receipts_of_task(session, "acme", self.task(ticket).id))

    def stands(self, ticket: str) -> tuple[str, str]:
        """(state, coded reason) of the ticket's task."""
        task = self.task(ticket)
        return task.state.value, task.reason

    def newest_run(self, ticket: str) -> Run:
        with self.run.database.transaction() as session:
            return tables.runs_of_task(session, "acme", self.task(ticket).id)[-1][0]

    def lines(self, ticket: str) -> list[OutcomeLine]:
        """The outcomes of a ticket, by task."""
        return [line for line in outcome_lines(self.run.database, "acme", "USD") if line.ticket == ticket]

    def line(self, ticket: str) -> OutcomeLine | None:
        lines = outcome_lines(self.run.database, "acme", "USD")
        return next((line for line in lines if line.ticket == ticket), None)

    def outcome(self, ticket: str) -> tuple[str, str, int]:
        """(state, coded reason, charge) of the ticket's outcome."""
        line = self.line(ticket)
        assert line is not None
        return line.state, line.reason, line.amount_minor

    def charged(self) -> int:
        return sum(line.amount_minor for line in outcome_lines(self.run.database, "acme", "USD"))

    def approvals(self, ticket: str) -> list[Approval]:
        with self.run.database.transaction() as session:
            found = [tables.approvals(session, "acme", state) for state in ApprovalState]
        return [one for some in found for one in some if one.ticket_id == ticket]

    def told(self, name: str, ticket: str) -> int:
        return sum(1 for one in self.moments if (one.name, one.ticket_id) == (name, ticket))

    async def settle(self) -> None:
        """Let every window end, and settle."""
        with self.run.database.transaction() as session:
            found = [one.settle_at for one in outcomes(session, tenant="acme") if one.state is OutcomeState.VERIFIED]
        for end in sorted(end for end in found if end is not None):
            self.run.clock.move_to(end)
        await self.run.settlement.settle_due()

    def invoice(self) -> list[Path]:
        """Let the month end, and invoice it."""
        self.run.clock.move_to(month_of(self.run.clock.now(), "Europe/Berlin").end)
        return self.run.settlement.close_periods()

    def invoiced(self) -> list[str]:
        with self.run.database.transaction() as session:
            return [one.number for one in invoices(session, tenant="acme")]


def swapped(name: str, *, change: Callable[[Callable[..., Any]], Callable[..., Any]], **fields: Any) -> Swap:
    """A toolbox in which ``change`` made the function of one tool another one."""

    def swap(toolbox: Toolbox) -> Toolbox:
        assert toolbox.get(name) is not None
        return Toolbox(
            replace(one, function=change(one.function), **fields) if one.name == name else one for one in toolbox
        )

    return swap


@asynccontextmanager
async def desk_at_work(
    folder: Path,
    office: Office,
    *,
    tools: Swap = lambda toolbox: toolbox,
    signed: bool = True,
    sections: str = "",
    edit: Callable[[Path], None] = lambda deployment: None,
) -> AsyncIterator[RetailDesk]:
    """A desk of its own for one test, in ``folder``; the back office is shared.

    ``sections`` of TOML are added to its settings; ``edit`` may change its files.
    """
    copy, moments = folder / "retail", list[Moment]()
    shutil.copytree(RETAIL, copy, ignore=shutil.ignore_patterns(".settle", "__pycache__", "back_office", "tools"))
    settings = (RETAIL / "settle.toml").read_text(encoding="utf-8")
    settings = settings.replace('runtime = "durable"', 'runtime = "inline"')
    settings = re.sub(r"(?ms)^\[\[process\]\].*?(?=^\[tools\])", "", settings)
    settings = settings.replace("${process.back_office.url}", office.url)
    settings = settings.replace('"tools/', f'"{RETAIL}/tools/')
    for name, value in CREDENTIALS.items():
        settings = settings.replace(f"${{secret.{name}}}", value)
    (copy / "settle.toml").write_text(f"{settings}\n{sections}", encoding="utf-8")
    edit(copy)
    state = make_state(folder / "state", copy)
    async with running(state, browser=False, tools=tools, progress=moments.append) as run:
        if signed:
            sign(run)
        yield RetailDesk(run=run, office=office, moments=moments)


def sign(run: Running, source: Source | None = None) -> None:
    """Both sides sign the deployment's contract, or another one, in force since yesterday."""
    evaluator, since = run.state.key("evaluator").public_key, run.clock.now() - timedelta(days=1)
    both = draft(source or run.deployment.contract_source, evaluator_key=evaluator, in_force_from=since)
    both = both.sign(run.state.key("vendor")).sign(run.state.key("customer"))
    with run.database.transaction() as session:
        keep_contract(session, tenant="acme", signed=both)
