"""Rehearsing a ticket: what the desk would do with it, and what that would cost, with nothing going out.

    ticket → procedure → run (real reads, made-up effects) → claim → foreseen verdict → Rehearsed

Nothing is written but what is returned: no reply, no status, no receipt, no claim, no charge. Approvals are taken as
given, and counted. `settle simulate` plays tickets from history, a desk in shadow mode the live ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import JsonValue

from agents.claim import Claim
from agents.clock import Clock
from agents.effect import EffectObserver, PendingEffect
from agents.evidence import MemoryEvidenceStore
from agents.executor import Executor
from agents.journal import MemoryJournal
from agents.knowledge import Library
from agents.models.run_model import ModelFor
from agents.money import Money
from agents.planner import Procedure, ProcedureSelector, detect_language
from agents.planner.issues import Issue
from agents.planner.plan import OpenStep, Plan
from agents.receipt import Effect, Receipt, ReceiptState
from agents.rehearsal import RehearsalHelpdesk, approve_all, rehearsed
from agents.runtime.inline import InlineRuntime
from agents.task import Run, Task, TaskState
from agents.ticket import Ticket
from agents.tools import ToolContext
from agents.tools.browser import Browser
from agents.tools.http import HttpClient
from agents.work import Claimed, End, Ended, Work
from billing.contract import Contract, ShareOfValue
from billing.errors import InvalidAmount
from billing.money import exact
from billing.pricing import price
from evaluators import Finding, MemorySnapshots, Observer, OutcomeTerms, SystemOfRecord
from evaluators.foresight import Foreseen, foresee
from service.deployment import Deployment
from service.doubts import doubtful
from service.handing_off import handed_off
from service.model_use import NOT_ASKED, model_use
from service.models import CappedModels
from service.reasons import words
from service.rehearsed import Proof, Rehearsed, RehearsedEffect, RehearsedEnd, RehearsedTask
from service.related import ForAPerson
from service.shown import value
from service.triage import NOTHING_ASKED, Begin, Close, Exclude, Next, look

if TYPE_CHECKING:
    from agents.tools.mcp_client import McpServers

MAX_JOBS = 30
"""Stretches of work on one task; the questions and approvals of a plan end long before."""
_log = structlog.get_logger()


class Rehearsal:
    """Rehearses tickets with one deployment's procedures, tools, replies and contract."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        settings: Mapping[str, str],
        sources: Mapping[str, SystemOfRecord],
        browser: Browser | None,
        library: Library | None,
        clock: Clock,
        mcp: McpServers | None = None,
        models: CappedModels | None = None,
    ) -> None:
        """``settings`` are what tools are told; ``sources`` are read with the evaluators' own credential.

        Without ``models`` none is asked: what comes to a step for one ends there.
        """
        self._deployment = deployment
        self._toolbox = rehearsed(deployment.toolbox)
        self._selector = ProcedureSelector(deployment.procedures)
        self._settings = settings
        self._sources = sources
        self._browser = browser
        self._library = library
        self._mcp = mcp
        self._models = models
        self._clock = clock

    @property
    def deployment(self) -> Deployment:
        """What is rehearsed."""
        return self._deployment

    def tool_context(self, requester_email: str) -> ToolContext:
        """What a tool is given that is called on its own, as if for the requester with this address."""
        return ToolContext(
            tenant=self._deployment.settings.tenant,
            task_id="try",
            ticket_id="try",
            requester_email=requester_email,
            language="en",
            key="try",
            clock=self._clock,
            settings=self._settings,
            evidence_store=MemoryEvidenceStore(),
            browser=self._browser,
            library=self._library,
            http=HttpClient(self._deployment.settings.tools.http.rules),
            mcp=self._mcp,
        )

    @property
    def clock(self) -> Clock:
        """The time of the rehearsal."""
        return self._clock

    def runs_for_models(self, ticket: Ticket) -> int:
        """How many runs of the ticket may come to a model, by the procedures alone: nothing is read."""
        match self._look(ticket):
            case Begin(issues=issues):
                return sum(one.procedure is not None and self._has_a_model(one.procedure.plan) for one in issues)
        return 0

    async def play(self, ticket: Ticket, *, later: Sequence[str] = ()) -> Rehearsed:
        """Rehearse one ticket; whatever goes wrong in it is a handoff, as it is on the live desk.

        Args:
            later: the requester's further messages, each delivered when the run asks for something.
        """
        language = detect_language("\n".join(ticket.own_words()), among=self._deployment.replies.languages())
        scene = _Scene(ticket, later, self._clock)
        why, tasks = "", tuple[RehearsedTask, ...]()
        match self._look(ticket):
            case Exclude(detail=detail):
                why = detail
            case Close():
                why = words(NOTHING_ASKED)
            case Begin(issues=issues):
                try:
                    tasks = tuple(await self._tasks(scene, language, issues))
                except Exception as error:
                    _log.exception("rehearsal failed", ticket=ticket.id)
                    tasks = (_unworked("internal_error", f"{type(error).__name__}: {error}"[:500]),)
        return Rehearsed(
            ticket=ticket.id,
            language=language,
            end=max((task.end for task in tasks), key=list(RehearsedEnd).index, default=RehearsedEnd.NOT_WORKED_ON),
            tasks=tasks,
            why=why or "; ".join(task.why for task in tasks if task.why),
            replies=tuple(scene.helpdesk.replies),
            unread=scene.helpdesk.unread,
        )

    def _look(self, ticket: Ticket) -> Next:
        return look(ticket, [], {}, (), self._selector, self._deployment.wishes())

    def _has_a_model(self, plan: Plan) -> bool:
        """True if something in the plan is for a model, and the deployment names one for it."""
        named = self._deployment.settings.models
        if named is None:
            return False
        by_executor = any(isinstance(step, OpenStep) for step in plan.steps)
        return bool((plan.outline and named.planner) or (by_executor and named.executor))

    def _asks(self, scene: _Scene, work: Work) -> ModelFor:
        if self._models is None:
            return lambda role: None
        return self._models.for_work(work, scene.receipts(work.task.id))

    def _kept_from_a_model(self, plan: Plan, code: str) -> bool:
        """True if a live run would have asked a model where the rehearsed one ended."""
        spent = self._models is None or self._models.used_up
        return spent and code in ("no_model", "model_budget") and self._has_a_model(plan)

    def _why_no_model(self) -> str:
        return NOT_ASKED if self._models is None else "the dollars of this rehearsal are used up"

    async def _tasks(self, scene: _Scene, language: str, issues: Sequence[Issue]) -> list[RehearsedTask]:
        """Every issue of the ticket, in order, and the one reply to several."""
        ticket = await scene.helpdesk.get(scene.ticket_id)
        tasks = [
            Task(
                tenant=ticket.tenant,
                id=f"{ticket.id}:task-{number}",
                ticket_id=ticket.id,
                requester=ticket.requester,
                language=language,
                procedure=issue.procedure.name if issue.procedure else "",
                about=issue.words,
                heard=len(ticket.requester_messages()),
                opened_at=ticket.opened_at,
            )
            for number, issue in enumerate(issues, 1)
        ]
        procedures = [issue.procedure for issue in issues]
        ends = await self._run(scene, tasks, procedures)
        return [
            _unworked(issue.code, issue.reason)
            if procedure is None
            else await self._found(scene, task, procedure.plan, ends.get(task.id))
            for task, procedure, issue in zip(tasks, procedures, issues, strict=True)
        ]

    async def _run(
        self, scene: _Scene, tasks: Sequence[Task], procedures: Sequence[Procedure | None]
    ) -> dict[str, End]:
        """All jobs of the ticket: approvals are given, questions answered as far as the history goes.

        Returns how each task that has a procedure ends, by its id.
        """
        executor = self._executor(scene)
        doubts: dict[str, End] = {}
        ends: dict[str, End] = {}
        for job in range(1, MAX_JOBS + 1):
            ticket = await scene.helpdesk.get(scene.ticket_id)
            works: list[Work] = []
            for task, procedure in zip(tasks, procedures, strict=True):
                if procedure is None or task.id in doubts:
                    continue
                doubt = self._doubt(scene, task, ticket, procedure)
                if doubt is None:
                    run = _run_of(task, procedure.plan, job)
                    works.append(
                        Work(
                            task=task,
                            run=run,
                            plan=procedure.plan,
                            ticket=ticket,
                            alone=len(tasks) == 1,
                            autonomy=self._deployment.autonomy(procedure.plan),
                        )
                    )
                else:
                    doubts[task.id] = handed_off(doubt.code, doubt.reason)
            done = [await executor.run(work, InlineRuntime()) for work in works]
            ends = doubts | {work.task.id: end for work, end in zip(works, done, strict=True)}
            scene.approvals += [(one.task_id, one.reason) for one in approve_all(scene.journal)]
            waiting = [end for end in done if isinstance(end, Ended) and end.state is TaskState.WAITING_APPROVAL]
            asked = [
                task_id
                for task_id, end in ends.items()
                if isinstance(end, Ended) and end.state is TaskState.WAITING_REQUESTER
            ]
            scene.questions.update(asked)
            if asked and not scene.helpdesk.deliver():
                break
            if not asked and not waiting:
                await self._tell(executor, works, done)
                break
        return ends

    def _doubt(self, scene: _Scene, task: Task, ticket: Ticket, procedure: Procedure) -> ForAPerson | None:
        """Whether the desk would leave the task to a person, as it looks ahead of every job that follows no effect."""
        if any(receipt.changes_record for receipt in scene.receipts(task.id)):
            return None
        return doubtful(task, ticket, procedure, self._deployment.contract, limits_alone=ticket.answered())

    async def _tell(self, executor: Executor, works: Sequence[Work], ends: Sequence[End]) -> None:
        """The one reply to several issues."""
        drafts = [end.draft for end in ends if isinstance(end, Claimed | Ended) and end.draft]
        if drafts:
            await executor.tell(works[0], drafts, InlineRuntime())

    async def _found(self, scene: _Scene, task: Task, plan: Plan, end: End | None) -> RehearsedTask:
        receipts = scene.receipts(task.id)
        found = RehearsedTask(
            procedure=plan.procedure,
            end=RehearsedEnd.HANDED_OFF,
            code="",
            why="",
            outcome_type="",
            intended=plan.outcome,
            subject=scene.subjects.get(task.id, ""),
            proof=None,
            charge_minor=0,
            charge_most_minor=0,
            effects=tuple(
                RehearsedEffect(tool=receipt.tool, args=receipt.args) for receipt in receipts if receipt.changes_record
            ),
            approvals=tuple(reason for task_id, reason in scene.approvals if task_id == task.id),
            questions=scene.questions[task.id],
            nothing_found=tuple(_said(receipt) for receipt in receipts if _found_nothing(receipt)),
            models=model_use(receipts),
        )
        match end:
            case Claimed(claim=claim):
                return await self._claimed(found, claim, scene, receipts)
            case Ended(state=TaskState.ANSWERED):
                return _with(found, end=RehearsedEnd.ANSWERED, code=end.code, why=end.reason)
            case Ended(state=TaskState.WAITING_REQUESTER | TaskState.WAITING_APPROVAL):
                why = f"{end.reason}; there is no answer yet"
                return _with(found, end=RehearsedEnd.WAITING, code=end.code, why=why)
            case Ended() if self._kept_from_a_model(plan, end.code):
                why = f"step {end.step} is for a model; {self._why_no_model()}"
                return _with(found, end=RehearsedEnd.NEEDS_MODEL, code="needs_model", why=why)
            case Ended():
                return _with(found, code=end.code, why=f"{end.reason} (step {end.step})" if end.step else end.reason)
            case _:
                return _with(found, code="too_many_jobs", why=f"it did not end in {MAX_JOBS} stretches of work")

    async def _claimed(
        self, found: RehearsedTask, claim: Claim, scene: _Scene, receipts: Sequence[Receipt]
    ) -> RehearsedTask:
        contract = self._deployment.contract
        foreseen = await foresee(
            claim,
            terms=contract.outcomes[claim.outcome_type],
            ticket=await scene.helpdesk.get(claim.ticket_id),
            receipts=receipts,
            sources=self._sources,
            clock=self._clock,
        )
        found = _with(found, outcome_type=claim.outcome_type, subject=claim.subject)
        if foreseen.finding is not Finding.PASSED:
            return _with(found, proof=Proof.MISSING, code=foreseen.code, why=_not_proven(foreseen))
        try:
            least, most = _charge(claim.outcome_type, contract, foreseen.value)
        except InvalidAmount as error:
            return _with(found, proof=Proof.MISSING, code="value_in_another_currency", why=str(error))
        proof = Proof.ASSUMED if foreseen.assumed else Proof.CHECKED
        return _with(found, end=RehearsedEnd.RESOLVED, proof=proof, charge_minor=least, charge_most_minor=most)

    def _executor(self, scene: _Scene) -> Executor:
        evidence = MemoryEvidenceStore()
        observer = Observer(
            sources=self._sources,
            terms_for=self._terms_for,
            snapshots=MemorySnapshots(),
            evidence=evidence,
            clock=self._clock,
        )
        return Executor(
            toolbox=self._toolbox,
            replies=self._deployment.replies,
            journal=scene.journal,
            helpdesk=scene.helpdesk,
            evidence=evidence,
            observer=_Watched(observer, scene),
            clock=self._clock,
            settings=self._settings,
            models=lambda work: self._asks(scene, work),
            browser=self._browser,
            library=self._library,
            http=HttpClient(self._deployment.settings.tools.http.rules),
            mcp=self._mcp,
        )

    def _terms_for(self, outcome_type: str) -> OutcomeTerms | None:
        return self._deployment.contract.outcomes.get(outcome_type)


