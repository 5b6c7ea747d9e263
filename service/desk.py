"""The desk: one flow from a ticket to an outcome, composed of agents, evaluators and billing.

    job: open (freeze the ticket, choose a procedure) → run → claim → verify → outcome → resolved or handed off

Every step of a job is remembered by the engine, and every step's body can be repeated: what it writes stands under a
key. So a job that a crash interrupts continues where it was, and nothing happens twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from pydantic import JsonValue

from agents import tables
from agents.claim import Claim
from agents.clock import Clock
from agents.evidence import EvidenceStore, put_json
from agents.executor import Executor
from agents.planner import ProcedureSelector, detect_language
from agents.policy.approval import ApprovalState
from agents.runtime.inline import InlineRuntime
from agents.runtime.port import Engine, Runtime
from agents.task import Run, Task, TaskState
from agents.ticket import Author, Helpdesk, Message, Ticket, TicketStatus
from agents.work import Claimed, Ended, Superseded, Work
from billing import (
    ContractNotInForce,
    SignedContract,
    contract_in_force,
    record_claim,
    record_verdict,
    requester_returned,
    restart_window,
)
from billing.outcome import SOURCE_UNAVAILABLE, outcomes
from billing.transitions import OutcomeState
from evaluators import Finding, Followup, Verifier, classify
from evaluators.tables import save_verdict, verdict_of_claim
from service.database import Database
from service.deployment import Deployment
from service.handoff import gather_handoff, handoff_note
from service.progress import Moment, Progress

SPAM = "spam"
"""The helpdesk's tag for tickets that are nobody's work."""
_log = structlog.get_logger()
VERIFY_PAUSES = (1, 2, 4)
"""Seconds between the evaluators' tries to read a system of record that does not answer; then `catch_up` does."""
_UNDER_WAY = (TaskState.OPEN, TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL, TaskState.ANSWERED)
_SPOKEN = (TaskState.WAITING_REQUESTER, TaskState.ANSWERED)
"""The agent said the last word; thanks, automatic replies and what staff add call for no other."""


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
        verifier: Verifier,
        evidence: EvidenceStore,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._engine = engine
        self._helpdesk = helpdesk
        self._executor = executor
        self._verifier = verifier
        self._evidence = evidence
        self._clock = clock
        self._progress = progress
        self._selector = ProcedureSelector(deployment.procedures)

    async def start(self) -> None:
        """Begin working; jobs that an earlier process left unfinished come first."""
        await self._engine.start(self.work)

    async def notice(self, ticket_id: str) -> None:
        """Something happened on a ticket: have it looked at. The same state noticed twice is one job."""
        ticket = await self._helpdesk.get(ticket_id)
        await self._engine.enqueue(f"{ticket_id}#{ticket.version}", ticket_id=ticket_id)

    async def answer_approval(self, approval_id: str, *, approved: bool, by: str, note: str = "") -> None:
        """A person's answer to an approval: kept once, and the run goes on."""
        with self._database.transaction() as session:
            approval = tables.approval_of(session, self._tenant, approval_id)
            if approval is None:
                raise LookupError(f"no approval {approval_id}")
            if approval.state is ApprovalState.PENDING:
                state = ApprovalState.APPROVED if approved else ApprovalState.REJECTED
                answered = approval.model_copy(update={"state": state, "decided_by": by, "note": note})
                tables.save_approval(session, answered)
        if approval.state is ApprovalState.PENDING:
            self._tell("approval.answered", approval.ticket_id, approved=approved)
        await self._engine.enqueue(f"{approval.ticket_id}#{approval_id}", ticket_id=approval.ticket_id)

    async def catch_up(self) -> None:
        """Verify again the claims whose system of record did not answer, and let billing know what is found."""
        with self._database.transaction() as session:
            waiting = [one for one in outcomes(session, tenant=self._tenant) if one.state is OutcomeState.CLAIMED]
            claims = [tables.claim_of(session, self._tenant, one.id) for one in waiting]
        for claim in claims:
            assert claim is not None, "an outcome rests on a claim"
            try:
                await self._prove(InlineRuntime(), claim)
            except Exception:  # the next claim may fare better, and this one the next time
                _log.exception("catching up failed", claim=claim.id)

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        await self._engine.idle()

    async def work(self, job_id: str) -> None:
        """One job; whatever goes wrong in it ends with a person, never with the process or a lost ticket."""
        ticket_id = job_id.partition("#")[0]
        runtime = self._engine.runtime()
        try:
            await self._work(runtime, ticket_id)
        except Exception as error:
            _log.exception("job failed", job=job_id)
            await self._hand_off(runtime, ticket_id, "internal_error", f"{type(error).__name__} in job {job_id}")

    async def _work(self, runtime: Runtime, ticket_id: str) -> None:
        """Whatever the ticket's state calls for now."""
        opened = await _record(runtime, "open", lambda: self._open(ticket_id))
        match opened["do"]:
            case "run":
                await self._run(runtime, opened)
            case "hand_off":
                await self._hand_off(runtime, ticket_id, str(opened["code"]), str(opened["reason"]))
            case "reopened":
                await _record(runtime, "reverse", lambda: self._reverse(ticket_id, str(opened["written_at"])))
                await self._hand_off(runtime, ticket_id, "reopened", "the requester came back: it is not resolved")
            case "thanked":
                await _record(runtime, "restart", lambda: self._restart(ticket_id, str(opened["written_at"])))
            case _:
                pass

    async def _open(self, ticket_id: str) -> dict[str, JsonValue]:
        """Freeze the ticket as it is now, and say what is to be done about it."""
        ticket = await self._helpdesk.get(ticket_id)
        frozen = put_json(self._evidence, ticket, label=f"ticket {ticket_id} as the run saw it")
        with self._database.transaction() as session:
            task = tables.task_of_ticket(session, self._tenant, ticket_id)
            if task is None:
                task = self._new_task(ticket)
                tables.save_task(session, task)
            if SPAM in {tag.strip().casefold() for tag in ticket.tags} and task.state in _UNDER_WAY:
                excluded = {"state": TaskState.EXCLUDED, "reason": SPAM, "detail": "the helpdesk tagged it as spam"}
                tables.save_task(session, task.model_copy(update=excluded))
                return {"do": "nothing"}
            if task.state is TaskState.CLAIMED:
                claims = [tables.claim_of(session, self._tenant, f"{task.id}:claim")]
                return _after_claim(ticket, claims[0])
            if task.state not in _UNDER_WAY or (task.state in _SPOKEN and _adds_nothing(ticket)):
                return {"do": "nothing"}
            runs = tables.runs_of_task(session, self._tenant, task.id)
            if runs and task.state is not TaskState.ANSWERED:
                run, plan = runs[-1]
                run = run.model_copy(update={"job": run.job + 1})
            else:
                chosen = self._selector.select(_words(ticket))
                if chosen.procedure is None:
                    return {"do": "hand_off", "code": "no_procedure", "reason": chosen.reason}
                run = Run(
                    tenant=self._tenant,
                    id=f"{task.id}:run-{len(runs) + 1}",
                    task_id=task.id,
                    procedure=chosen.procedure.plan.procedure,
                    job=1,
                )
                plan = chosen.procedure.plan.sha256
            tables.save_run(session, run, plan)
            tables.save_task(session, task.model_copy(update={"state": TaskState.OPEN, "reason": "", "detail": ""}))
        return {"do": "run", "run": run.model_dump(mode="json"), "plan": plan, "ticket": frozen.sha256}

    def _new_task(self, ticket: Ticket) -> Task:
        language = detect_language(_words(ticket), among=self._deployment.replies.languages())
        return Task(
            tenant=self._tenant,
            id=f"{ticket.id}:task-1",
            ticket_id=ticket.id,
            requester=ticket.requester,
            language=language,
            opened_at=ticket.opened_at,
        )

    async def _run(self, runtime: Runtime, opened: dict[str, JsonValue]) -> None:
        run = Run.model_validate(opened["run"])
        ticket = Ticket.model_validate_json(self._evidence.get(str(opened["ticket"])))
        procedure = self._deployment.procedure(run.procedure, str(opened["plan"]))
        if procedure is None:
            reason = f"{run.procedure} was changed while the run was under way"
            await self._hand_off(runtime, ticket.id, "procedure_changed", reason)
            return
        task = self._task(ticket.id)
        end = await self._executor.run(Work(task=task, run=run, plan=procedure.plan, ticket=ticket), runtime)
        match end:
            case Claimed(claim=claim):
                await self._claim(runtime, claim)
            case Superseded():
                await _record(runtime, "again", lambda: self._again(ticket.id))
            case Ended(state=TaskState.HANDED_OFF):
                await self._hand_off(runtime, ticket.id, end.code, f"{end.reason} (step {end.step})")
            case Ended():
                await _record(runtime, "wait", lambda: self._wait(ticket.id, run, end))

    async def _again(self, ticket_id: str) -> dict[str, JsonValue]:
        await self.notice(ticket_id)
        return {}

    async def _wait(self, ticket_id: str, run: Run, end: Ended) -> dict[str, JsonValue]:
        self._set_task(ticket_id, end.state, end.code, end.reason)
        await self._helpdesk.set_status(ticket_id, TicketStatus.WAITING, key=f"{run.id}:{run.job}:waiting")
        self._tell(f"task.{end.state.value}", ticket_id, code=end.code)
        return {}

    async def _claim(self, runtime: Runtime, claim: Claim) -> None:
        async def claimed() -> dict[str, JsonValue]:
            with self._database.transaction() as session:
                tables.save_claim(session, claim)
                record_claim(session, claim, now=self._clock.now())
            self._set_task(claim.ticket_id, TaskState.CLAIMED, "", "")
            self._tell("claim.made", claim.ticket_id, outcome_type=claim.outcome_type)
            return {}

        await _record(runtime, "claim", claimed)
        await self._prove(runtime, claim)

    async def _prove(self, runtime: Runtime, claim: Claim) -> None:
        judged = await _record(runtime, "verify", lambda: self._verify(claim))
        await _record(runtime, "bill", lambda: self._bill(claim))
        if judged["finding"] == Finding.PASSED.value:
            await _record(runtime, "resolve", lambda: self._resolve(claim))
        elif judged["code"] != SOURCE_UNAVAILABLE:
            await self._hand_off(runtime, claim.ticket_id, "not_proven", f"the evaluators say {judged['code']}")

    async def _verify(self, claim: Claim) -> dict[str, JsonValue]:
        ticket = await self._helpdesk.get(claim.ticket_id)
        with self._database.transaction() as session:
            receipts = tables.receipts_of_task(session, self._tenant, claim.task_id)
        signed = self._contract_for(ticket)
        contract = signed.verify() if signed is not None else self._deployment.contract
        for pause in (*VERIFY_PAUSES, None):
            verdict = await self._verifier.verify(
                claim,
                terms=contract.outcomes[claim.outcome_type],
                contract=contract.reference,
                contract_sha256=signed.sha256 if signed is not None else self._deployment.contract_sha256,
                ticket=ticket,
                receipts=receipts,
            )
            if verdict.code != SOURCE_UNAVAILABLE or pause is None:
                break
            await asyncio.sleep(pause)
        if verdict.code == SOURCE_UNAVAILABLE:
            self._tell("verdict.postponed", claim.ticket_id, code=verdict.code)
            return {"finding": verdict.finding.value, "code": verdict.code}
        with self._database.transaction() as session:
            verdict = save_verdict(session, verdict)
        self._tell("verdict.signed", claim.ticket_id, finding=verdict.finding.value, code=verdict.code)
        return {"finding": verdict.finding.value, "code": verdict.code}

    async def _bill(self, claim: Claim) -> dict[str, JsonValue]:
        ticket = await self._helpdesk.get(claim.ticket_id)
        signed = self._contract_for(ticket)
        if signed is None:
            self._tell("outcome.unpriced", claim.ticket_id, code="contract_not_signed")
            return {}
        with self._database.transaction() as session:
            verdict = verdict_of_claim(session, self._tenant, claim.id)
            if verdict is None:
                return {}
            if verdict.contract_sha256 != signed.sha256:
                self._tell("outcome.unpriced", claim.ticket_id, code="signed_with_other_terms")
                return {}
            outcome = record_verdict(
                session,
                claim,
                verdict,
                signed,
                ticket_opened_at=ticket.opened_at,
                ticket_tags=ticket.tags,
                now=self._clock.now(),
            )
        self._tell(f"outcome.{outcome.state.value}", claim.ticket_id, code=outcome.code)
        return {}

    def _contract_for(self, ticket: Ticket) -> SignedContract | None:
        """The signed contract that was in force when the ticket was opened; None without one."""
        name = self._deployment.contract.contract
        try:
            with self._database.transaction() as session:
                return contract_in_force(session, tenant=self._tenant, contract=name, ticket_opened_at=ticket.opened_at)
        except ContractNotInForce:
            return None

    async def _resolve(self, claim: Claim) -> dict[str, JsonValue]:
        await self._helpdesk.set_status(claim.ticket_id, TicketStatus.RESOLVED, key=f"{claim.id}:resolved")
        self._tell("ticket.resolved", claim.ticket_id)
        return {}

    async def _reverse(self, ticket_id: str, written_at: str) -> dict[str, JsonValue]:
        with self._database.transaction() as session:
            changed = requester_returned(
                session,
                tenant=self._tenant,
                ticket_id=ticket_id,
                written_at=datetime.fromisoformat(written_at),
                now=self._clock.now(),
            )
        for outcome in changed:
            self._tell(f"outcome.{outcome.state.value}", ticket_id, code=outcome.code)
        return {}

    async def _restart(self, ticket_id: str, written_at: str) -> dict[str, JsonValue]:
        with self._database.transaction() as session:
            at = datetime.fromisoformat(written_at)
            restart_window(session, tenant=self._tenant, ticket_id=ticket_id, event="requester_message", at=at)
        self._tell("window.restarted", ticket_id)
        return {}

    async def _hand_off(self, runtime: Runtime, ticket_id: str, code: str, reason: str) -> None:
        async def handed_off() -> dict[str, JsonValue]:
            with self._database.transaction() as session:
                task = tables.task_of_ticket(session, self._tenant, ticket_id)
            ticket = await self._helpdesk.get(ticket_id)
            if task is None:  # the job failed before it could open one
                task = self._new_task(ticket)
            with self._database.transaction() as session:
                tables.save_task(session, task)
                handoff = gather_handoff(session, task, ticket, code=code, reason=reason)
                runs = tables.runs_of_task(session, self._tenant, task.id)
            greeting = task.requester.greeting
            text = self._deployment.replies.render("handed-off", task.language, {}, requester_name=greeting)
            handoff = replace(handoff, holding_reply=text)
            if runs and (procedure := self._deployment.procedure(runs[-1][0].procedure, runs[-1][1])) is not None:
                work = Work(task=task, run=runs[-1][0], plan=procedure.plan, ticket=ticket)
                next_reply = await self._executor.next_reply(work)
                handoff = replace(handoff, plan=procedure.plan, next_reply=next_reply)
            note = handoff_note(handoff, self._deployment.toolbox)
            await self._helpdesk.reply(ticket_id, text, key=f"{task.id}:handed-off:{code}")
            await self._helpdesk.hand_off(ticket_id, note, key=f"{task.id}:hand-off:{code}")
            self._set_task(ticket_id, TaskState.HANDED_OFF, code, reason)
            self._tell("task.handed_off", ticket_id, code=code)
            return {}

        await _record(runtime, "hand_off", handed_off)

    def _task(self, ticket_id: str) -> Task:
        with self._database.transaction() as session:
            task = tables.task_of_ticket(session, self._tenant, ticket_id)
        assert task is not None, "a job opens its task first"
        return task

    def _set_task(self, ticket_id: str, state: TaskState, reason: str, detail: str) -> None:
        task = self._task(ticket_id)
        with self._database.transaction() as session:
            tables.save_task(session, task.model_copy(update={"state": state, "reason": reason, "detail": detail}))

    def _tell(self, name: str, ticket_id: str, **data: Any) -> None:
        self._progress(Moment(name=name, ticket_id=ticket_id, data=data))


