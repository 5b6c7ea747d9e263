"""``settle approve``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agents import tables
from agents.policy.approval import Approval, ApprovalState
from agents.tools.browser import find_chromium
from service.assembly import running
from service.cli.books import StateOption, open_books
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, say
from service.cli.progress import tell
from service.cli.tickets import print_tickets
from service.cli.user import user
from service.deployment import State
from service.progress import silent
from service.summary import TicketLine, ticket_lines

app = typer.Typer(add_completion=False)


@app.command()
def approve(
    id: Annotated[str, typer.Argument(metavar="ID", help="An approval's id; `settle approvals` lists them.")],
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; it is kept with the answer.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers; the user's name if not named.")] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Let tools go without a browser.")] = False,
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """Answer an approval: yes, or no with --reject. The ticket then goes on until nothing is left to do."""
    with open_books(state) as books, books.database.transaction() as session:
        approval = tables.approval_of(session, books.tenant, id)
        place, currency = books.state, books.currency
    if approval is None:
        refuse(f"there is no approval {id}; `settle approvals` lists those that wait")
    answered = approval.state is not ApprovalState.PENDING
    if answered and reject is not (approval.state is ApprovalState.REJECTED):
        refuse(f"{id} was answered before by {approval.decided_by}: {approval.state.value}; an answer stands")
    if answered and not as_json:
        say(f"{id} was answered before by {approval.decided_by}: {approval.state.value}.")
    browser = not no_browser and find_chromium() is not None
    who = by or user()
    line = asyncio.run(_answer(place, approval, approved=not reject, by=who, note=note, browser=browser, quiet=as_json))
    if as_json:
        print_json(line)
    else:
        print_tickets([line], currency)


async def _answer(
    state: State, approval: Approval, *, approved: bool, by: str, note: str, browser: bool, quiet: bool
) -> TicketLine:
    async with running(state, browser=browser, progress=silent if quiet else tell) as run:
        await run.desk.answer_approval(approval.id, approved=approved, by=by, note=note)
        await run.desk.idle()
        await run.settlement.settle_due()
        ticket = await run.helpdesk.get(approval.ticket_id)
        deployment = run.deployment
        return ticket_lines(run.database, deployment.settings.tenant, deployment.contract.currency, [ticket])[0]
