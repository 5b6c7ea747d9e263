"""Jobs: looking at one ticket because something happened. Those of one requester run one after the other."""

from __future__ import annotations

from urllib.parse import quote, unquote

from agents import tables
from agents.canonical import fingerprint
from agents.clock import Clock
from agents.runtime.port import Engine
from service.database import Database
from service.progress import Moment, Progress
from service.tables import hold_job


class Jobs:
    """The jobs of one tenant."""

    def __init__(self, *, tenant: str, database: Database, engine: Engine, clock: Clock, progress: Progress) -> None:
        self._tenant = tenant
        self._database = database
        self._engine = engine
        self._clock = clock
        self._progress = progress

    async def enqueue(self, job: str, email: str) -> None:
        """One requester's jobs run one after the other: what two threads ask for is not done twice."""
        await self._engine.enqueue(job, partition=fingerprint(email.casefold())[:32])

    async def go_on(self, ticket_id: str, why: str) -> None:
        """Have a ticket looked at again although nobody wrote."""
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
        await self.enqueue(job_id(ticket_id, why), tasks[0].requester.email)

    def hold(self, job: str) -> None:
        """Keep a job that the kill switch ended, until it is taken up again."""
        ticket_id = ticket_of(job)
        with self._database.transaction() as session:
            hold_job(session, self._tenant, job, ticket_id=ticket_id, at=self._clock.now())
        self._progress(Moment(name="job.held", ticket_id=ticket_id, data={}))


def job_id(ticket_id: str, why: str) -> str:
    """The ticket, whatever characters its id has, and what makes this job another than the last."""
    return f"{quote(ticket_id, safe=':@ ')}#{why}"


def ticket_of(job: str) -> str:
    """The ticket that a job looks at."""
    return unquote(job.partition("#")[0])
