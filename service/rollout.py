"""Which tickets the desk works on, which it only says something about to staff, and which it leaves to people.

Decided once per ticket, when it would be begun, and kept: a ticket that was begun live is finished live, one that was
left to people stays with them. Only a ticket that waits for the hours is decided on again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from agents.clock import Clock
from agents.ticket import Author, Ticket, TicketStatus
from service.database import Database
from service.settings import Hours, RolloutSettings
from service.tables import RolloutRow, Treatment, rollout_of, rollouts, save_rollout

_TAKEN = "somebody took it up before the hours began"
_SHARES = 10_000


class Rollout:
    """Decides for one tenant."""

    def __init__(self, *, settings: RolloutSettings, tenant: str, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._tenant = tenant
        self._database = database
        self._clock = clock

    def treat(self, ticket: Ticket, procedures: Collection[str]) -> RolloutRow:
        """How ``ticket``, which nobody has worked on yet, is treated; the first decision is kept and stands.

        Args:
            procedures: names of those that its issues call for; an empty name is an issue that none fits.
        """
        with self._database.transaction() as session:
            standing = rollout_of(session, self._tenant, ticket.id)
            if standing is None and self._settings == RolloutSettings():
                return self._row(ticket, Treatment.LIVE, "there is no [rollout]")
            if standing is not None and standing.treatment != Treatment.LATER:
                return standing
            if standing is not None and _taken(ticket):
                treatment, why = Treatment.PEOPLE, _TAKEN
            else:
                treatment, why = decide(self._settings, self._tenant, ticket.id, procedures, at=self._clock.now())
            return save_rollout(session, self._row(ticket, treatment, why))

    def takes(self, ticket: Ticket, procedures: Collection[str]) -> bool:
        """True if `treat` would be live now; nothing is decided."""
        with self._database.transaction() as session:
            standing = rollout_of(session, self._tenant, ticket.id)
        if standing is not None and standing.treatment != Treatment.LATER:
            return standing.treatment == Treatment.LIVE
        decided, _ = decide(self._settings, self._tenant, ticket.id, procedures, at=self._clock.now())
        return decided is Treatment.LIVE and not (standing is not None and _taken(ticket))

    def _row(self, ticket: Ticket, treatment: Treatment, why: str) -> RolloutRow:
        return RolloutRow(
            tenant=self._tenant,
            ticket_id=ticket.id,
            treatment=treatment.value,
            why=why,
            decided_at=self._clock.now(),
        )

    def due(self) -> list[str]:
        """Ids of the tickets that waited for hours which have begun."""
        hours = self._settings.hours
        if hours is not None and not open_at(hours, self._clock.now()):
            return []
        with self._database.transaction() as session:
            return [row.ticket_id for row in rollouts(session, self._tenant, Treatment.LATER)]


def decide(
    settings: RolloutSettings, tenant: str, ticket_id: str, procedures: Collection[str], *, at: datetime
) -> tuple[Treatment, str]:
    """The treatment of a ticket that begins at ``at``, and why. Equal arguments, equal answers.

    The most careful mode of its issues' procedures counts for the whole ticket.
    """
    modes = {name: settings.procedures.get(name, settings.mode) for name in sorted(procedures)}
    off = [name or "no procedure" for name, mode in modes.items() if mode == "off"]
    if off:
        return Treatment.PEOPLE, f"the rollout leaves {', '.join(off)} to people"
    if not in_share(tenant, ticket_id, settings.percent):
        return Treatment.PEOPLE, f"it is not among the {settings.percent} % of tickets that the rollout takes"
    shadow = [name or "no procedure" for name, mode in modes.items() if mode == "shadow"]
    if shadow:
        return Treatment.SHADOW, f"the rollout only watches {', '.join(shadow)}"
    if settings.hours is not None and not open_at(settings.hours, at):
        local = at.astimezone(ZoneInfo(settings.hours.timezone))
        outside = f"{local:%a %H:%M} {settings.hours.timezone} is outside {settings.hours}"
        return (Treatment.LATER if settings.hours.outside == "wait" else Treatment.PEOPLE), outside
    return Treatment.LIVE, "the rollout takes it"


def in_share(tenant: str, ticket_id: str, percent: int) -> bool:
    """True for that share of tickets, always the same ones; who is in at 25 % is in at 50 %."""
    digest = hashlib.sha256(f"{tenant}\n{ticket_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % _SHARES < percent * _SHARES // 100


def open_at(hours: Hours, at: datetime) -> bool:
    """True if ``at`` is within the hours: from the first minute to just before the last."""
    local = at.astimezone(ZoneInfo(hours.timezone))
    return local.weekday() in hours.weekdays and hours.begin <= local.time() < hours.end


def _taken(ticket: Ticket) -> bool:
    """True if staff have answered, taken or closed the ticket meanwhile."""
    answered = any(message.author is Author.STAFF and message.public for message in ticket.messages)
    return answered or bool(ticket.merged_into) or ticket.status in (TicketStatus.WITH_STAFF, TicketStatus.RESOLVED)