class _Scene:
    """One ticket's rehearsal: where its words, calls and questions are kept."""

    def __init__(self, ticket: Ticket, later: Sequence[str], clock: Clock) -> None:
        self.ticket_id = ticket.id
        self.helpdesk = RehearsalHelpdesk(ticket, later=later, clock=clock)
        self.journal = MemoryJournal()
        self.approvals: list[tuple[str, str]] = []
        self.questions: Counter[str] = Counter()
        self.subjects: dict[str, str] = {}

    def receipts(self, task_id: str) -> list[Receipt]:
        return [one for one in self.journal.receipts.values() if one.task_id == task_id]


class _Watched:
    """An observer that also tells the scene what an effect is about."""

    def __init__(self, observer: EffectObserver, scene: _Scene) -> None:
        self._observer = observer
        self._scene = scene

    async def before_effect(self, effect: PendingEffect) -> None:
        self._scene.subjects[effect.task_id] = effect.subject
        await self._observer.before_effect(effect)


def _run_of(task: Task, plan: Plan, job: int) -> Run:
    return Run(tenant=task.tenant, id=f"{task.id}:run-1", task_id=task.id, procedure=plan.procedure, job=job)


def _unworked(code: str, why: str) -> RehearsedTask:
    return RehearsedTask(
        procedure="",
        end=RehearsedEnd.HANDED_OFF,
        code=code,
        why=why,
        outcome_type="",
        intended="",
        subject="",
        proof=None,
        charge_minor=0,
        charge_most_minor=0,
        effects=(),
        approvals=(),
        questions=0,
        nothing_found=(),
    )


