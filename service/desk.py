"""The desk: one flow from a ticket to its outcomes, composed of agents, evaluators and billing.

    job: open (freeze the ticket, see what it calls for) → run each task → one final reply → claims → verify → bill
         → resolved, or with a person

Every step of a job is remembered by the engine, and every step's body can be repeated: what it writes stands under a
key. So a job that a crash interrupts continues where it was, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import structlog
from pydantic import JsonValue

from agents import tables
from agents.canonical import fingerprint
from agents.clock import Clock
from agents.errors import AgentsError, HelpdeskUnavailable
from agents.evidence import EvidenceStore
from agents.executor import Executor
from agents.policy.approval import ApprovalState
from agents.policy.labels import PLAN
from agents.runtime.inline import InlineRuntime
from agents.runtime.port import Engine, Runtime
from agents.task import Run, Task, TaskState
from agents.ticket import Helpdesk, Ticket, TicketStatus
from agents.work import Claimed, Draft, Ended, Paused, Superseded, Work
from billing.outcome import SOURCE_UNAVAILABLE, outcomes
from billing.transitions import OutcomeState
from service.approvals import Approvals
from service.database import Database
from service.deployment import Deployment
from service.handing_off import HANDED_OFF, PART_HANDED_OFF, HandingOff, Ran, handed_off, is_handed_off
from service.opening import Opening, listed
from service.progress import Moment, Progress
from service.proving import Proving, never, step
from service.rollout import Rollout
from service.shadow import Shadow
from service.stopping import Halted
from service.tables import held_jobs, hold_job, release_job
from service.triage import UNDER_WAY

_log = structlog.get_logger()
RESUMED = "~"
"""Ends the id of a job that was held back by the kill switch and taken up again."""
TRIES = 50
"""Of a job that fails because the helpdesk does not answer, or because even giving up fails."""
_WAITING = (TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL)


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
        self._clock = clock
        self._progress = progress
        self._rollout = rollout
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
        await self._enqueue(_job(ticket_id, str(ticket.version)), ticket.requester.email)

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
        await self._go_on(approval.ticket_id, approval_id)

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
        await self._begin_late()
        await self._verify_again()
        await self._expire_approvals()
        await self._close_unanswered()

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
        for job_id, ticket_id in held:
            try:
                ticket = await self._helpdesk.get(ticket_id)
            except AgentsError:  # the helpdesk is away: it stays held back until the next time
                _log.exception("taking up again failed", job=job_id)
                continue
            taken_up += 1
            await self._enqueue(job_id + RESUMED, ticket.requester.email)
            with self._database.transaction() as session:
                release_job(session, self._tenant, job_id)
            self._tell("job.resumed", ticket_id)
        return taken_up

    def _hold(self, job_id: str) -> None:
        ticket_id = unquote(job_id.partition("#")[0])
        with self._database.transaction() as session:
            hold_job(session, self._tenant, job_id, ticket_id=ticket_id, at=self._clock.now())
        self._tell("job.held", ticket_id)

    async def _finish_claims(self, ticket_id: str) -> None:
        """A job may have been held back between a claim and the ticket's end; all of that can be repeated."""
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
            claims = {task.id: tables.claim_of(session, self._tenant, f"{task.id}:claim") for task in tasks}
        claimed = [(task, claims[task.id]) for task in tasks if task.state is TaskState.CLAIMED]
        ran = [Ran(task=task, work=None, end=Claimed(claim=claim)) for task, claim in claimed if claim is not None]
        if ran:
            await self._finish(InlineRuntime(), ticket_id, ran)

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        await self._engine.idle()

    async def work(self, job_id: str) -> None:
        """One job; whatever goes wrong in it ends with a person, never with the process or a lost ticket."""
        ticket_id = unquote(job_id.partition("#")[0])
        runtime = self._engine.runtime()
        try:
            await self._unless_stopped(runtime, job_id, ticket_id)
        except Halted:
            self._hold(job_id)
        except HelpdeskUnavailable as error:
            self._tell("job.postponed", ticket_id, reason=str(error))
            raise  # for `try_again`: nobody can be told, and nothing was lost

    async def _unless_stopped(self, runtime: Runtime, job_id: str, ticket_id: str) -> None:
        if self._stopped():
            raise Halted
        try:
            if job_id.endswith(RESUMED):
                await self._finish_claims(ticket_id)
            await self._work(runtime, ticket_id)
        except (Halted, HelpdeskUnavailable):
            raise
        except Exception as error:
            _log.exception("job failed", job=job_id)
            await self._give_up(runtime, ticket_id, f"{type(error).__name__} in job {job_id}")

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
        if any(isinstance(one.end, Ended) and one.end.state in _WAITING for one in ran):
            await step(runtime, "wait", lambda: self._wait(ticket_id, ran), unless=self._stopped)
            return
        told = len(ran) > 1 and bool(_drafts(ran))
        if told and not await self._tell_all(runtime, ticket_id, ran):
            return
        await self._finish(runtime, ticket_id, ran, told=told)

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

    async def _wait(self, ticket_id: str, ran: Sequence[Ran]) -> dict[str, JsonValue]:
        """Somebody has to answer first. What other tasks came to is found again then; the final reply waits for all."""
        for one in ran:
            end = one.end
            if isinstance(end, Ended) and end.state in _WAITING:
                assert one.work is not None, "only a run waits"
                run = one.work.run
                await self._helpdesk.set_status(ticket_id, TicketStatus.WAITING, key=f"{run.id}:{run.job}:waiting")
                self._move(one.task, end.state, end.code, end.reason)
                self._tell(f"task.{end.state.value}", ticket_id, code=end.code)
            elif isinstance(end, Ended) and end.state is TaskState.HANDED_OFF:
                await self._helpdesk.note(
                    ticket_id,
                    await self._handing_off.note(one, holding_sent=False),
                    key=f"{one.task.id}:ahead:{end.code}",
                )
        return {}

    async def _tell_all(self, runtime: Runtime, ticket_id: str, ran: Sequence[Ran]) -> bool:
        """Send the one final reply of several tasks; False if the ticket changed, or it could not be sent."""
        drafts = _drafts(ran)
        work = next((one.work for one in ran if one.work is not None), None)
        if not drafts or work is None:
            return True
        if any(is_handed_off(one.end) for one in ran):
            names = self._deployment.replies.names()
            name = PART_HANDED_OFF if PART_HANDED_OFF in names else HANDED_OFF
            drafts.append(Draft(body=self._handing_off.written(name, ran[0].task), label=PLAN))
        failed = await self._executor.tell(work, drafts, runtime)
        if isinstance(failed, Paused):
            raise Halted
        if isinstance(failed, Superseded):
            await step(runtime, "again", lambda: self._again(ticket_id))
        elif failed is not None:
            await self._handing_off.hand_off(
                runtime, [Ran(task=one.task, work=one.work, end=failed) for one in ran], unless=self._stopped
            )
        return failed is None

    async def _finish(self, runtime: Runtime, ticket_id: str, ran: Sequence[Ran], *, told: bool = False) -> None:
        """Claims go to the evaluators; what ended otherwise, or is not proven, goes where it belongs.

        What the one final reply ``told`` about tasks that end without a claim is carried out with it, at once.
        """
        unless = never if told else self._stopped
        for one in ran:
            if isinstance(one.end, Ended) and one.end.state is TaskState.ANSWERED:
                await step(runtime, f"answered:{one.task.id}", partial(self._answered, one, one.end), unless=unless)
        given_up = [one for one in ran if is_handed_off(one.end)]
        if given_up:
            await self._handing_off.hand_off(runtime, given_up, told=told, unless=unless)
        claimed = [(one, one.end.claim) for one in ran if isinstance(one.end, Claimed)]
        for _, claim in claimed:
            await self._proving.record(runtime, claim)
        unproven = []
        for one, claim in claimed:
            code = await self._proving.prove(runtime, claim)
            if code not in ("ok", SOURCE_UNAVAILABLE):
                end = handed_off("not_proven", f"the evaluators say {code}")
                unproven.append(Ran(task=one.task, work=one.work, end=end))
        if unproven:
            await self._handing_off.hand_off(runtime, unproven, told=bool(given_up) and not told, unless=self._stopped)
        elif not given_up:
            await self._proving.conclude(runtime, ticket_id, unless=self._stopped)

    async def _answered(self, one: Ran, end: Ended) -> dict[str, JsonValue]:
        assert one.work is not None, "only a run answers"
        run = one.work.run
        await self._helpdesk.set_status(one.task.ticket_id, TicketStatus.WAITING, key=f"{run.id}:{run.job}:waiting")
        self._move(one.task, end.state, end.code, end.reason)
        self._tell(f"task.{end.state.value}", one.task.ticket_id, code=end.code)
        return {}

    async def _give_up(self, runtime: Runtime, ticket_id: str, reason: str) -> None:
        """A job failed: whatever of the ticket was under way goes to a person."""
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
        if not tasks:  # it failed before it could open one
            ticket = await self._helpdesk.get(ticket_id)
            tasks = [self._opening.nobodys_task(ticket)]
            with self._database.transaction() as session:
                tables.save_task(session, tasks[0])
        under_way = [task for task in tasks if task.state in UNDER_WAY] or tasks[-1:]
        end = handed_off("internal_error", reason)
        await self._handing_off.hand_off(
            runtime, [Ran(task=task, work=None, end=end) for task in under_way], unless=self._stopped
        )

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

    async def _begin_late(self) -> None:
        """Tickets that waited for the hours of the rollout."""
        day = f"{self._clock.now():%Y-%m-%d}"
        for ticket_id in self._rollout.due():
            try:
                ticket = await self._helpdesk.get(ticket_id)
                await self._enqueue(_job(ticket_id, f"hours:{day}"), ticket.requester.email)
            except AgentsError:  # the helpdesk is away: the next time may fare better
                _log.exception("beginning late failed", ticket=ticket_id)

    async def _verify_again(self) -> None:
        with self._database.transaction() as session:
            waiting = [one for one in outcomes(session, tenant=self._tenant) if one.state is OutcomeState.CLAIMED]
            claims = [tables.claim_of(session, self._tenant, one.id) for one in waiting]
        for claim in claims:
            assert claim is not None, "an outcome rests on a claim"
            runtime = InlineRuntime()
            try:
                task = self._task(claim.task_id)
                await self._finish(runtime, claim.ticket_id, [Ran(task=task, work=None, end=Claimed(claim=claim))])
            except Halted:
                self._hold(_job(claim.ticket_id, f"{claim.id}:again"))
            except Exception:  # the next claim may fare better, and this one the next time
                _log.exception("catching up failed", claim=claim.id)

    async def _expire_approvals(self) -> None:
        now = self._clock.now()
        with self._database.transaction() as session:
            pending = tables.approvals(session, self._tenant, ApprovalState.PENDING)
        for approval in pending:
            if approval.expires_at <= now:
                await self._go_on(approval.ticket_id, f"{approval.id}:expired")

    async def _close_unanswered(self) -> None:
        """A requester who never answers: the task ends, unless they write after all."""
        before = self._clock.now() - self._deployment.settings.close_unanswered_after
        with self._database.transaction() as session:
            waiting = tables.tasks(session, self._tenant, TaskState.WAITING_REQUESTER)
        for task in waiting:
            if task.changed_at is None or task.changed_at > before:
                continue
            try:
                key = f"{task.id}:unanswered:{task.changed_at.isoformat()}"
                await self._helpdesk.set_status(task.ticket_id, TicketStatus.RESOLVED, key=key)
                self._move(task, TaskState.ANSWERED, "no_answer", "the requester never answered the question")
                self._tell("task.answered", task.ticket_id, code="no_answer")
                await self._go_on(task.ticket_id, key)
            except Exception:  # the next one may fare better, and this one the next time
                _log.exception("closing failed", task=task.id)

    async def _go_on(self, ticket_id: str, why: str) -> None:
        """Have a ticket looked at again although nobody wrote."""
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
        await self._enqueue(_job(ticket_id, why), tasks[0].requester.email)

    async def _enqueue(self, job_id: str, email: str) -> None:
        """One requester's jobs run one after the other: what two threads ask for is not done twice."""
        await self._engine.enqueue(job_id, partition=fingerprint(email.casefold())[:32])

    def _task(self, task_id: str) -> Task:
        with self._database.transaction() as session:
            return tables.task_of(session, self._tenant, task_id)

    def _move(self, task: Task, state: TaskState, reason: str, detail: str) -> None:
        with self._database.transaction() as session:
            tables.move_task(session, self._tenant, task.id, state, at=self._clock.now(), reason=reason, detail=detail)

    def _tell(self, name: str, ticket_id: str, **data: Any) -> None:
        self._progress(Moment(name=name, ticket_id=ticket_id, data=data))


def _job(ticket_id: str, why: str) -> str:
    """A job's id: the ticket, whatever characters its id has, and what makes this job another than the last."""
    return f"{quote(ticket_id, safe=':@ ')}#{why}"


def _drafts(ran: Sequence[Ran]) -> list[Draft]:
    return [one.end.draft for one in ran if isinstance(one.end, Claimed | Ended) and one.end.draft is not None]
