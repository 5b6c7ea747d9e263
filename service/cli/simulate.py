"""``settle simulate``."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.tools.browser import find_chromium
from service.assembly import rehearsing
from service.cli.books import DeploymentOption, WorkStateOption, say_if_stopped
from service.cli.commands import refuse
from service.cli.output import AsJson, print_table, say
from service.cli.problems import print_problems
from service.cli.spending import DollarsOption, ModelsOption, YesOption, confirm, spending
from service.deployment import MARK, State, find_deployment, make_state, open_state
from service.helpdesks.embedded import NewTicket
from service.intake import Past, RowProblem, Taken, email_address, stream_tickets
from service.rehearsal import Rehearsal
from service.rehearsed import ENDS
from service.simulation import Result, Results, Summary, Tally, checked, simulate, temporary_results
from service.simulation.page import write_page
from service.simulation.remarks import remarks, span
from service.simulation.running import opened

app = typer.Typer(add_completion=False)
SHOWN = 60
"""Tickets in a table for people; the page and --json have them all."""


@app.command("simulate")
def simulate_command(
    file: Annotated[Path, typer.Argument(help="Tickets: .txt .md .eml .json .jsonl .ndjson .csv .mbox")],
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
    requester: Annotated[
        str, typer.Option("--from", metavar="EMAIL", help="Who wrote the ticket in a plain text file.")
    ] = "",
    html: Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write a page about it.")] = None,
    models: ModelsOption = False,
    dollars: DollarsOption = None,
    yes: YesOption = False,
    as_json: AsJson = False,
) -> None:
    """Rehearse the tickets in FILE: what would be resolved, handed off, charged, and what would have been wrong.

    Tools that read are called for real, effects are made up, and nobody is written to. No model is asked without
    --models. Rows may say what people did, in expected_outcome, expected_subject and procedure. Exit code 0: every row
    was rehearsed; 1: some were not, and are listed; 2: the file or the deployment cannot be used, or nobody agreed to
    the cost of models.
    """
    if requester and email_address(requester) is None:
        raise typer.BadParameter(f"{requester!r} is not an e-mail address", param_hint="--from")
    cap = spending(models, dollars)
    with _place(deployment, state) as place, temporary_results() as results:
        summary, problems = asyncio.run(_rehearse(place, file, requester, results, dollars=cap, yes=yes))
        if html is not None:
            try:
                write_page(summary, results, problems, name=file.name, to=html)
            except OSError as error:
                refuse(f"{html} cannot be written: {error.strerror}")
        if as_json:
            _print_json(summary, results, problems)
        else:
            _print(summary, results, problems)
            if html is not None:
                say(f"Written: {html}")
    if any(not problem.kept for problem in problems):
        raise typer.Exit(1)


@contextmanager
def _place(deployment: Path | None, state: Path | None) -> Iterator[State]:
    """The state whose record and secrets are read; where there is none yet, one that is gone afterwards.

    A state that is named is read with whatever deployment is named: two versions are compared on one record.
    """
    if state is not None and (state / MARK).is_file():
        standing = open_state(state, orphaned=deployment is not None)
        yield _said(standing if deployment is None else replace(standing, deployment=deployment.resolve()))
        return
    folder, usual = find_deployment(deployment, Path.cwd())
    if state is None and (usual / MARK).is_file():
        yield _said(replace(open_state(usual, orphaned=True), deployment=folder.resolve()))
        return
    with tempfile.TemporaryDirectory(prefix="settle-simulate-") as temporary:
        yield make_state(Path(temporary) / "state", folder)


def _said(state: State) -> State:
    say_if_stopped(state)
    return state


async def _rehearse(
    state: State, file: Path, requester: str, results: Results, *, dollars: Decimal | None, yes: bool
) -> tuple[Summary, list[RowProblem]]:
    problems, tally = list[RowProblem](), Tally()
    async with rehearsing(state, browser=find_chromium() is not None, dollars=dollars) as rehearsal:
        if dollars is not None:
            confirm(_runs_for_models(rehearsal, file, requester), rehearsal.deployment.settings.models, dollars, yes)
        contract = rehearsal.deployment.contract

        def tickets() -> Iterator[tuple[NewTicket, Past]]:
            for one in stream_tickets(file, requester=requester):
                if isinstance(one, RowProblem):
                    problems.append(one)
                    continue
                past, wrong = checked(one.past, contract.outcomes, row=one.ticket.id)
                problems.extend(wrong)
                yield one.ticket, past

        with _bar() as bar:
            task = bar.add_task("Rehearsing", total=None)
            async for result in simulate(rehearsal, tickets(), workers=rehearsal.deployment.settings.workers):
                results.add(result)
                tally.add(result)
                bar.advance(task)
        return tally.summary(currency=contract.currency, contract=contract.reference), problems


def _runs_for_models(rehearsal: Rehearsal, file: Path, requester: str) -> int:
    rows = stream_tickets(file, requester=requester)
    return sum(rehearsal.runs_for_models(opened(rehearsal, row.ticket)) for row in rows if isinstance(row, Taken))


def _bar() -> Progress:
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _print_json(summary: Summary, results: Results, problems: Sequence[RowProblem]) -> None:
    """One object, its tickets written one at a time."""
    write = sys.stdout.write
    write('{"summary": ' + summary.model_dump_json() + ',\n "tickets": [')
    for number, result in enumerate(results):
        write((",\n  " if number else "\n  ") + result.model_dump_json())
    write('\n ],\n "problems": ' + json.dumps([asdict(problem) for problem in problems]) + "}\n")


def _print(summary: Summary, results: Results, problems: Sequence[RowProblem]) -> None:
    few = summary.tickets <= SHOWN
    rows = [_row(result, summary.currency) for result in results] if few else _worst(results, summary.currency)
    title = (
        "" if few else f"Tickets to look at first (at most {SHOWN} of {summary.tickets}; --html and --json have all)"
    )
    columns = ("Ticket", "Lang", "Would be", "Why", "Proof", "Would cost>", "Against the history")
    print_table(columns, rows, title=title, empty="" if summary.tickets and not few else "No ticket was rehearsed.")
    print_problems(problems)
    _print_summary(summary)


def _worst(results: Results, currency: str) -> list[tuple[str, ...]]:
    false = (result for result in results if result.judged.false_actions)
    return [_row(result, currency) for result in islice(false, SHOWN)]


def _row(result: Result, currency: str) -> tuple[str, ...]:
    rehearsed, judged = result.rehearsed, result.judged
    proofs = ", ".join(task.proof.value for task in rehearsed.tasks if task.proof)
    why = [rehearsed.why or ", ".join(f"{task.outcome_type} {task.subject}" for task in rehearsed.tasks)]
    why += [f"not charged again: {one}" for one in result.charged_before]
    why += [f"found nothing: {one}" for task in rehearsed.tasks for one in task.nothing_found]
    against = [f"FALSE: {one}" for one in judged.false_actions]
    if judged.missed:
        against.append(f"missed {', '.join(judged.expected)}")
    if judged.right:
        against.append("as expected")
    if rehearsed.unread:
        why.append(f"later messages that no question called for: {rehearsed.unread}")
    charge = span(rehearsed.charge_minor, rehearsed.charge_most_minor, currency)
    end = ENDS[rehearsed.end]
    return (rehearsed.ticket, rehearsed.language, end, "; ".join(why), proofs, charge, "; ".join(against))


def _print_summary(summary: Summary) -> None:
    """The figures, and what they rest on."""
    currency = summary.currency
    rows: list[tuple[str, object]] = [("Tickets", summary.tickets)]
    rows += [(f"  {ENDS[end]}", count) for end, count in summary.ends.items()]
    rows.append(("Resolved, of those worked on", summary.resolved))
    rows += [
        (
            f"Would be charged: {line.outcome_type}",
            f"{line.quantity}, {span(line.amount_minor, line.amount_most_minor, currency)}",
        )
        for line in summary.bill
    ]
    rows.append((f"Expected bill by {summary.contract}", span(summary.bill_minor, summary.bill_most_minor, currency)))
    rows.append(("Cost of models in this rehearsal", summary.models.cost))
    rows.append(("Approvals a person would be asked for", summary.approvals))
    rows.append(("Questions to requesters", summary.questions))
    if summary.judged:
        rows.append(("Tickets with a known history", summary.judged))
        rows.append(("  as the history has it", summary.right))
        rows.append(("  claims that the history agrees with", summary.precision))
        rows.append(("  missed", summary.missed))
        rows.append(("False actions", f"{summary.false_actions} on {summary.false_tickets} tickets"))
    print_table(("Simulation", "Figure>"), rows)
    say(*remarks(summary))
