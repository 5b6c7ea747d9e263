"""What the policy costs: one decision on a call with fifty labelled values, and what surrounds one call of a tool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pydantic import JsonValue, create_model

from agents import Effect, MemoryJournal, Tool
from agents.policy.decision import Allow, Call, decide
from agents.policy.grant import Filled, Grant, Slot, Source
from agents.policy.labels import STAFF, Integrity, Label, Labelled
from agents.progress import Progress
from agents.runtime import InlineRuntime
from benchmarks.workload import executor, look, work

VALUES = 50
ROUNDS = 2000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _tool() -> Tool:
    fields: Any = {f"v{number}": (str, ...) for number in range(VALUES)}
    model = create_model("wide", **fields)
    return replace(look, name="wide", effect=Effect.WRITE, sinks=frozenset(fields), input_model=model)


def decision() -> float:
    """Microseconds for one decision, the median."""
    tool = _tool()
    names = sorted(tool.input_model.model_fields)
    sources: dict[str, Source] = {name: Filled(f"${{order.{name}}}") for name in names}
    args: dict[str, JsonValue] = {name: f"value {name}" for name in names}
    eyes = frozenset({"ada@example.com", STAFF})
    label = Label(integrity=Integrity.SYSTEM, origins=frozenset({"step s"}), owner="ada@example.com", readers=eyes)
    labels = {name: replace(label, origins=frozenset({f"step {name}"})) for name in names}
    grant = Grant(
        tenant="t", run_id="r", requester_email="ada@example.com", max_calls=1, expires_at=NOW + timedelta(hours=1),
        slots=(Slot(step="s", tool="wide", args=sources),),
    )  # fmt: skip
    call = Call(
        tenant="t",
        run_id="r",
        step="s",
        tool="wide",
        args=args,
        sources=sources,
        at=NOW,
        calls_of_step=0,
        calls_of_run=0,
    )
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = decide(call, labels, grant, tool)
        took.append(time.perf_counter() - started)
        assert answer == Allow()
    return median(took) * 1e6


async def _each(do: Callable[[int], Awaitable[object]]) -> float:
    took = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        await do(number)
        took.append(time.perf_counter() - started)
    return median(took) * 1e3


async def overhead() -> float:
    """Milliseconds around one call of a tool: validation, decision, labels, receipt and trace, less the tool itself."""
    job = work("T-1", 1)
    runs = executor(MemoryJournal())
    now = Progress(runs._caller(job), runs.replies, job, InlineRuntime(), {})
    slot_args: dict[str, Source] = {"what": Filled("${task.words}")}
    await now.begin((Slot(step="s", tool="look", args=slot_args, max_calls=ROUNDS),))
    given = {"what": Labelled(data="a fact", label=Label(integrity=Integrity.UNTRUSTED))}

    async def call(number: int) -> None:
        answer = await now.attempt(f"s.{number}", "look", given, slot_args, key=f"k{number}", slot="s")
        assert answer.receipt is not None
        look.labelled(answer.receipt.result, step="s", args=given, requester="someone@example.com")

    async def bare(number: int) -> None:
        await look.function(now.caller.context, what="a fact")

    return await _each(call) - await _each(bare)


def main() -> None:
    """Print the medians."""
    print(f"one decision on {VALUES} labelled values: {decision():.1f} µs (median of {ROUNDS})")
    print(f"around one call of a tool: {asyncio.run(overhead()):.3f} ms (median of {ROUNDS})")


if __name__ == "__main__":
    main()
