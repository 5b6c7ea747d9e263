"""``settle approvals``."""

from __future__ import annotations

import typer

from agents import tables
from agents.policy.approval import ApprovalState
from service.cli.books import StateOption, open_books, state_option
from service.cli.output import AsJson, print_json, print_table, say, short
from service.shown import value

app = typer.Typer(add_completion=False)


@app.command()
def approvals(state: StateOption = None, as_json: AsJson = False) -> None:
    """List the calls that wait for a person, with their literal arguments."""
    with open_books(state) as books:
        with books.database.transaction() as session:
            waiting = tables.approvals(session, books.tenant, ApprovalState.PENDING)
        option = state_option(books.state)
        now = books.clock.now()
    if as_json:
        print_json(waiting)
        return
    print_table(
        ("Approval", "Ticket", "Tool", "Arguments", "Why a person is asked", "Expires (UTC)"),
        [
            (
                one.id,
                one.ticket_id,
                one.tool,
                short(value(one.args, 400).text, 400),
                f"{one.reason}{f'; passed on to {one.passed_on_to}' if one.passed_on_to else ''}",
                f"{one.expires_at:%Y-%m-%d %H:%M}{' (over)' if one.expires_at <= now else ''}",
            )
            for one in waiting
        ],
        empty="Nothing waits for approval.",
    )
    if waiting:
        say(f"Answer one with: settle approve ID{option}; or add --reject, --modify NAME=VALUE, --escalate WHOM")
