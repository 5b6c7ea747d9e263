"""How a job ends: the requester is told once; then a claim is proven, an answer is waited for, or a person takes over.

Every step can be repeated: what it writes stands under a key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pydantic import JsonValue

from agents import tables
from agents.clock import Clock
from agents.executor import Executor
from agents.policy.labels import PLAN
from agents.runtime.port import Runtime
from agents.task import Task, TaskState
from agents.ticket import Helpdesk, TicketStatus
from agents.work import Claimed, Draft, Ended, Paused, Superseded
from billing.outcome import SOURCE_UNAVAILABLE
from service.database import Database
from service.deployment import Deployment
from service.handing_off import HANDED_OFF, PART_HANDED_OFF, HandingOff, Ran, handed_off, is_handed_off
from service.opening import Opening
from service.progress import Moment, Progress
from service.proving import Proving, never, step
from service.stopping import Halted
from service.triage import UNDER_WAY

_WAITING = (TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL)


class Ending:
    """Ends the jobs of one tenant's tickets."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        helpdesk: Helpdesk,
        executor: Executor,
        opening: Opening,
        proving: Proving,
        handing_off: HandingOff,
        clock: Clock,
        progress: Progress,
        stopped: Callable[[], bool],
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._helpdesk = helpdesk
        self._executor = executor
        self._opening = opening
        self._proving = proving
        self._handing_off = handing_off
        self._clock = clock
        self._progress = progress
        self._stopped = stopped

    async def end(self, runtime: Runtime, ticket_id: str, ran: Sequence[Ran]) -> Superseded | None:
        """End a job whose tasks ``ran``; `Superseded` if the ticket changed before the requester could be told.

        Raises:
            Halted: the kill switch is on.
        """
        if any(isinstance(one.end, Ended) and one.end.state in _WAITING for one in ran):
            await step(runtime, "wait", lambda: self._wait(ticket_id, ran), unless=self._stopped)
            return None
        drafts = [one.end.draft for one in ran if isinstance(one.end, Claimed | Ended) and one.end.draft is not None]
        told = len(ran) > 1 and bool(drafts)
        if told:
            failed = await self._tell_all(runtime, ran, drafts)
            if failed is not None:
                return failed if isinstance(failed, Superseded) else None
        await self.finish(runtime, ticket_id, ran, told=told)
        return None

    async def finish(self, runtime: Runtime, ticket_id: str, ran: Sequence[Ran], *, told: bool = False) -> None:
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

    async def close_unanswered(self, task: Task, key: str) -> None:
        """A requester never answered: the task ends, unless they write after all."""
        await self._helpdesk.set_status(task.ticket_id, TicketStatus.RESOLVED, key=key)
        self._move(task, TaskState.ANSWERED, "no_answer", "the requester never answered the question")

    async def give_up(self, runtime: Runtime, ticket_id: str, reason: str) -> None:
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

    async def _tell_all(self, runtime: Runtime, ran: Sequence[Ran], drafts: list[Draft]) -> Ended | Superseded | None:
        """Send the one final reply of several tasks; what kept it from being sent, if anything did."""
        work = next((one.work for one in ran if one.work is not None), None)
        if work is None:
            return None
        if any(is_handed_off(one.end) for one in ran):
            names = self._deployment.replies.names()
            name = PART_HANDED_OFF if PART_HANDED_OFF in names else HANDED_OFF
            drafts = [*drafts, Draft(body=self._handing_off.written(name, ran[0].task), label=PLAN)]
        failed = await self._executor.tell(work, drafts, runtime)
        if isinstance(failed, Paused):
            raise Halted
        if isinstance(failed, Ended):
            await self._handing_off.hand_off(
                runtime, [Ran(task=one.task, work=one.work, end=failed) for one in ran], unless=self._stopped
            )
        return failed

    async def _wait(self, ticket_id: str, ran: Sequence[Ran]) -> dict[str, JsonValue]:
        """Somebody has to answer first. What other tasks came to is found again then; the final reply waits for all."""
        for one in ran:
            end = one.end
            if isinstance(end, Ended) and end.state in _WAITING:
                await self._stop_at(one, end)
            elif isinstance(end, Ended) and end.state is TaskState.HANDED_OFF:
                await self._helpdesk.note(
                    ticket_id,
                    await self._handing_off.note(one, holding_sent=False),
                    key=f"{one.task.id}:ahead:{end.code}",
                )
        return {}

    async def _answered(self, one: Ran, end: Ended) -> dict[str, JsonValue]:
        await self._stop_at(one, end)
        return {}

    async def _stop_at(self, one: Ran, end: Ended) -> None:
        """The ticket waits for somebody, and the task is where its run came to an end."""
        assert one.work is not None, "only a run waits or answers"
        run = one.work.run
        await self._helpdesk.set_status(one.task.ticket_id, TicketStatus.WAITING, key=f"{run.id}:{run.job}:waiting")
        self._move(one.task, end.state, end.code, end.reason)

    def _move(self, task: Task, state: TaskState, code: str, reason: str) -> None:
        with self._database.transaction() as session:
            tables.move_task(session, self._tenant, task.id, state, at=self._clock.now(), reason=code, detail=reason)
        data: dict[str, Any] = {"code": code}
        self._progress(Moment(name=f"task.{state.value}", ticket_id=task.ticket_id, data=data))