def _with(task: RehearsedTask, **changes: Any) -> RehearsedTask:
    return task.model_copy(update=changes)


def _charge(outcome_type: str, contract: Contract, value: Money | None) -> tuple[int, int]:
    """(least, most) in minor units; `InvalidAmount` for a share of a value in another currency."""
    agreed = contract.outcomes[outcome_type].price
    if isinstance(agreed, ShareOfValue) and value is None:
        return exact(agreed.minimum, contract.currency).minor, exact(agreed.maximum, contract.currency).minor
    charge = price(outcome_type, contract, value=value).minor
    return charge, charge


def _not_proven(foreseen: Foreseen) -> str:
    return f"the claim would not be proven: {foreseen.reason}"


def _found_nothing(receipt: Receipt) -> bool:
    """True for a read that failed, or whose whole answer is empty."""
    if receipt.effect is not Effect.READ:
        return False
    return receipt.state is ReceiptState.FAILED or _empty(receipt.result)


def _empty(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(_empty(item) for item in value.values())
    return value is None or value in ("", [])


def _said(receipt: Receipt) -> str:
    arguments = ", ".join(f"{name}={value(given).text}" for name, given in sorted(receipt.args.items()))
    why = f": {receipt.error}" if receipt.error else ""
    return f"{receipt.tool}({arguments})"[:200] + why[:200]
