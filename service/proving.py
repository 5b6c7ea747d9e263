"""From a claim to money, and to the ticket's end: record it, have it verified, bill it, resolve the ticket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from agents import tables
from agents.claim import Claim
from agents.clock import Clock
from agents.runtime.port import Runtime
from agents.task import TaskState
from agents.ticket import Helpdesk, Ticket, TicketStatus
from billing import (
    ContractNotInForce,
    Outcome,
    SignedContract,
    contract_in_force,
    record_claim,
    record_verdict,
    requester_returned,
    restart_window,
    subject_reopened,
)
from billing.outcome import SOURCE_UNAVAILABLE
from evaluators import Finding, Verifier
from evaluators.tables import save_verdict, verdict_of_claim
from service.database import Database
from service.deployment import Deployment
from service.progress import Moment, Progress
from service.stopping import Halted

VERIFY_PAUSES = (1, 2, 4)
"""Seconds between the evaluators' tries to read a system of record that does not answer; then `Desk.catch_up` does."""

_HALTED: dict[str, JsonValue] = {"halted": True}
"""The record of a step that was not made because nothing may go out."""


class Proving:
    """Takes the claims of one tenant to their outcomes."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        helpdesk: Helpdesk,
        verifier: Verifier,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._helpdesk = helpdesk
        self._verifier = verifier
        self._clock = clock
        self._progress = progress

    async def record(self, runtime: Runtime, claim: Claim) -> None:
        """Record a claim and its outcome, which is worth nothing yet."""

        async def recorded() -> dict[str, JsonValue]:
            with self._database.transaction() as session:
                tables.save_claim(session, claim)
                record_claim(session, claim, now=self._clock.now())
                tables.move_task(session, self._tenant, claim.task_id, TaskState.CLAIMED, at=self._clock.now())
            self._tell("claim.made", claim.ticket_id, outcome_type=claim.outcome_type)
            return {}

        await step(runtime, f"claim:{claim.id}", recorded)

    async def prove(self, runtime: Runtime, claim: Claim) -> str:
        """Have a recorded claim verified and billed; returns the code of its verdict, ``ok`` if it passed."""
        judged = await step(runtime, f"verify:{claim.id}", lambda: self._verify(claim))
        await step(runtime, f"bill:{claim.id}", lambda: self._bill(claim))
        return "ok" if judged["finding"] == Finding.PASSED.value else str(judged["code"])

    async def conclude(self, runtime: Runtime, ticket_id: str, *, unless: Callable[[], bool]) -> None:
        """Resolve the ticket if every task of it is at its end, and all that was claimed is proven.

        Raises:
            Halted: ``unless`` says that nothing may go out.
        """
        await step(runtime, f"resolve:{ticket_id}", lambda: self._conclude(ticket_id), unless=unless)

    def reverse(self, ticket_id: str, task_ids: list[str], written_at: datetime) -> None:
        """The requester came back on the ticket about what these tasks claimed."""
        with self._database.transaction() as session:
            changed = requester_returned(
                session,
                tenant=self._tenant,
                ticket_id=ticket_id,
                task_ids=task_ids,
                written_at=written_at,
                now=self._clock.now(),
            )
        self._tell_all(changed)

    def reverse_elsewhere(self, outcome: Outcome, written_at: datetime) -> None:
        """The requester came back in another thread about the subject of ``outcome``."""
        with self._database.transaction() as session:
            changed = subject_reopened(
                session,
                tenant=self._tenant,
                requester_email=outcome.requester,
                subject=outcome.subject,
                outcome_types=[outcome.outcome_type],
                written_at=written_at,
                now=self._clock.now(),
            )
        self._tell_all(changed)

    def restart(self, ticket_id: str, at: datetime) -> None:
        """The requester wrote what asks for nothing: settlement waits anew."""
        with self._database.transaction() as session:
            restart_window(session, tenant=self._tenant, ticket_id=ticket_id, event="requester_message", at=at)
        self._tell("window.restarted", ticket_id)

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

    async def _conclude(self, ticket_id: str) -> dict[str, JsonValue]:
        with self._database.transaction() as session:
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
            claims = [f"{task.id}:claim" for task in tasks if task.state is TaskState.CLAIMED]
            verdicts = [verdict_of_claim(session, self._tenant, claim) for claim in claims]
        proven = all(verdict is not None and verdict.finding is Finding.PASSED for verdict in verdicts)
        ended = all(task.state in (TaskState.CLAIMED, TaskState.ANSWERED) for task in tasks)
        if claims and proven and ended:
            await self._helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key=f"{claims[-1]}:resolved")
            self._tell("ticket.resolved", ticket_id)
        return {}

    def _tell_all(self, changed: tuple[Outcome, ...]) -> None:
        for outcome in changed:
            self._tell(f"outcome.{outcome.state.value}", outcome.ticket_id, code=outcome.code)

    def _tell(self, name: str, ticket_id: str, **data: Any) -> None:
        self._progress(Moment(name=name, ticket_id=ticket_id, data=data))


def never() -> bool:
    """No."""
    return False


async def step(
    runtime: Runtime, key: str, body: Callable[[], Any], *, unless: Callable[[], bool] = never
) -> dict[str, JsonValue]:
    """One remembered step whose result is a record.

    Raises:
        Halted: nothing may go out: ``unless`` said so before the step began, or its body found out.
    """

    async def guarded() -> JsonValue:
        if unless():
            return dict(_HALTED)
        try:
            result: JsonValue = await body()
        except Halted:
            return dict(_HALTED)
        return result

    result = await runtime.once(key, guarded)
    assert isinstance(result, dict), "these steps answer with records"
    if result == _HALTED:
        raise Halted
    return result
