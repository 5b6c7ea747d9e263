"""The desk: one flow from a ticket to its outcomes, composed of agents, evaluators and billing.

    job: open (freeze the ticket, see what it calls for) → run each task → one final reply → claims → verify → bill
         → resolved, or with a person

Every step of a job is remembered by the engine, and every step's body can be repeated: what it writes stands under a
key. So a job that a crash interrupts continues where it was, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from pydantic import JsonValue

from agents import tables
from agents.clock import Clock
from agents.errors import AgentsError, HelpdeskUnavailable
from agents.evidence import EvidenceStore
from agents.executor import Executor
from agents.runtime.port import Engine, Runtime
from agents.task import Run, Task
from agents.ticket import Helpdesk, Ticket, TicketStatus
from agents.work import Paused, Superseded, Work
from service.approvals import Approvals
from service.database import Database
from service.deployment import Deployment
from service.ending import Ending
from service.handing_off import HandingOff, Ran, handed_off
from service.jobs import Jobs, job_id, ticket_of
from service.opening import Opening, listed
from service.progress import Moment, Progress
from service.proving import Proving, step
from service.rollout import Rollout
from service.shadow import Shadow
from service.stopping import Halted
from service.sweeps import Sweeps
from service.tables import held_jobs, release_job
from service.triage import UNDER_WAY

_log = structlog.get_logger()
RESUMED = "~"
"""Ends the id of a job that was held back by the kill switch and taken up again."""
TRIES = 50
"""Of a job that fails because the helpdesk does not answer, or because even giving up fails."""


class Desk:
    """Works on the tickets of one tenant."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        engine: Engine,
        helpdesk: Helpdesk,
        executor: Executor,
        proving: Proving,
        evidence: EvidenceStore,
        clock: Clock,
        progress: Progress,
        rollout: Rollout,
        shadow: Shadow,
        stopped: Callable[[], bool],
    ) -> None:
        """``stopped`` is the kill switch: while it says yes, nothing goes out and jobs are held back."""
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._engine = engine
        self._helpdesk = helpdesk
        self._executor = executor
        self._proving = proving
        self._evidence = evidence
        self._progress = progress
        self._shadow = shadow
        self._stopped = stopped
        self._approvals = Approvals(tenant=self._tenant, database=database, toolbox=deployment.toolbox, clock=clock)
        self._opening = Opening(
            deployment=deployment,
            database=database,
            helpdesk=helpdesk,
            proving=proving,
            evidence=evidence,
            clock=clock,
            rollout=rollout,
            stopped=stopped,
        )
        self._handing_off = HandingOff(
            deployment=deployment,
            database=database,
            helpdesk=helpdesk,
            executor=executor,
            opening=self._opening,
            evidence=evidence,
            clock=clock,
            progress=progress,
        )
        self._ending = Ending(
            deployment=deployment,
            database=database,
            helpdesk=helpdesk,
            executor=executor,
            opening=self._opening,
            proving=proving,
            handing_off=self._handing_off,
            clock=clock,
            progress=progress,
            stopped=stopped,
        )
        self._jobs = Jobs(tenant=self._tenant, database=database, engine=engine, clock=clock, progress=progress)
        self._sweeps = Sweeps(
            deployment=deployment,
            database=database,
            helpdesk=helpdesk,
            jobs=self._jobs,
            ending=self._ending,
            rollout=rollout,
            clock=clock,
        )

    async def start(self) -> None:
        """Begin working; jobs that an earlier process left unfinished come first."""
        await self._engine.start(self.work)

    async def notice(self, ticket_id: str) -> None:
        """Something happened on a ticket: have it looked at. The same state noticed twice is one job.

        A ticket that nobody here worked on, and that is not open, is other people's.
        """
        ticket = await self._helpdesk.get(ticket_id)
        with self._database.transaction() as session:
            known = tables.tasks_of_ticket(session, self._tenant, ticket_id)
        if not known and ticket.status is not TicketStatus.OPEN:
            return
        await self._jobs.enqueue(job_id(ticket_id, str(ticket.version)), ticket.requester.email)

    async def answer_approval(
        self,
        approval_id: str,
        *,
        approved: bool,
        by: str,
        note: str = "",
        modified_args: dict[str, JsonValue] | None = None,
    ) -> None:
        """A person's answer to an approval, as `Approvals.answer`; the run goes on."""
        approval, news = self._approvals.answer(
            approval_id, approved=approved, by=by, note=note, modified_args=modified_args
        )
        if news:
            self._tell("approval.answered", approval.ticket_id, approved=approved)
        await self._jobs.go_on(approval.ticket_id, approval_id)

    async def escalate_approval(self, approval_id: str, *, by: str, to: str, note: str = "") -> None:
        """A person passes an approval on, as `Approvals.escalate`."""
        approval = self._approvals.escalate(approval_id, by=by, to=to, note=note)
        self._tell("approval.escalated", approval.ticket_id, to=to)

    async def catch_up(self) -> None:
        """What no message calls for: jobs held back, claims to verify again, approvals and questions nobody answered.

        Nothing of it while the kill switch is on.
        """
        if self._stopped():
            return
        await self.resume()
        await self._sweeps.catch_up()

    async def try_again(self) -> None:
        """Continue the jobs that the helpdesk was away for."""
        await self._engine.try_again(at_most=TRIES)

    async def resume(self) -> int:
        """Take up every job that the kill switch held back, each where it was; returns how many.

        A job held back is a new job of its ticket: what it did before stands under its keys, and is not done again.
        """
        with self._database.transaction() as session:
            held = [(row.job_id, row.ticket_id) for row in held_jobs(session, self._tenant)]
        taken_up = 0
        for job, ticket_id in held:
            try:
                ticket = await self._helpdesk.get(ticket_id)
            except AgentsError:  # the helpdesk is away: it stays held back until the next time
                _log.exception("taking up again failed", job=job)
                continue
            taken_up += 1
            await self._jobs.enqueue(job + RESUMED, ticket.requester.email)
            with self._database.transaction() as session:
                release_job(session, self._tenant, job)
            self._tell("job.resumed", ticket_id)
        return taken_up

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        await self._engine.idle()

    async def work(self, job: str) -> None:
        """One job; whatever goes wrong in it ends with a person, never with the process or a lost ticket."""
        ticket_id = ticket_of(job)
        runtime = self._engine.runtime()
        try:
            await self._unless_stopped(runtime, job, ticket_id)
        except Halted:
            self._jobs.hold(job)
        except HelpdeskUnavailable as error:
            self._tell("job.postponed", ticket_id, reason=str(error))
            raise  # for `try_again`: nobody can be told, and nothing was lost

    async def _unless_stopped(self, runtime: Runtime, job: str, ticket_id: str) -> None:
        if self._stopped():
            raise Halted
        try:
            if job.endswith(RESUMED):
                await self._sweeps.finish_claims(ticket_id)
            await self._work(runtime, ticket_id)
        except (Halted, HelpdeskUnavailable):
            raise
        except Exception as error:
            _log.exception("job failed", job=job)
            await self._ending.give_up(runtime, ticket_id, f"{type(error).__name__} in job {job}")

    async def _work(self, runtime: Runtime, ticket_id: str) -> None:
        """Whatever the ticket's state calls for now."""
        opened = await step(runtime, "open", lambda: self._opening.open(ticket_id))
        match opened["do"]:
            case "run":
                await self._run_all(runtime, ticket_id, opened)
            case "reopened":
                tasks = [Task.model_validate(one) for one in listed(opened["tasks"])]
                written_at = datetime.fromisoformat(str(opened["written_at"]))
                await step(runtime, "reverse", lambda: self._reverse(ticket_id, tasks, written_at))
                with self._database.transaction() as session:
                    others = tables.tasks_of_ticket(session, self._tenant, ticket_id)
                tasks += [task for task in others if task.state in UNDER_WAY]
                end = handed_off("reopened", "the requester came back: it is not resolved")
                await self._handing_off.hand_off(
                    runtime, [Ran(task=task, work=None, end=end) for task in tasks], unless=self._stopped
                )
            case "shadow":
                ticket = Ticket.model_validate_json(self._evidence.get(str(opened["ticket"])))
                why = str(opened["why"])
                await step(runtime, "shadow", lambda: self._only_note(ticket, why), unless=self._stopped)
            case "thanked":
                written_at = datetime.fromisoformat(str(opened["written_at"]))
                await step(runtime, "restart", lambda: self._restart(ticket_id, written_at))
            case _:
                pass

    async def _run_all(self, runtime: Runtime, ticket_id: str, opened: dict[str, JsonValue]) -> None:
        """Run every task of the job; tell the requester once; then claim, or wait, or give it to a person."""
        ticket = Ticket.model_validate_json(self._evidence.get(str(opened["ticket"])))
        entries = listed(opened["entries"])
        ran: list[Ran] = []
        for entry in entries:
            one = await self._run(runtime, ticket, entry, alone=len(entries) == 1)
            if isinstance(one.end, Paused):
                raise Halted
            if isinstance(one.end, Superseded):
                await step(runtime, "again", lambda: self._again(ticket_id))
                return
            ran.append(one)
        if await self._ending.end(runtime, ticket_id, ran) is not None:
            await step(runtime, "again", lambda: self._again(ticket_id))

    async def _run(self, runtime: Runtime, ticket: Ticket, entry: Any, *, alone: bool) -> Ran:
        task = Task.model_validate(entry["task"])
        if "run" not in entry:
            return Ran(task=task, work=None, end=handed_off(entry["code"], entry["reason"]))
        run = Run.model_validate(entry["run"])
        procedure = self._deployment.procedure(run.procedure, str(entry["plan"]))
        if procedure is None:
            reason = f"{run.procedure} was changed while the run was under way"
            return Ran(task=task, work=None, end=handed_off("procedure_changed", reason))
        work = Work(
            task=task,
            run=run,
            plan=procedure.plan,
            ticket=ticket,
            alone=alone,
            autonomy=self._deployment.autonomy(procedure.plan),
        )
        return Ran(task=task, work=work, end=await self._executor.run(work, runtime))

    async def _again(self, ticket_id: str) -> dict[str, JsonValue]:
        await self.notice(ticket_id)
        return {}

    async def _reverse(self, ticket_id: str, tasks: Sequence[Task], written_at: datetime) -> dict[str, JsonValue]:
        self._proving.reverse(ticket_id, [task.id for task in tasks], written_at)
        return {}

    async def _restart(self, ticket_id: str, at: datetime) -> dict[str, JsonValue]:
        self._proving.restart(ticket_id, at)
        return {}

    async def _only_note(self, ticket: Ticket, why: str) -> dict[str, JsonValue]:
        rehearsed = await self._shadow.note(ticket, why)
        self._tell("ticket.shadowed", ticket.id, end=rehearsed.end.value)
        return {}

    def _tell(self, name: str, ticket_id: str, **data: Any) -> None:
        self._progress(Moment(name=name, ticket_id=ticket_id, data=data))
