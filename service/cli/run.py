"""``settle run``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Set
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from agents import tables
from agents.policy.approval import ApprovalState
from agents.task import TaskState
from agents.ticket import Ticket
from agents.tools.browser import find_chromium
from billing.contract_store import kept_contracts
from service.assembly import Running, running
from service.cli.books import DeploymentOption, WorkStateOption, state_option, state_to_work_on
from service.cli.output import AsJson, print_json, say, warn
from service.cli.problems import print_problems
from service.cli.progress import tell
from service.cli.tickets import print_tickets
from service.deployment import State
from service.helpdesks.embedded import NewTicket
from service.intake import RowProblem, Taken, email_address, stream_tickets
from service.progress import silent
from service.summary import TicketLine, ticket_lines
from service.tables import rollouts

app = typer.Typer(add_completion=False)
MOST_LISTED = 1_000
"""Tickets in the table for people; of more than these only the number is said."""
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Let tools go without a browser.")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="Tickets: .txt .md .eml .json .jsonl .ndjson .csv .mbox")],
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
    no_browser: NoBrowser = False,
    requester: Annotated[
        str, typer.Option("--from", metavar="EMAIL", help="Who wrote the ticket in a plain text file.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Work on the tickets in FILE.

    The same file twice is the same tickets. Exit code 0: every row was taken and worked on; 1: some were not, and are
    listed; 2: the file or the deployment cannot be used.
    """
    if requester and email_address(requester) is None:
        raise typer.BadParameter(f"{requester!r} is not an e-mail address", param_hint="--from")
    problems: list[RowProblem] = []
    taken = _taken(stream_tickets(file, requester=requester), problems)
    first = next(taken, None)  # a file of which nothing can be read is refused before a state is made
    place = state_to_work_on(deployment, state)
    worked = Worked()
    if first is not None:
        browser = not no_browser and browser_found()
        listed = None if as_json else MOST_LISTED
        worked = asyncio.run(_work(place, chain([first], taken), browser=browser, quiet=as_json, most_listed=listed))
    problems = sorted([*problems, *worked.problems], key=lambda problem: problem.row)
    if as_json:
        wrong = [asdict(problem) for problem in problems]
        print_json({"tickets": worked.tickets, "problems": wrong, "hints": worked.hints})
    else:
        if worked.tickets:
            print_tickets(worked.tickets, worked.currency)
        elif first is None:
            say(f"No ticket was taken from {file}.")
        print_problems(problems)
        say(*worked.hints)
    if any(not problem.kept for problem in problems):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of the tickets."""

    tickets: list[TicketLine] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    """What could not be done."""
    hints: list[str] = field(default_factory=list)
    """What to do next."""
    currency: str = ""


def _taken(found: Iterator[Taken | RowProblem], problems: list[RowProblem]) -> Iterator[Taken]:
    """The sound rows, one at a time; ``problems`` gets the others."""
    for one in found:
        if isinstance(one, RowProblem):
            problems.append(one)
        else:
            yield one


async def _work(state: State, taken: Iterable[Taken], *, browser: bool, quiet: bool, most_listed: int | None) -> Worked:
    problems: list[RowProblem] = []
    rows: dict[str, int] = {}
    async with running(state, browser=browser, progress=silent if quiet else tell) as run:
        helpdesk = run.embedded
        await run.desk.catch_up()
        await run.settlement.settle_due()
        await run.settlement.look_again()
        for one in taken:
            ticket = one.ticket
            rows[ticket.id] = one.row
            if not helpdesk.open(ticket) and not _same(await run.helpdesk.get(ticket.id), ticket):
                message = f"{ticket.id} was opened before with other words; it stays as it is. Give this one another id"
                problems.append(RowProblem(row=one.row, message=message))
            await run.desk.notice(ticket.id)
        await run.desk.idle()
        await run.settlement.settle_due()
        for ticket_id in _unfinished(run, rows):
            message = f"{ticket_id} was not finished; see the messages above, then run the same command again"
            problems.append(RowProblem(row=rows[ticket_id], message=message))
        found = hints(run, rows.keys())
        currency, lines = run.deployment.contract.currency, []
        if most_listed is None or len(rows) <= most_listed:
            standing = [await run.helpdesk.get(ticket_id) for ticket_id in rows]
            lines = ticket_lines(run.database, run.deployment.settings.tenant, currency, standing)
        else:
            found.insert(0, f"{len(rows):,} tickets were worked on: settle tickets{state_option(state)} lists them")
    return Worked(tickets=lines, problems=problems, hints=found, currency=currency)


def _same(standing: Ticket, new: NewTicket) -> bool:
    """True if the ticket that stands began as ``new`` does; the requester may have written more since."""
    begun = [message.text for message in standing.requester_messages()][: len(new.messages)]
    return (standing.requester.email, begun) == (new.requester.email, list(new.messages))


def _unfinished(run: Running, tickets: Iterable[str]) -> list[str]:
    """Those of ``tickets`` with a task that is still open, or with none at all though the rollout takes them."""
    tenant = run.deployment.settings.tenant
    with run.database.transaction() as session:
        tasks = tables.tasks(session, tenant)
        elsewhere = {row.ticket_id for row in rollouts(session, tenant) if row.settled}
    begun = {task.ticket_id for task in tasks} | elsewhere
    still_open = {task.ticket_id for task in tasks if task.state is TaskState.OPEN}
    return [ticket for ticket in tickets if ticket in still_open or ticket not in begun]


def hints(run: Running, tickets: Set[str]) -> list[str]:
    """What people have to do next about ``tickets``."""
    tenant, option = run.deployment.settings.tenant, state_option(run.state)
    with run.database.transaction() as session:
        waiting = tables.approvals(session, tenant, ApprovalState.PENDING)
        signed = kept_contracts(session, tenant=tenant)
    found = [
        f"{approval.ticket_id} waits for approval: settle approve {approval.id}{option}"
        for approval in waiting
        if approval.ticket_id in tickets
    ]
    name = run.deployment.contract.contract
    if not any(contract.reference.partition("@")[0] == name for contract in signed):
        found.append(
            f"The contract {name} is not signed, so nothing is charged: settle contract sign --as vendor{option}, "
            f"then settle contract sign --as customer{option}"
        )
    return found


def browser_found() -> bool:
    """True if there is a Chromium; otherwise a warning says how to get one."""
    if find_chromium() is not None:
        return True
    warn("No Chromium was found: tools go without a browser. `settle doctor` says how to get one.")
    return False
