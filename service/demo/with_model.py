"""The demo with a model: what no procedure fits is planned by one, and every claim is verified as any other.

The retail example is copied into the state folder, with the procedure of ``examples/retail/with_model`` beside its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents import tables
from agents.clock import SystemClock
from agents.models.budget import dollars as in_dollars
from agents.models.costs import Prices
from agents.models.messages import Usage
from agents.receipt import ReceiptState
from agents.task import TaskState
from agents.trace import EventKind
from service.assembly import Running
from service.demo.play import retail_example
from service.demo.script import Script
from service.deployment import State, make_state
from service.models import spent

FOLDER = "with-model"
"""In a demo's state folder."""
EXTRA = "with_model"
_TOKENS = (30_000, 3_000)
"""Tokens that one ticket may take, read and written: a guess from the sizes of prompts and tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What models had to do with the tickets of a demo."""

    tickets: int
    resolved: int
    with_model: int
    """Resolved tickets for which a model was asked."""
    asked: int
    """Tickets for which a model was asked."""
    answers: int
    micros: int
    """Millionths of a US dollar."""


def model_state(folder: Path, *, model: str = "", dollars: str = "") -> State:
    """A fresh state whose deployment has the procedure for a model; ``model`` plays every role if it is named."""
    target = folder / FOLDER
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    example, copy = retail_example(), target / "retail"
    shutil.copytree(example, copy, ignore=shutil.ignore_patterns(".settle", "__pycache__", EXTRA))
    shutil.copytree(example / EXTRA / "procedures", copy / "procedures", dirs_exist_ok=True)
    if model:
        lines = f'\n[models]\nplanner = ["{model}"]\nexecutor = ["{model}"]\ndollars_per_day = "{dollars}"\n'
        lines += f'\n[models.run]\ndollars = "{dollars}"\n'
        with (copy / "settle.toml").open("a", encoding="utf-8") as settings:
            settings.write(lines)
    return make_state(target / "state", copy, demo=True)


def extra_script() -> Script:
    """The tickets that only a model can work on, with the people who answer it."""
    return Script(retail_example() / EXTRA)


def share(run: Running) -> Share:
    """Count what models did."""
    tenant = run.deployment.settings.tenant
    with run.database.reading() as session:
        found = [(task, tables.receipts_of_task(session, tenant, task.id)) for task in tables.tasks(session, tenant)]
    answered = [(task, [one for one in receipts if one.of_model]) for task, receipts in found]
    resolved = {task.ticket_id for task, _ in answered if task.state is TaskState.CLAIMED}
    asked = {task.ticket_id for task, answers in answered if answers}
    total = spent(one for _, answers in answered for one in answers)
    return Share(
        tickets=len({task.ticket_id for task, _ in answered}),
        resolved=len(resolved),
        with_model=len(resolved & asked),
        asked=len(asked),
        answers=total.calls,
        micros=total.micros,
    )


def story(run: Running, ticket_id: str) -> Iterator[str]:
    """What happened to a ticket that a model worked on, line by line."""
    tenant = run.deployment.settings.tenant
    with run.database.reading() as session:
        (task, *_) = tables.tasks_of_ticket(session, tenant, ticket_id)
        receipts = tables.receipts_of_task(session, tenant, task.id)
        runs = [one for one, _ in tables.runs_of_task(session, tenant, task.id)]
        events = [event for one in runs for event in tables.events_of_run(session, tenant, one.id)]
        approvals = tables.approvals_of_task(session, tenant, task.id)
    plans = [event for event in events if event.kind is EventKind.PLAN_MADE and "steps" in event.data]
    shown = {event.step: event for event in plans}
    for number, event in enumerate(shown.values(), start=1):
        steps = event.data["steps"]
        assert isinstance(steps, list), "written by agents.planned"
        yield f"plan {number}: {' > '.join(map(str, steps))}"
    for receipt in sorted(receipts, key=lambda one: one.started_at):
        if not receipt.of_model:
            failed = f" failed: {receipt.error}" if receipt.state is ReceiptState.FAILED else ""
            yield f"called {receipt.tool}({', '.join(map(str, receipt.args.values()))[:90]}){failed}"
    refused = {event.step: event.data for event in events if event.kind is EventKind.CALL_REFUSED}
    for data in refused.values():
        yield f"the model wanted {data['tool']}: refused, {data['why']}"
    for approval in approvals:
        args = ", ".join(str(value) for value in approval.args.values())
        yield f"asked a person: {approval.tool}({args[:90]}): {approval.state.value} {approval.note}".rstrip()
    yield f"asked the model {sum(one.of_model for one in receipts)} times"
    yield f"end: {task.state.value} {task.reason} {task.detail}"[:200].rstrip()


def estimate(model: str, tickets: int, dollars: str) -> str:
    """What ``tickets`` may cost, in words, before anything is asked; `ModelFailed` if the model has no known price."""
    read, wrote = _TOKENS
    each = Prices().micros(model, Usage(input_tokens=read, output_tokens=wrote), SystemClock().now())
    return (
        f"About {in_dollars(each * tickets)} for {tickets} tickets at list prices (a guess: {read:,} tokens read and "
        f"{wrote:,} written for each). Nothing is asked any more once {dollars} USD are reserved or spent."
    )
