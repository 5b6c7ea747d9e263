"""Plays the tickets of a history through a rehearsal, in the order of the file, a few at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from pydantic import BaseModel, ConfigDict

from agents.ticket import Author, Message, Ticket
from billing.episode import normalised_email
from service.helpdesks.embedded import NewTicket
from service.intake import Past
from service.rehearsal import Rehearsal
from service.rehearsed import Rehearsed
from service.simulation.history import Judged, judge


class Result(BaseModel):
    """One ticket of the history: what would become of it, and what people did."""

    model_config = ConfigDict(frozen=True)

    subject: str
    """The ticket's subject line."""
    rehearsed: Rehearsed
    judged: Judged
    charged_before: tuple[str, ...] = ()
    """Outcomes that an earlier ticket of this history would have been charged for: one Episode, one charge."""


async def simulate(
    rehearsal: Rehearsal, tickets: Iterable[tuple[NewTicket, Past]], *, workers: int
) -> AsyncIterator[Result]:
    """A result per ticket, in order. No more than ``workers`` tickets are under way or waiting to be taken.

    The requester's first message opens the ticket; each further one is delivered when the run asks for something.
    """
    episodes: set[tuple[str, str, str]] = set()
    waiting = iter(tickets)
    under_way: deque[tuple[NewTicket, Past, asyncio.Task[Rehearsed]]] = deque()
    try:
        while True:
            while len(under_way) < workers and (following := next(waiting, None)) is not None:
                ticket, past = following
                played = asyncio.ensure_future(rehearsal.play(opened(rehearsal, ticket), later=ticket.messages[1:]))
                under_way.append((ticket, past, played))
            if not under_way:
                return
            ticket, past, played = under_way.popleft()
            rehearsed, before = _once(await played, normalised_email(ticket.requester.email), episodes)
            judged = judge(rehearsed, past)
            yield Result(subject=ticket.subject, rehearsed=rehearsed, judged=judged, charged_before=before)
    finally:
        for _, _, played in under_way:
            played.cancel()


def opened(rehearsal: Rehearsal, ticket: NewTicket) -> Ticket:
    """The ticket as it stands when the requester has opened it."""
    now = rehearsal.clock.now()
    message = Message(id=f"{ticket.id}:1", author=Author.REQUESTER, text=ticket.messages[0], at=now)
    return Ticket(
        tenant=rehearsal.deployment.settings.tenant,
        id=ticket.id,
        subject=ticket.subject,
        requester=ticket.requester,
        messages=(message,),
        tags=tuple(ticket.tags),
        opened_at=now,
        version=1,
    )


def _once(
    rehearsed: Rehearsed, requester: str, episodes: set[tuple[str, str, str]]
) -> tuple[Rehearsed, tuple[str, ...]]:
    """``rehearsed`` without charges for Episodes that are charged already; ``episodes`` grows by the new ones."""
    tasks, before = [], []
    for task in rehearsed.tasks:
        episode = (requester, task.outcome_type, task.subject)
        if task.proven and episode in episodes:
            before.append(f"{task.outcome_type} {task.subject}")
            task = task.model_copy(update={"charge_minor": 0, "charge_most_minor": 0})
        elif task.proven:
            episodes.add(episode)
        tasks.append(task)
    return rehearsed.model_copy(update={"tasks": tuple(tasks)}), tuple(before)
