"""``settle run``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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
from service.cli.books import DeploymentOption, StateOption, state_option, state_to_work_on
from service.cli.output import AsJson, print_json, say, warn
from service.cli.problems import print_problems
from service.cli.progress import tell
from service.cli.tickets import print_tickets
from service.deployment import State
from service.helpdesks.embedded import NewTicket
from service.intake import RowProblem, email_address, read_tickets
from service.progress import silent
from service.summary import TicketLine, ticket_lines

app = typer.Typer(add_completion=False)
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Let tools go without a browser.")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="Tickets: .txt .md .eml .json .jsonl .ndjson .csv .mbox")],
    deployment: DeploymentOption = None,
    state: StateOption = None,
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
    intake = read_tickets(file, requester=requester)
    place = state_to_work_on(deployment, state)
    browser = not no_browser and _browser_found()
    worked = asyncio.run(_work(place, intake.tickets, browser=browser, quiet=as_json)) if intake.tickets else Worked()
    problems = [*intake.problems, *worked.problems]
    if as_json:
        listed = [asdict(problem) for problem in problems]
        print_json({"tickets": worked.tickets, "problems": listed, "hints": worked.hints})
    else:
        if worked.tickets:
            print_tickets(worked.tickets, worked.currency)
        else:
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


async def _work(state: State, tickets: Sequence[NewTicket], *, browser: bool, quiet: bool) -> Worked:
    problems: list[RowProblem] = []
    async with running(state, browser=browser, progress=silent if quiet else tell) as run:
        await run.desk.catch_up()
        await run.settlement.settle_due()
        for ticket in tickets:
            if not run.helpdesk.open(ticket) and not _same(await run.helpdesk.get(ticket.id), ticket):
                message = f"{ticket.id} was opened before with other words; it stays as it is. Give this one another id"
                problems.append(RowProblem(row=0, message=message))
            await run.desk.notice(ticket.id)
        await run.desk.idle()
        await run.settlement.settle_due()
        standing = [await run.helpdesk.get(ticket.id) for ticket in tickets]
        tenant, currency = run.deployment.settings.tenant, run.deployment.contract.currency
        lines = ticket_lines(run.database, tenant, currency, standing)
        for line in lines:
            if line.task_state == TaskState.OPEN:
                message = f"{line.ticket} was not finished; see the messages above, then run the same command again"
                problems.append(RowProblem(row=0, message=message))
        hints = _hints(run, {ticket.id for ticket in tickets})
    return Worked(tickets=lines, problems=problems, hints=hints, currency=currency)


def _same(standing: Ticket, new: NewTicket) -> bool:
    """True if the ticket that stands began as ``new`` does; the requester may have written more since."""
    begun = [message.text for message in standing.requester_messages()][: len(new.messages)]
    return (standing.requester.email, begun) == (new.requester.email, list(new.messages))


def _hints(run: Running, tickets: set[str]) -> list[str]:
    tenant, option = run.deployment.settings.tenant, state_option(run.state)
    with run.database.transaction() as session:
        waiting = tables.approvals(session, tenant, ApprovalState.PENDING)
        signed = kept_contracts(session, tenant=tenant)
    hints = [
        f"{approval.ticket_id} waits for approval: settle approve {approval.id}{option}"
        for approval in waiting
        if approval.ticket_id in tickets
    ]
    name = run.deployment.contract.contract
    if not any(contract.reference.partition("@")[0] == name for contract in signed):
        hints.append(
            f"The contract {name} is not signed, so nothing is charged: settle contract sign --as vendor{option}, "
            f"then settle contract sign --as customer{option}"
        )
    return hints


def _browser_found() -> bool:
    if find_chromium() is not None:
        return True
    warn("No Chromium was found: tools go without a browser. `settle doctor` says how to get one.")
    return False
