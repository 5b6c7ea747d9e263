"""Tickets a minute, and memory over many tickets: the retail example without browser and model, on its real runtime.

    python -m benchmarks.desk [TICKETS]

Every ticket is a question about an order: selected, planned, read from the back office over HTTP, answered, claimed,
verified by the evaluators' own read, and recorded as an outcome, each step kept in SQLite.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from agents.ticket import Requester
from service.assembly import Running, running
from service.deployment import make_state
from service.helpdesks.embedded import NewTicket
from service.packages import example

TICKETS = 400
BATCHES = 10


def main(tickets: int = TICKETS) -> None:
    """Print tickets a minute, the CPU seconds each took, and the resident memory after every tenth of them."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_work(Path(folder), tickets))


async def _work(folder: Path, tickets: int) -> None:
    state = make_state(folder / "state", _deployment(folder / "retail"))
    async with running(state, browser=False) as run:
        orders = _orders(folder / "state" / "back_office.db", tickets)
        print(f"desk: {tickets} tickets, {os.cpu_count()} cores, {run.deployment.settings.workers} workers")
        first = 0.0
        for batch in range(BATCHES):
            part = orders[batch * len(orders) // BATCHES : (batch + 1) * len(orders) // BATCHES]
            started, cpu = time.perf_counter(), time.process_time()
            await _batch(run, part)
            took, used = time.perf_counter() - started, time.process_time() - cpu
            first = first or took / len(part)
            print(
                f"  {(batch + 1) * tickets // BATCHES:6} tickets: {60 * len(part) / took:6.0f} a minute, "
                f"{1000 * used / len(part):5.1f} ms CPU each, {took / len(part) / first:4.2f} x the first batch, "
                f"{_resident():4.0f} MB"
            )


async def _batch(run: Running, orders: list[tuple[str, str]]) -> None:
    for order, email in orders:
        ticket = NewTicket(
            id=f"B-{order}",
            requester=Requester(email=email),
            subject="Question",
            messages=[f"Where is my order {order}? When will it arrive?"],
        )
        run.embedded.open(ticket)
        await run.desk.notice(ticket.id)
    await run.desk.idle()


def _deployment(folder: Path) -> Path:
    """The retail example, with order numbers of up to six digits: there are more tickets here than short numbers."""
    shutil.copytree(example("retail"), folder, ignore=shutil.ignore_patterns(".settle", "__pycache__"))
    for path in (folder / "procedures").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace(r"(1\d{4})", r"(1\d{4,5})"), encoding="utf-8")
    return folder


def _orders(database: Path, count: int) -> list[tuple[str, str]]:
    """(number, e-mail) of as many orders, of one new customer each."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(orders)")]
        model = dict(
            zip(names, connection.execute("SELECT * FROM orders WHERE status = 'shipped'").fetchone(), strict=True)
        )
        made = [(str(100000 + number), f"customer-{number}@example.com") for number in range(count)]
        for order, email in made:
            connection.execute("INSERT INTO customers VALUES (?, 'Customer', 'US', ?)", (email, model["placed_at"]))
            row = {**model, "id": order, "customer_email": email}
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO orders ({', '.join(row)}) VALUES ({places})", list(row.values()))
    return made


def _resident() -> float:
    """Megabytes of memory that this process holds now (its peak where the system does not say)."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TICKETS)
