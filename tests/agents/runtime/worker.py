"""A process that works on a durable engine: ``python worker.py DATABASE LOG MODE``.

Every step of every job writes a line to LOG. MODE ``crash`` ends the process inside a job, without any warning; with
``fail`` that job's second step fails twice, and with ``resume`` no job is added.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from agents.runtime.durable import DurableEngine


def database(path: str) -> sa.Engine:
    """SQLite as the engine wants it: durable, and one writer at a time from the start of a transaction."""
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


async def main(path: str, log: str, mode: str) -> None:
    """Work until idle, or die."""
    engine = DurableEngine(f"sqlite:///{path}", connections=database(path), workers=4)

    def write(line: str) -> None:
        with Path(log).open("a") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())

    failures = 2 if mode == "fail" else 0

    async def job(job_id: str) -> None:
        runtime = engine.runtime()

        async def step(name: str) -> str:
            write(f"{job_id} {name}")
            await asyncio.sleep(0)
            if name == "two" and mode == "crash" and job_id == "a":
                os._exit(7)
            nonlocal failures
            if name == "two" and job_id == "a" and failures:
                failures -= 1
                raise ConnectionError
            return f"{job_id}-{name}"

        for name in ("one", "two", "three"):
            answer = await runtime.once(name, lambda name=name: step(name))  # type: ignore[misc]
            assert answer == f"{job_id}-{name}"
        write(f"{job_id} end")

    await engine.start(job)
    if mode != "resume":
        for job_id in ("a", "b", "a", "c"):
            await engine.enqueue(job_id, partition="T-1")
        if mode == "again":
            await engine.idle()
            await engine.enqueue("a", partition="T-1")
        if mode == "fail":
            for _ in range(4):
                await engine.idle()
                await engine.try_again(at_most=3)
    await engine.idle()
    await engine.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
