"""One bound step on the durable runtime against one bare DBOS step, on the same kind of database, in one process."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.runtime.durable import DurableEngine
from benchmarks.workload import executor, work
from service.database import Database, connect_for_engine
from service.journal import SqlJournal

SIZES = (20, 100, 400)
REPEATS = 5
WARM_UP = 50


async def measure(folder: Path) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """Milliseconds per bare and per Settle step, and bytes stored per Settle step, by number of steps."""
    database = Database(f"sqlite:///{folder / 'app.db'}")
    database.upgrade()
    url = f"sqlite:///{folder / 'engine.db'}"
    engine = DurableEngine(url, connections=connect_for_engine(url), workers=1, poll_seconds=0.01)
    runs = executor(SqlJournal(database))
    seconds: dict[str, float] = {}

    async def bare(steps: int) -> None:
        runtime = engine.runtime()

        async def answer() -> str:
            return "a fact"

        for number in range(steps):
            await runtime.once(f"s{number}", answer)

    async def settle(name: str, steps: int) -> None:
        await runs.run(work(name, steps), engine.runtime())

    async def job(job_id: str) -> None:
        kind, steps, _ = job_id.split("-")
        started = time.perf_counter()
        await (bare(int(steps)) if kind == "bare" else settle(job_id, int(steps)))
        seconds[job_id] = time.perf_counter() - started

    await engine.start(job)
    stored: dict[int, float] = {}
    for steps in (WARM_UP, *SIZES):
        before = _bytes(folder)
        for number in range(REPEATS):
            await engine.enqueue(f"settle-{steps}-{number}", partition=f"settle-{steps}-{number}")
            await engine.idle()
        stored[steps] = (_bytes(folder) - before) / steps / REPEATS
        for number in range(REPEATS):
            await engine.enqueue(f"bare-{steps}-{number}", partition=f"bare-{steps}-{number}")
            await engine.idle()
    await engine.stop()
    database.close()
    fastest: Callable[[str, int], float] = lambda kind, steps: (  # noqa: E731
        min(seconds[f"{kind}-{steps}-{number}"] for number in range(REPEATS)) / steps * 1000
    )
    return (
        {steps: fastest("bare", steps) for steps in SIZES},
        {steps: fastest("settle", steps) for steps in SIZES},
        stored,
    )


def _bytes(folder: Path) -> int:
    size = 0
    for name in ("app.db", "engine.db"):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size += (folder / name).stat().st_size
    return size


def main() -> None:
    """Print the ratio and the bytes a step."""
    with TemporaryDirectory() as folder:
        bare, settle, stored = asyncio.run(measure(Path(folder)))
    for steps in SIZES:
        ratio = settle[steps] / bare[steps]
        print(f"durable, {steps:>3} steps: {settle[steps]:.2f} ms a step, {ratio:.2f} times a bare DBOS step", end="")
        print(f" ({bare[steps]:.2f} ms)")
    print(f"durable, bytes stored a step: {', '.join(f'{steps}: {stored[steps]:.0f}' for steps in SIZES)}")
