"""Overhead of one bound step on the inline runtime: policy, labels, validation, receipt and trace."""

from __future__ import annotations

import asyncio
import time

from agents import MemoryJournal
from agents.runtime import InlineRuntime
from benchmarks.workload import executor, work

SIZES = (20, 100, 400)
REPEATS = 7


async def per_step(steps: int) -> float:
    """Milliseconds per step, the fastest of several runs."""
    best = float("inf")
    for number in range(REPEATS):
        job = work(f"T-{steps}-{number}", steps)
        runs = executor(MemoryJournal())
        started = time.perf_counter()
        await runs.run(job, InlineRuntime())
        best = min(best, time.perf_counter() - started)
    return best / steps * 1000


def main() -> None:
    """Print milliseconds per step and how it grows."""
    asyncio.run(per_step(20))
    times = {steps: asyncio.run(per_step(steps)) for steps in SIZES}
    for steps, milliseconds in times.items():
        print(f"inline, {steps:>3} steps: {milliseconds:.3f} ms a step")
    print(f"inline, 400 steps against 20: {times[400] / times[20]:.2f} times a step's cost")
