"""What is due although no message calls for it: found by looking at rows, and done as any other job.

One that fails keeps no other from being looked at, and is found again the next time.
"""

from __future__ import annotations

import structlog

from agents import tables
from agents.clock import Clock
from agents.errors import AgentsError
from agents.policy.approval import ApprovalState
from agents.runtime.inline import InlineRuntime
from agents.task import TaskState
from agents.ticket import Helpdesk
from agents.work import Claimed
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from service.database import Database
from service.deployment import Deployment
from service.ending import Ending
from service.handing_off import Ran
from service.jobs import Jobs, job_id
from service.rollout import Rollout
from service.stopping import Halted

_log = structlog.get_logger()


class Sweeps:
    """Looks through one tenant's rows."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        helpdesk: Helpdesk,
        jobs: Jobs,
        ending: Ending,
        rollout: Rollout,
        clock: Clock,
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._helpdesk = helpdesk
        self._jobs = jobs
        self._ending = ending
        self._rollout = rollout
        self._clock = clock

    async def catch_up(self) -> None:
        """Tickets that waited for their hours, claims to verify again, approvals and questions nobody answered."""
        await self._begin_late()
        await self._verify_again()
        await self._expire_approvals()
        await self._close_unanswered()

    async def finish_claims(self, ticket_id: str) -> None:
        """A job may have been held back between a claim and the ticket's end; all of that can be repeated."""
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
            claims = {task.id: tables.claim_of(session, self._tenant, f"{task.id}:claim") for task in tasks}
        claimed = [(task, claims[task.id]) for task in tasks if task.state is TaskState.CLAIMED]
        ran = [Ran(task=task, work=None, end=Claimed(claim=claim)) for task, claim in claimed if claim is not None]
        if ran:
            await self._ending.finish(InlineRuntime(), ticket_id, ran)

    async def _begin_late(self) -> None:
        """Tickets that waited for the hours of the rollout."""
        day = f"{self._clock.now():%Y-%m-%d}"
        for ticket_id in self._rollout.due():
            try:
                ticket = await self._helpdesk.get(ticket_id)
                await self._jobs.enqueue(job_id(ticket_id, f"hours:{day}"), ticket.requester.email)
            except AgentsError:  # the helpdesk is away: the next time may fare better
                _log.exception("beginning late failed", ticket=ticket_id)

    async def _verify_again(self) -> None:
        with self._database.transaction() as session:
            waiting = [one for one in outcomes(session, tenant=self._tenant) if one.state is OutcomeState.CLAIMED]
            claims = [tables.claim_of(session, self._tenant, one.id) for one in waiting]
        for claim in claims:
            assert claim is not None, "an outcome rests on a claim"
            try:
                with self._database.transaction() as session:
                    task = tables.task_of(session, self._tenant, claim.task_id)
                ran = [Ran(task=task, work=None, end=Claimed(claim=claim))]
                await self._ending.finish(InlineRuntime(), claim.ticket_id, ran)
            except Halted:
                self._jobs.hold(job_id(claim.ticket_id, f"{claim.id}:again"))
            except Exception:  # the next claim may fare better, and this one the next time
                _log.exception("catching up failed", claim=claim.id)

    async def _expire_approvals(self) -> None:
        now = self._clock.now()
        with self._database.transaction() as session:
            pending = tables.approvals(session, self._tenant, ApprovalState.PENDING)
        for approval in pending:
            if approval.expires_at <= now:
                await self._jobs.go_on(approval.ticket_id, f"{approval.id}:expired")

    async def _close_unanswered(self) -> None:
        before = self._clock.now() - self._deployment.settings.close_unanswered_after
        with self._database.transaction() as session:
            waiting = tables.tasks(session, self._tenant, TaskState.WAITING_REQUESTER)
        for task in waiting:
            if task.changed_at is None or task.changed_at > before:
                continue
            try:
                key = f"{task.id}:unanswered:{task.changed_at.isoformat()}"
                await self._ending.close_unanswered(task, key)
                await self._jobs.go_on(task.ticket_id, key)
            except Exception:  # the next one may fare better, and this one the next time
                _log.exception("closing failed", task=task.id)
