"""``settle tickets``, and the table of tickets that other commands end with."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from service.cli.books import StateOption, open_books
from service.cli.output import AsJson, money, print_json, print_table
from service.helpdesks.connect import known_tickets
from service.summary import TicketLine, ticket_lines

app = typer.Typer(add_completion=False)


@app.command()
def tickets(state: StateOption = None, as_json: AsJson = False) -> None:
    """List tickets: what happened, the verdict, the charge or why there is none."""
    with open_books(state) as books:
        known = known_tickets(books.state, books.settings, books.database, books.clock)
        lines = ticket_lines(books.database, books.tenant, books.currency, known)
        if as_json:
            print_json(lines)
        else:
            print_tickets(lines, books.currency)


def print_tickets(lines: Sequence[TicketLine], currency: str) -> None:
    """The table of tickets; ``currency`` is that of tickets without an outcome."""
    print_table(
        ("Ticket", "Lang", "What happened", "Verdict", "Evidence class", "Charge>", "or why none"),
        [_row(line, currency) for line in lines],
        empty="There are no tickets yet; `settle run FILE` works on those in a file.",
    )


def _row(line: TicketLine, currency: str) -> tuple[str, ...]:
    outcome = line.outcome
    begun = (line.ticket, line.language or "-", line.happened, line.verdict or "-")
    if outcome is None:
        return (*begun, "-", money(0, currency), "under way" if line.task else "")
    reason = f"{outcome.state}: {outcome.reason}" if outcome.reason else outcome.state
    charge = money(outcome.amount_minor, outcome.currency)
    return (*begun, outcome.evidence_class or "-", charge, "" if outcome.amount_minor else reason)
