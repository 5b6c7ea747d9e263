"""Shadow mode: a ticket is rehearsed, and all that is written is one internal note about what would have been done."""

from __future__ import annotations

from agents.money import Money
from agents.ticket import Helpdesk, Ticket
from service.database import Database
from service.rehearsal import Rehearsal
from service.rehearsed import ENDS, Rehearsed, RehearsedTask
from service.shown import harmless, value
from service.tables import mark_told

MAX_REPLY = 4_000
"""Characters of a reply that the note repeats."""


class Shadow:
    """Writes the notes of one tenant."""

    def __init__(self, *, rehearsal: Rehearsal, helpdesk: Helpdesk, database: Database, tenant: str) -> None:
        self._rehearsal = rehearsal
        self._helpdesk = helpdesk
        self._database = database
        self._tenant = tenant

    async def note(self, ticket: Ticket, why: str) -> Rehearsed:
        """Rehearse the ticket and write the note, once per ticket, however often it is asked for.

        Raises:
            HelpdeskUnavailable: the note could not be written.
        """
        rehearsed = await self._rehearsal.play(ticket)
        text = shadow_note(rehearsed, why, self._rehearsal.deployment.contract.currency)
        await self._helpdesk.note(ticket.id, text, key=f"{ticket.id}:shadow")
        with self._database.transaction() as session:
            mark_told(session, self._tenant, ticket.id)
        return rehearsed


def shadow_note(rehearsed: Rehearsed, why: str, currency: str) -> str:
    """What staff find on the ticket."""
    lines = [
        "Settle, in shadow mode: nothing was done and nobody was told. This is what it would have done.",
        f"Why only in shadow: {why}",
        f"The ticket would be: {ENDS[rehearsed.end]}",
    ]
    for task in rehearsed.tasks:
        lines += _of_task(task, currency)
    if rehearsed.why:
        lines.append(f"Why: {rehearsed.why}")
    for reply in rehearsed.replies:
        shown = reply if len(reply) <= MAX_REPLY else f"{reply[:MAX_REPLY]} … (cut)"
        lines += ["", "It would have written:", *(f"> {line}" for line in shown.splitlines())]
    return harmless("\n".join(lines))


def _of_task(task: RehearsedTask, currency: str) -> list[str]:
    lines = [f"Procedure: {task.procedure or 'none fits'}{f', about {task.subject}' if task.subject else ''}"]
    for effect in task.effects:
        arguments = ", ".join(f"{name}={value(given, 80).text}" for name, given in sorted(effect.args.items()))
        lines.append(f"- would call {effect.tool}({arguments})")
    lines += [f"- would ask a person first: {reason}" for reason in task.approvals]
    lines += [f"- a read found nothing: {one}" for one in task.nothing_found]
    if task.proven:
        charge = Money(minor=task.charge_most_minor, currency=currency)
        most = "at most " if task.charge_minor != task.charge_most_minor else ""
        lines.append(f"- would claim {task.outcome_type} ({most}{charge} by the contract; nothing is charged now)")
    return lines
