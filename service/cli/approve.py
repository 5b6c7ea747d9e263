"""``settle approve``."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import typer
from pydantic import JsonValue

from agents import tables
from agents.policy.approval import Approval, ApprovalState
from agents.tools.browser import find_chromium
from billing.money import exact
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
_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,4})?) ?([A-Z]{3})", re.ASCII)


@app.command()
def approve(
    id: Annotated[str, typer.Argument(metavar="ID", help="An approval's id; `settle approvals` lists them.")],
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    modify: Annotated[
        list[str] | None,
        typer.Option(
            "--modify", metavar="NAME=VALUE", help="Say yes to another value of an argument: text, 9.00 USD, JSON."
        ),
    ] = None,
    escalate: Annotated[
        str, typer.Option("--escalate", metavar="WHOM", help="Leave the answer to somebody else.")
    ] = "",
    note: Annotated[str, typer.Option("--note", help="Why; it is kept with the answer.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers; the user's name if not named.")] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Let tools go without a browser.")] = False,
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """Answer an approval: yes, yes to other arguments with --modify, no with --reject, or --escalate it.

    The ticket then goes on until nothing is left to do.
    """
    if (reject and (modify or escalate)) or (modify and escalate):
        refuse("--reject, --modify and --escalate are three different answers; give one")
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
    answer = _Answer(approved=not reject, by=who, note=note, args=_modified(approval, modify or []), to=escalate)
    line = asyncio.run(_answer(place, approval, answer, browser=browser, quiet=as_json))
    if as_json:
        print_json(line)
    else:
        print_tickets([line], currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the person says."""

    approved: bool
    by: str
    note: str
    args: dict[str, JsonValue] | None
    to: str
    """Whom they leave it to; empty if they answer themselves."""


def _modified(approval: Approval, changes: list[str]) -> dict[str, JsonValue] | None:
    """The arguments with the changes ``NAME=VALUE``; None without one."""
    args = dict(approval.args)
    for change in changes:
        name, is_there, text = change.partition("=")
        if not is_there or name not in args:
            refuse(f"--modify {change}: write NAME=VALUE with one of {', '.join(sorted(args))}")
        args[name] = _value(args[name], name, text)
    return args if changes else None


def _value(standing: JsonValue, name: str, text: str) -> JsonValue:
    """What is written, as an amount of money where one stands, else as JSON, else as text."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        value = text
    if not isinstance(standing, dict) or standing.keys() != {"minor", "currency"} or isinstance(value, dict):
        return value
    found = _AMOUNT.fullmatch(text)
    if found is None:
        refuse(f"--modify {name}={text}: write an amount and its currency, such as {name}='9.00 USD'")
    return exact(Decimal(found[1]), found[2]).model_dump()


async def _answer(state: State, approval: Approval, answer: _Answer, *, browser: bool, quiet: bool) -> TicketLine:
    async with running(state, browser=browser, progress=silent if quiet else tell) as run:
        if answer.to:
            await run.desk.escalate_approval(approval.id, by=answer.by, to=answer.to, note=answer.note)
        else:
            await run.desk.answer_approval(
                approval.id, approved=answer.approved, by=answer.by, note=answer.note, modified_args=answer.args
            )
        await run.desk.idle()
        await run.settlement.settle_due()
        ticket = await run.helpdesk.get(approval.ticket_id)
        deployment = run.deployment
        return ticket_lines(run.database, deployment.settings.tenant, deployment.contract.currency, [ticket])[0]
