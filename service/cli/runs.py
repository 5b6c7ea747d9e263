"""``settle runs show``: what was done for a ticket, read from the trace, the receipts and the verdict."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agents import tables
from agents.receipt import Receipt
from agents.task import Run, Task
from agents.trace import Event
from billing import Outcome
from billing.outcome import outcomes
from evaluators import Verdict
from evaluators.tables import verdict_of_claim
from service.cli.books import Books, StateOption, open_books
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, print_table, say, short

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def runs() -> None:
    """Runs: one attempt of an agent at a task."""


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A ticket's id, or a run's.")],
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """Show every step of a ticket's runs with its time, the receipts, the evidence, the verdict and the outcome."""
    with open_books(state) as books:
        task, found, receipts, verdict, outcome = _read(books, id)
    if as_json:
        print_json(
            {
                "task": task,
                "runs": [
                    {**run.model_dump(mode="json"), "plan_sha256": plan, "events": events}
                    for run, plan, events in found
                ],
                "receipts": receipts,
                "verdict": verdict,
                "outcome": outcome,
            }
        )
        return
    reason = f" ({task.reason}{': ' + task.detail if task.detail else ''})" if task.reason else ""
    say(f"Ticket {task.ticket_id} of {task.requester.email}: {task.state.value}{reason}")
    if not found:
        say("No run was started for it.")
    for run, plan, events in found:
        _print_run(run, plan, events)
    if receipts:
        _print_receipts(receipts)
    if verdict is not None:
        _print_verdict(verdict)
    if outcome is not None:
        _print_outcome(outcome)


_Run = tuple[Run, str, list[Event]]


def _read(books: Books, id: str) -> tuple[Task, list[_Run], list[Receipt], Verdict | None, Outcome | None]:
    tenant, ticket_id = books.tenant, id.partition(":")[0]
    with books.database.transaction() as session:
        task = tables.task_of_ticket(session, tenant, ticket_id)
        if task is None:
            refuse(f"there is no ticket or run {id}; `settle tickets` lists them")
        known = tables.runs_of_task(session, tenant, task.id)
        wanted = [(run, plan) for run, plan in known if id in (ticket_id, task.id, run.id)]
        if id != ticket_id and not wanted:
            names = ", ".join(run.id for run, _ in known) or "none"
            refuse(f"there is no run {id}; the runs of {ticket_id} are: {names}")
        found = [(run, plan, tables.events_of_run(session, tenant, run.id)) for run, plan in wanted]
        ids = {run.id for run, _ in wanted}
        receipts = [one for one in tables.receipts_of_task(session, tenant, task.id) if one.run_id in ids]
        verdict = verdict_of_claim(session, tenant, f"{task.id}:claim")
        outcome = next((one for one in outcomes(session, tenant=tenant) if one.task_id == task.id), None)
    return task, found, receipts, verdict, outcome


def _print_run(run: Run, plan: str, events: list[Event]) -> None:
    say("", f"Run {run.id}: plan {run.procedure}, sha256 {plan}, {run.job} job{'s' if run.job > 1 else ''}")
    print_table(
        ("Time (UTC)", "Step", "Event", "What"),
        [
            (f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], event.step, event.kind.value, _data(event.data))
            for event in events
        ],
        empty="It has no events yet.",
    )


def _print_receipts(receipts: list[Receipt]) -> None:
    print_table(
        ("Receipt", "Tool", "Effect", "State", "Arguments", "Result"),
        [
            (
                one.key,
                f"{one.tool} {one.tool_version}",
                one.effect.value,
                one.state.value,
                short(one.args),
                _result(one),
            )
            for one in receipts
        ],
        title="Receipts",
    )
    evidence = [(one.key, blob) for one in receipts for blob in one.evidence]
    if evidence:
        rows = [(key, blob.label, blob.media_type, blob.sha256) for key, blob in evidence]
        print_table(("Receipt", "Shows", "Type", "sha256"), rows, title="Evidence of the agent")


def _print_verdict(verdict: Verdict) -> None:
    strength = f", {verdict.evidence_class.value}" if verdict.evidence_class else ""
    say(f"Verdict {verdict.id}: {verdict.finding.value} ({verdict.code}){strength}, under {verdict.contract}")
    rows = [(check.check, check.finding.value, check.code, short(check.reason, 300)) for check in verdict.checks]
    print_table(("Check", "Finding", "Code", "Reason"), rows)
    seen = [(name, blob) for name in ("before", "after", "request") if (blob := getattr(verdict, name)) is not None]
    rows = [(name, blob.label, blob.media_type, blob.sha256) for name, blob in seen]
    print_table(("What", "Shows", "Type", "sha256"), rows, title="Evidence of the evaluators")


def _print_outcome(outcome: Outcome) -> None:
    price = f", {outcome.price}" if outcome.price else ""
    invoice = f", on {outcome.invoice}" if outcome.invoice else ""
    say(f"Outcome {outcome.outcome_type}, {outcome.subject}: {outcome.state.value} ({outcome.code}){price}{invoice}")
    rows = [(f"{step.at:%Y-%m-%d %H:%M:%S}", step.before or "-", step.after, step.code) for step in outcome.history]
    print_table(("Time (UTC)", "From", "To", "Reason"), rows)


def _result(receipt: Receipt) -> str:
    return receipt.error or short(receipt.result)


def _data(data: dict[str, Any]) -> str:
    return ", ".join(f"{name}={short(value, 80)}" for name, value in data.items())
