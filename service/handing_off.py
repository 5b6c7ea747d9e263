"""Giving tasks to a person: the requester hears of it once, and the person finds a note with all that is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from agents import tables
from agents.clock import Clock
from agents.evidence import EvidenceStore
from agents.executor import Executor
from agents.runtime.port import Runtime
from agents.task import Task, TaskState
from agents.ticket import Helpdesk
from agents.work import End, Ended, Work
from service.attachments import keep_attachments
from service.database import Database
from service.deployment import Deployment
from service.handoff import Candidate, gather_handoff, handoff_note
from service.opening import Opening
from service.progress import Moment, Progress
from service.proving import step

HANDED_OFF = "handed-off"
"""The reply when a person takes over."""
PART_HANDED_OFF = "part-handed-off"
"""What the final reply says when a person takes over some of several issues; without it, as `HANDED_OFF`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One task of a job, and how it ended."""

    task: Task
    work: Work | None
    """None if it went to a person before any run."""
    end: End


class HandingOff:
    """Hands tasks of one tenant's tickets to people."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        helpdesk: Helpdesk,
        executor: Executor,
        opening: Opening,
        evidence: EvidenceStore,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._helpdesk = helpdesk
        self._executor = executor
        self._opening = opening
        self._evidence = evidence
        self._clock = clock
        self._progress = progress

    async def hand_off(
        self,
        runtime: Runtime,
        ran: Sequence[Ran],
        *,
        told: bool = False,
        unless: Callable[[], bool],
    ) -> None:
        """Give tasks of one ticket to a person; the requester hears of it once, unless they were ``told``."""

        async def give() -> dict[str, JsonValue]:
            for number, one in enumerate(ran):
                task, end = one.task, one.end
                assert isinstance(end, Ended), "a claim is not handed off"
                if number == 0 and not told:
                    text = self._letter(HANDED_OFF, task)
                    await self._helpdesk.reply(task.ticket_id, text, key=f"{task.id}:handed-off:{end.code}")
                note = await self.note(one, told=told)
                await self._helpdesk.hand_off(task.ticket_id, note, key=f"{task.id}:hand-off:{end.code}")
                with self._database.transaction() as session:
                    tables.move_task(
                        session,
                        self._tenant,
                        task.id,
                        TaskState.HANDED_OFF,
                        at=self._clock.now(),
                        reason=end.code,
                        detail=end.reason,
                    )
                self._progress(Moment(name="task.handed_off", ticket_id=task.ticket_id, data={"code": end.code}))
            return {}

        await step(runtime, f"hand_off:{ran[0].task.id}", give, unless=unless)

    async def note(self, one: Ran, *, told: bool = False, holding_sent: bool = True) -> str:
        """What the person finds who takes the task over; the final reply may have ``told`` the requester of it."""
        task, end = one.task, one.end
        assert isinstance(end, Ended), "a claim is not handed off"
        ticket = await self._helpdesk.get(task.ticket_id)
        ticket = await keep_attachments(self._helpdesk, self._evidence, ticket)
        with self._database.transaction() as session:
            handoff = gather_handoff(session, task, ticket, code=end.code, reason=_why(end))
            runs = tables.runs_of_task(session, self._tenant, task.id)
        holding = "" if told else self._letter(HANDED_OFF, task)
        handoff = replace(handoff, holding_reply=holding, holding_sent=holding_sent)
        procedure = self._deployment.procedure(runs[-1][0].procedure, runs[-1][1]) if runs else None
        if not runs:
            near = [Candidate(name=name, sure=sure) for name, sure in self._opening.nearest(task, ticket)]
            handoff = replace(handoff, candidates=near)
        if procedure is not None:
            work = Work(
                task=task,
                run=runs[-1][0],
                plan=procedure.plan,
                ticket=ticket,
                autonomy=self._deployment.autonomy(procedure.plan),
            )
            handoff = replace(handoff, plan=procedure.plan, next_reply=await self._executor.next_reply(work))
        return handoff_note(handoff, self._deployment.toolbox)

    def _letter(self, reply: str, task: Task) -> str:
        bodies = [self.written(reply, task)]
        return self._deployment.replies.letter(bodies, task.language, requester_name=task.requester.greeting)

    def written(self, reply: str, task: Task) -> str:
        """A reply that needs no values, as its file has it in the task's language."""
        return self._deployment.replies.render(reply, task.language, {}, requester_name=task.requester.greeting)


def handed_off(code: str, reason: str) -> Ended:
    """The end of a task that goes to a person for a coded reason."""
    return Ended(state=TaskState.HANDED_OFF, code=code, reason=reason, step="")


def is_handed_off(end: End) -> bool:
    """True if the task goes to a person."""
    return isinstance(end, Ended) and end.state is TaskState.HANDED_OFF


def _why(end: Ended) -> str:
    return f"{end.reason} (step {end.step})" if end.step else end.reason
