"""The first step of every job: freeze the ticket, see what it calls for, and keep the tasks and runs that it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from agents import tables
from agents.clock import Clock
from agents.evidence import EvidenceStore, put_json
from agents.planner import ProcedureSelector, detect_language
from agents.planner.issues import Issue
from agents.task import Run, Task, TaskState
from agents.ticket import Helpdesk, Ticket, TicketStatus
from service.attachments import keep_attachments
from service.database import Database
from service.deployment import Deployment
from service.doubts import doubtful
from service.proving import Proving
from service.related import Again, Duplicate, ForAPerson, Related
from service.rollout import Rollout
from service.satisfaction import keep_rating
from service.stopping import Halted
from service.tables import Treatment
from service.triage import (
    NOTHING_ASKED,
    UNDER_WAY,
    Begin,
    Close,
    Exclude,
    GoOn,
    Nothing,
    Reopened,
    Thanked,
    look,
    untouched,
)


class Opening:
    """Opens the jobs of one tenant. What it answers is a small record, which the engine remembers."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        helpdesk: Helpdesk,
        proving: Proving,
        evidence: EvidenceStore,
        clock: Clock,
        rollout: Rollout,
        stopped: Callable[[], bool],
    ) -> None:
        self._deployment = deployment
        self._tenant = deployment.settings.tenant
        self._database = database
        self._helpdesk = helpdesk
        self._proving = proving
        self._evidence = evidence
        self._clock = clock
        self._rollout = rollout
        self._stopped = stopped
        self._selector = ProcedureSelector(deployment.procedures)
        self._related = Related(
            tenant=self._tenant, database=database, helpdesk=helpdesk, terms=deployment.contract.outcomes
        )

    async def open(self, ticket_id: str) -> dict[str, JsonValue]:
        """Freeze the ticket as it is now, and say what is to be done about it.

        Raises:
            Halted: something should go out, and the kill switch is on.
        """
        ticket = await keep_attachments(self._helpdesk, self._evidence, await self._helpdesk.get(ticket_id))
        frozen = put_json(self._evidence, ticket, label=f"ticket {ticket_id} as the run saw it").sha256
        with self._database.transaction() as session:
            keep_rating(session, ticket, now=self._clock.now())
            tasks = tables.tasks_of_ticket(session, self._tenant, ticket_id)
            found = {task.id: tables.claim_of(session, self._tenant, f"{task.id}:claim") for task in tasks}
            runs = [run for task in tasks for run, _ in tables.runs_of_task(session, self._tenant, task.id)[-1:]]
        claims = {task_id: claim for task_id, claim in found.items() if claim is not None}
        heard = self._heard(runs) if claims else frozenset[str]()
        match look(ticket, tasks, claims, heard, self._selector, self._deployment.wishes()):
            case Exclude() as out:
                self._exclude(ticket, tasks, out)
            case Begin() as begin:
                first = untouched(tasks)
                treated = self._treated(ticket, begin) if first else None
                if treated is not None:
                    return {**treated, "ticket": frozen}
                fresh = self._new_tasks(ticket, begin, after=0 if first else len(tasks))
                self._keep(fresh)
                return await self._first_look(ticket, frozen, fresh)
            case Close():
                return await self._close(ticket, frozen)
            case GoOn() as go_on:
                return await self._go_on_with(ticket, frozen, go_on)
            case Reopened() as back:
                reopened: list[JsonValue] = [task.model_dump(mode="json") for task in back.tasks]
                return {"do": "reopened", "tasks": reopened, "written_at": back.written_at.isoformat()}
            case Thanked() as thanks:
                return {"do": "thanked", "written_at": thanks.written_at.isoformat()}
            case Nothing():
                pass
        return {"do": "nothing"}

    def _heard(self, runs: Sequence[Run]) -> frozenset[str]:
        """Ids of the messages that these runs have seen."""
        seen = (Ticket.model_validate_json(self._evidence.get(run.ticket_sha256)) for run in runs)
        return frozenset(message.id for ticket in seen for message in ticket.messages)

    def nearest(self, task: Task, ticket: Ticket) -> tuple[tuple[str, float], ...]:
        """The procedures that come into question for ``task``, likeliest first, each with how probably it fits."""
        return self._selector.nearest("\n".join(task.about or ticket.own_words()))

    def _treated(self, ticket: Ticket, begin: Begin) -> dict[str, JsonValue] | None:
        """What the rollout wants of a ticket that nobody has worked on; None: work on it."""
        names = {issue.procedure.name if issue.procedure else "" for issue in begin.issues}
        decided = self._rollout.treat(ticket, names)
        if decided.treatment == Treatment.LIVE:
            return None
        if decided.treatment == Treatment.SHADOW and not decided.told:
            return {"do": "shadow", "why": decided.why}
        return {"do": "nothing"}

    def nobodys_task(self, ticket: Ticket) -> Task:
        """A task for a ticket that no procedure was looked for, not kept yet."""
        begin = Begin(issues=(Issue(procedure=None, words=(), reason=""),), brought_at=ticket.opened_at)
        return self._new_tasks(ticket, begin)[0]

    def _new_tasks(self, ticket: Ticket, begin: Begin, *, after: int = 0) -> list[Task]:
        """A task for each issue, not kept yet."""
        words = "\n".join(ticket.own_words())
        return [
            Task(
                tenant=self._tenant,
                id=f"{ticket.id}:task-{number}",
                ticket_id=ticket.id,
                requester=ticket.requester,
                language=detect_language(words, among=self._deployment.replies.languages()),
                procedure=issue.procedure.name if issue.procedure else "",
                about=issue.words,
                heard=len(ticket.requester_messages()),
                opened_at=begin.brought_at,
                reason="" if issue.procedure else issue.code,
                detail="" if issue.procedure else issue.reason,
                changed_at=self._clock.now(),
            )
            for number, issue in enumerate(begin.issues, after + 1)
        ]

    def _keep(self, tasks: Sequence[Task]) -> None:
        with self._database.transaction() as session:
            for task in tasks:
                tables.save_task(session, task)

    def _exclude(self, ticket: Ticket, tasks: Sequence[Task], out: Exclude) -> None:
        """Work no more on what is under way; a ticket nobody worked on gets a task that says so."""
        for task in [one for one in tasks if one.state in UNDER_WAY] or [self.nobodys_task(ticket)]:
            changes = {"state": TaskState.EXCLUDED, "reason": out.code, "detail": out.detail}
            self._keep([task.model_copy(update={**changes, "changed_at": self._clock.now()})])

    async def _first_look(self, ticket: Ticket, frozen: str, tasks: Sequence[Task]) -> dict[str, JsonValue]:
        """Tasks that nobody has worked on: choose their procedures, with the requester's other tickets in view."""
        entries: list[JsonValue] = []
        for task in tasks:
            procedure = self._deployment.procedure_named(task.procedure)
            if procedure is None:
                entries.append(for_a_person(task, task.reason or "no_procedure", task.detail))
                continue
            match await self._related.to(task, ticket, procedure):
                case Duplicate(ticket_id=other):
                    await self._close_duplicate(ticket, tasks, other)
                    return {"do": "nothing"}
                case ForAPerson(code=code, reason=reason):
                    entries.append(for_a_person(task, code, reason))
                    continue
                case Again(outcomes=before, for_a_person=person):
                    for outcome in before:
                        self._proving.reverse_elsewhere(outcome, task.opened_at)
                    if person is not None:
                        entries.append(for_a_person(task, person.code, person.reason))
                        continue
            doubt = doubtful(task, ticket, procedure, self._deployment.contract)
            if doubt is not None:
                entries.append(for_a_person(task, doubt.code, doubt.reason))
                continue
            entries.append(self._start_run(task, frozen, number=1))
        return {"do": "run", "entries": entries, "ticket": frozen}

    async def _go_on_with(self, ticket: Ticket, frozen: str, go_on: GoOn) -> dict[str, JsonValue]:
        """The next job of every task under way."""
        entries: list[JsonValue] = []
        fresh: list[Task] = []
        for task in go_on.tasks:
            with self._database.transaction() as session:
                runs = tables.runs_of_task(session, self._tenant, task.id)
                touched = any(one.changes_record for one in tables.receipts_of_task(session, self._tenant, task.id))
            if not runs:
                fresh.append(task)
            elif go_on.changed is not None and go_on.changed.procedure is not None and not touched:
                changed = task.model_copy(update={"procedure": go_on.changed.procedure.name})
                entries.append(self._start_run(changed, frozen, number=len(runs) + 1))
            elif task.state is TaskState.ANSWERED:
                entries.append(self._start_run(task, frozen, number=len(runs) + 1))
            elif not touched and (doubt := self._grown_doubtful(task, ticket)) is not None:
                entries.append(for_a_person(task, doubt.code, doubt.reason))
            else:
                run, plan = runs[-1]
                entries.append(self._save_run(task, run.model_copy(update={"job": run.job + 1}), plan, frozen))
        if fresh:
            first = await self._first_look(ticket, frozen, fresh)
            entries += listed(first.get("entries", []))
        return {"do": "run", "entries": entries, "ticket": frozen}

    def _grown_doubtful(self, task: Task, ticket: Ticket) -> ForAPerson | None:
        """Whether what was written since makes the wish doubtful; an answer to the agent's question can only limit."""
        procedure = self._deployment.procedure_named(task.procedure)
        if procedure is None:
            return None
        return doubtful(task, ticket, procedure, self._deployment.contract, limits_alone=ticket.answered())

    def _start_run(self, task: Task, frozen: str, *, number: int) -> JsonValue:
        procedure = self._deployment.procedure_named(task.procedure)
        if procedure is None:
            return for_a_person(task, "procedure_changed", f"there is no procedure {task.procedure!r} any more")
        run = Run(
            tenant=self._tenant,
            id=f"{task.id}:run-{number}",
            task_id=task.id,
            procedure=procedure.plan.procedure,
            job=1,
        )
        return self._save_run(task, run, procedure.plan.sha256, frozen)

    def _save_run(self, task: Task, run: Run, plan: str, frozen: str) -> JsonValue:
        run = run.model_copy(update={"ticket_sha256": frozen})
        task = task.model_copy(update={"state": TaskState.OPEN, "reason": "", "detail": ""})
        with self._database.transaction() as session:
            tables.save_run(session, run, plan)
            tables.save_task(session, task)
        return {"task": task.model_dump(mode="json"), "run": run.model_dump(mode="json"), "plan": plan}

    async def _close(self, ticket: Ticket, frozen: str) -> dict[str, JsonValue]:
        """Nothing to do but to say so, unless the rollout leaves it to people; what is written later begins anew."""
        if not self._rollout.takes(ticket, {""}):
            issue = Issue(procedure=None, words=(), reason="")
            treated = self._treated(ticket, Begin(issues=(issue,), brought_at=ticket.opened_at))
            return {**(treated or {"do": "nothing"}), "ticket": frozen}
        if self._stopped():
            raise Halted
        out = Exclude(code=NOTHING_ASKED, detail="all that the requester wrote is thanks or an automatic reply")
        key = f"{ticket.id}:{NOTHING_ASKED}"
        await self._helpdesk.note(ticket.id, f"Settle: nothing to do; {out.detail}.", key=f"{key}:note")
        await self._helpdesk.set_status(ticket.id, TicketStatus.RESOLVED, key=key)
        self._exclude(ticket, (), out)
        return {"do": "nothing"}

    async def _close_duplicate(self, ticket: Ticket, tasks: Sequence[Task], other: str) -> None:
        if self._stopped():
            raise Halted
        out = Exclude(
            code="duplicate", detail=f"the requester sent the same words in ticket {other}, which answers them"
        )
        key = f"{ticket.id}:duplicate"
        await self._helpdesk.note(ticket.id, f"Settle: duplicate of ticket {other}, which goes on.", key=f"{key}:note")
        await self._helpdesk.set_status(ticket.id, TicketStatus.RESOLVED, key=key)
        self._exclude(ticket, tasks, out)


def for_a_person(task: Task, code: str, reason: str) -> JsonValue:
    """The entry of a task that goes to a person before any run."""
    return {"task": task.model_dump(mode="json"), "code": code, "reason": reason}


def listed(value: JsonValue) -> list[JsonValue]:
    """A list that an earlier step wrote."""
    assert isinstance(value, list), "the desk wrote a list"
    return value
