"""``settle runs show``: what was done for a ticket, read from the trace, the receipts and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from agents import tables
from agents.receipt import Receipt
from agents.task import Run, Task
from agents.ticket import Attachment, Ticket
from agents.trace import Event
from billing import Outcome
from billing.outcome import outcomes
from evaluators import Verdict
from evaluators.tables import verdict_of_claim
from service.attachments import attachments_of
from service.cli.books import Books, StateOption, open_books
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, print_table, say, short
from service.tables import RolloutRow, Treatment, rollout_of

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
        with books.database.transaction() as session:
            decided = rollout_of(session, books.tenant, id.partition(":")[0])
        if decided is not None and decided.treatment != Treatment.LIVE:
            _print_decision(decided, as_json=as_json)
            return
        worked = _read(books, id)
    if decided is not None and not as_json:
        say(f"{decided.ticket_id} is {decided}")
    if as_json:
        print_json([_shown(one) for one in worked])
        return
    for one in worked:
        _print(one)


def _print_decision(decided: RolloutRow, *, as_json: bool) -> None:
    """A ticket that was never worked on, and why."""
    if as_json:
        print_json([decided.model_dump(mode="json", exclude={"tenant"})])
    else:
        say(f"{decided.ticket_id} is {decided}; decided at {decided.decided_at:%Y-%m-%d %H:%M:%S} UTC")


_Run = tuple[Run, str, list[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worked:
    """One task, and what was done for it."""

    task: Task
    runs: list[_Run]
    receipts: list[Receipt]
    attachments: list[Attachment]
    verdict: Verdict | None
    outcome: Outcome | None


def _read(books: Books, id: str) -> list[_Worked]:
    tenant, ticket_id = books.tenant, id.partition(":")[0]
    with books.database.transaction() as session:
        tasks = tables.tasks_of_ticket(session, tenant, ticket_id)
        if not tasks:
            refuse(f"there is no ticket or run {id}; `settle tickets` lists them")
        known = {task.id: tables.runs_of_task(session, tenant, task.id) for task in tasks}
        worked = []
        for task in tasks:
            wanted = [(run, plan) for run, plan in known[task.id] if id in (ticket_id, task.id, run.id)]
            if not wanted and id not in (ticket_id, task.id):
                continue
            ids = {run.id for run, _ in wanted}
            worked.append(
                _Worked(
                    task=task,
                    runs=[(run, plan, tables.events_of_run(session, tenant, run.id)) for run, plan in wanted],
                    receipts=[one for one in tables.receipts_of_task(session, tenant, task.id) if one.run_id in ids],
                    attachments=_attachments(books, [run for run, _ in wanted]),
                    verdict=verdict_of_claim(session, tenant, f"{task.id}:claim"),
                    outcome=next((one for one in outcomes(session, tenant=tenant) if one.task_id == task.id), None),
                )
            )
    if not worked:
        names = ", ".join(run.id for runs in known.values() for run, _ in runs) or "none"
        refuse(f"there is no run {id}; the runs of {ticket_id} are: {names}")
    return worked


def _attachments(books: Books, runs: list[Run]) -> list[Attachment]:
    """Those that the newest run saw."""
    names = [run.ticket_sha256 for run in runs if run.ticket_sha256]
    return list(attachments_of(Ticket.model_validate_json(books.evidence.get(names[-1])))) if names else []


def _shown(one: _Worked) -> dict[str, Any]:
    runs = [{**run.model_dump(mode="json"), "plan_sha256": plan, "events": events} for run, plan, events in one.runs]
    return {
        "task": one.task,
        "runs": runs,
        "receipts": one.receipts,
        "attachments": one.attachments,
        "verdict": one.verdict,
        "outcome": one.outcome,
    }


def _print(one: _Worked) -> None:
    task = one.task
    reason = f" ({task.reason}{': ' + task.detail if task.detail else ''})" if task.reason else ""
    say(f"Ticket {task.ticket_id} of {task.requester.email}: {task.state.value}{reason}")
    if task.about:
        say("About: " + short(" ".join(task.about), 200))
    if not one.runs:
        say("No run was started for it.")
    for run, plan, events in one.runs:
        _print_run(run, plan, events)
    if one.attachments:
        print_table(
            ("Attachment", "Type", "Bytes>", "Kept as evidence"),
            [(file.name, file.media_type, file.size, file.sha256 or f"no: {file.refused}") for file in one.attachments],
            title="Attachments",
        )
    if one.receipts:
        _print_receipts(one.receipts)
    if one.verdict is not None:
        _print_verdict(one.verdict)
    if one.outcome is not None:
        _print_outcome(one.outcome)


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
