"""``settle reply``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agents.errors import TicketNotFound
from agents.ticket import Author, Ticket
from service.assembly import running
from service.cli.books import StateOption, open_books, state_option
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, say
from service.cli.progress import tell
from service.cli.run import NoBrowser, Worked, browser_found, hints
from service.cli.tickets import print_tickets
from service.deployment import State
from service.helpdesks.embedded import EmbeddedHelpdesk
from service.progress import silent
from service.summary import ticket_lines

app = typer.Typer(add_completion=False)


@app.command()
def reply(
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="A ticket that came from a file.")],
    text: Annotated[str, typer.Option("--text", help="What the requester wrote.")],
    state: StateOption = None,
    no_browser: NoBrowser = False,
    as_json: AsJson = False,
) -> None:
    """Deliver what the requester of TICKET wrote back, and let the ticket go on.

    The same words twice, with nothing sent to the requester in between, are one message: after an interruption run the
    same command again.
    """
    if not text.strip():
        raise typer.BadParameter("write what the requester wrote", param_hint="--text")
    with open_books(state) as books:
        place = books.state
        helpdesk = EmbeddedHelpdesk(books.database, books.tenant, books.clock)
        try:
            asyncio.run(helpdesk.get(ticket))
        except TicketNotFound:
            refuse(
                f"there is no ticket {ticket} from a file; `settle tickets{state_option(place)}` lists them. "
                "To a ticket of a live helpdesk the requester answers there"
            )
    browser = not no_browser and browser_found()
    worked = asyncio.run(_work(place, ticket, text, browser=browser, quiet=as_json))
    if as_json:
        print_json({"tickets": worked.tickets, "problems": [], "hints": worked.hints})
    else:
        print_tickets(worked.tickets, worked.currency)
        say(*worked.hints)


async def _work(state: State, ticket_id: str, text: str, *, browser: bool, quiet: bool) -> Worked:
    async with running(state, browser=browser, progress=silent if quiet else tell) as run:
        standing = await run.embedded.get(ticket_id)
        if not _delivered(standing, text):
            key = f"{ticket_id}:{len(standing.messages) + 1}:reply"
            run.embedded.write(ticket_id, text, key=key, author=Author.REQUESTER)
        await run.desk.catch_up()
        await run.desk.notice(ticket_id)
        await run.desk.idle()
        await run.settlement.settle_due()
        currency, tenant = run.deployment.contract.currency, run.deployment.settings.tenant
        lines = ticket_lines(run.database, tenant, currency, [await run.embedded.get(ticket_id)])
        return Worked(tickets=lines, hints=hints(run, {ticket_id}), currency=currency)


def _delivered(ticket: Ticket, text: str) -> bool:
    """True if these are the requester's newest words, and nothing was sent to them since."""
    spoken = [each for each in ticket.messages if each.public]
    return bool(spoken) and spoken[-1].author is Author.REQUESTER and spoken[-1].text == text
