"""``settle outcomes``."""

from __future__ import annotations

import typer

from service.cli.books import StateOption, open_books
from service.cli.output import AsJson, money, print_json, print_table, say
from service.summary import outcome_lines

app = typer.Typer(add_completion=False)


@app.command()
def outcomes(state: StateOption = None, as_json: AsJson = False) -> None:
    """List outcomes, with state, reason, evidence class and what is charged now."""
    with open_books(state) as books:
        lines = outcome_lines(books.database, books.tenant, books.currency)
    if as_json:
        print_json(lines)
        return
    print_table(
        ("Ticket", "Outcome", "Subject", "State", "Reason", "Evidence class", "Charge>", "Price>", "Invoice"),
        [
            (
                line.ticket,
                line.outcome_type or "-",
                line.subject or "-",
                line.state,
                line.reason or "-",
                line.evidence_class or "-",
                money(line.amount_minor, line.currency),
                "-" if line.price_minor is None else money(line.price_minor, line.currency),
                line.invoice or "-",
            )
            for line in lines
        ],
        empty="There are no outcomes yet; `settle run FILE` works on the tickets in a file.",
    )
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.currency] = totals.get(line.currency, 0) + line.amount_minor
    if lines:
        say("Charged now: " + ", ".join(money(minor, currency) for currency, minor in sorted(totals.items())))