async def _record(runtime: Runtime, key: str, body: Callable[[], Any]) -> dict[str, JsonValue]:
    """One remembered step whose result is a record."""
    result = await runtime.once(key, body)
    assert isinstance(result, dict), "desk steps answer with records"
    return result


def _words(ticket: Ticket) -> str:
    return "\n".join(ticket.own_words())


def _adds_nothing(ticket: Ticket) -> bool:
    """True if all that was written since the agent's last reply is thanks, automatic replies and words of staff."""
    since: list[Message] = []
    for message in ticket.messages:
        if message.author is Author.AGENT and message.public:
            since.clear()
        elif message.author is not Author.AGENT:
            since.append(message)
    asked = [message for message in since if message.author is Author.REQUESTER]
    return bool(since) and all(classify(message) is not Followup.SUBSTANTIVE for message in asked)


def _after_claim(ticket: Ticket, claim: Claim | None) -> dict[str, JsonValue]:
    """What the requester's messages since the claim call for."""
    assert claim is not None, "a claimed task has a claim"
    since = [message for message in ticket.requester_messages() if message.at > claim.made_at]
    substantive = [message for message in since if classify(message) is Followup.SUBSTANTIVE]
    if substantive:
        return {"do": "reopened", "written_at": substantive[-1].at.isoformat()}
    if since:
        return {"do": "thanked", "written_at": since[-1].at.isoformat()}
    return {"do": "nothing"}
