"""Puts a deployment together: folder and state in, a running desk out. The one place where the parts meet."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import structlog

from agents.clock import Clock
from agents.evidence import FileEvidenceStore
from agents.executor import Executor
from agents.models.budget import Day
from agents.models.run_model import ModelFor
from agents.runtime.inline import InlineEngine
from agents.runtime.port import Engine
from agents.tables import receipts_of_task
from agents.ticket import Helpdesk
from agents.tools import Toolbox
from agents.tools.browser import Browser
from agents.tools.http import HttpClient
from agents.trace import Event
from agents.work import Work
from evaluators import Observer, OutcomeTerms, SystemOfRecord, Verifier
from service.clock import OffsetClock
from service.database import Database, connect_for_engine, open_database
from service.declared_tools import mcp_servers
from service.deployment import Deployment, State, load_deployment
from service.desk import Desk
from service.errors import StateInUse, TicketsElsewhere
from service.helpdesks.connect import connect
from service.helpdesks.embedded import EmbeddedHelpdesk
from service.journal import SqlJournal, SqlSnapshots
from service.keys import refuse_wrong_keys
from service.knowledge import library_in, open_library
from service.model_settings import micros
from service.models import CappedModels, DeployedModels
from service.processes import Processes
from service.progress import Moment, Progress, silent
from service.proving import Proving
from service.rehearsal import Rehearsal
from service.rollout import Rollout
from service.settings import LiveHelpdeskSettings, Secrets, fill_in, secret_values
from service.settlement import Settlement
from service.shadow import Shadow
from service.spending import SqlSpending
from service.stopping import Switch

LOOK_SECONDS = 1.0
"""How often a process at work looks whether the kill switch was lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A deployment at work."""

    deployment: Deployment
    state: State
    database: Database
    helpdesk: Helpdesk
    desk: Desk
    settlement: Settlement
    evidence: FileEvidenceStore
    clock: OffsetClock
    sources: Mapping[str, SystemOfRecord]
    """What the evaluators read, read-only."""
    webhook_secret: str = ""
    """Of the helpdesk's webhooks; empty where it sends none."""

    @property
    def embedded(self) -> EmbeddedHelpdesk:
        """The helpdesk where tickets can be opened from here; `TicketsElsewhere` if they are opened in another."""
        if not isinstance(self.helpdesk, EmbeddedHelpdesk):
            raise TicketsElsewhere(self.deployment.settings.helpdesk.kind)
        return self.helpdesk


@asynccontextmanager
async def running(
    state: State,
    *,
    browser: bool = True,
    progress: Progress = silent,
    tools: Callable[[Toolbox], Toolbox] = lambda toolbox: toolbox,
    models: Callable[[Work], ModelFor] | None = None,
) -> AsyncIterator[Running]:
    """Start everything that the deployment of ``state`` needs; stop it at the end.

    Args:
        browser: False makes tools go without one.
        progress: told what happens.
        tools: may put other tools in place, for rehearsals.
        models: may put other models in place of those that ``[models]`` names.

    Raises:
        StateInUse: another process works on this state.
        NoState, DatabaseDamaged: its database is gone or damaged.
        WrongKey: its keys are not those that the signed contract names.
        InvalidDocument: something in the deployment's folder is wrong.
        ProcessFailed: a process of the deployment did not start.
    """
    _log_to_stderr()
    with _lock(state):
        clock, switch = OffsetClock(state.folder / "clock"), Switch(state.folder)
        deployment = load_deployment(state.deployment)
        database = open_database(state, deployment.settings)
        refuse_wrong_keys(deployment, state, database, clock)
        library = open_library(deployment, state, database)
        secrets = state.secrets(deployment.settings)
        evidence = FileEvidenceStore(state.evidence)
        made = {name: secrets.get(name) for name in deployment.settings.secrets.generate}
        wanted = deployment.settings.process
        with Processes(wanted, deployment=deployment.folder, state=state.folder, secrets=secrets) as processes:
            processes.start(made)
            sources = deployment.sources(secrets, processes.urls, clock)
            helpdesk = connect(
                deployment.settings,
                folder=deployment.folder,
                database=database,
                clock=clock,
                secrets=secrets,
                urls=processes.urls,
            )
            verifier, observer = _evaluators(deployment, state, database, evidence, clock, sources)
            async with _browser(browser) as chromium, mcp_servers(deployment, state, secrets, processes.urls) as mcp:
                told = deployment.tool_settings(secrets, processes.urls)
                named = _models(deployment, database, clock) if models is None else None
                executor = Executor(
                    toolbox=tools(deployment.toolbox),
                    replies=deployment.replies,
                    journal=SqlJournal(database),
                    helpdesk=helpdesk,
                    evidence=evidence,
                    observer=observer,
                    clock=clock,
                    settings=told,
                    secrets=secret_values(deployment.settings, secrets),
                    models=models or _asked(named, database, deployment.settings.tenant),
                    browser=chromium,
                    library=library,
                    http=HttpClient(deployment.settings.tools.http.rules),
                    mcp=mcp,
                    on_event=lambda event: progress(_moment(event)),
                    stopped=switch.stopped,
                )
                rehearsal = Rehearsal(
                    deployment=deployment,
                    settings=told,
                    sources=sources,
                    browser=chromium,
                    library=library,
                    mcp=mcp,
                    clock=clock,
                )
                engine = _engine(deployment, state)
                proving = Proving(
                    deployment=deployment,
                    database=database,
                    helpdesk=helpdesk,
                    verifier=verifier,
                    clock=clock,
                    progress=progress,
                )
                desk = Desk(
                    deployment=deployment,
                    database=database,
                    engine=engine,
                    helpdesk=helpdesk,
                    executor=executor,
                    proving=proving,
                    evidence=evidence,
                    clock=clock,
                    progress=progress,
                    rollout=Rollout(
                        settings=deployment.settings.rollout,
                        tenant=deployment.settings.tenant,
                        database=database,
                        clock=clock,
                    ),
                    shadow=Shadow(
                        rehearsal=rehearsal, helpdesk=helpdesk, database=database, tenant=deployment.settings.tenant
                    ),
                    stopped=switch.stopped,
                )
                settlement = Settlement(
                    tenant=deployment.settings.tenant,
                    database=database,
                    helpdesk=helpdesk,
                    verifier=verifier,
                    evidence=evidence,
                    vendor_key=state.key("vendor"),
                    invoices=state.invoices,
                    clock=clock,
                    progress=progress,
                )
                await desk.start()
                watch = asyncio.create_task(_take_up_again(desk, switch))
                try:
                    yield Running(
                        deployment=deployment,
                        state=state,
                        database=database,
                        helpdesk=helpdesk,
                        desk=desk,
                        settlement=settlement,
                        evidence=evidence,
                        clock=clock,
                        sources=sources,
                        webhook_secret=_webhook_secret(deployment, secrets),
                    )
                finally:
                    watch.cancel()
                    await engine.stop()
                    if named is not None:
                        await named.aclose()
        database.close()


@asynccontextmanager
async def rehearsing(state: State, *, browser: bool = True, dollars: Decimal | None = None) -> AsyncIterator[Rehearsal]:
    """Start what a rehearsal of the deployment of ``state`` reads from; nothing in the state is read or written.

    Args:
        browser: False makes tools that read go without one.
        dollars: the most that models may cost; without it none is asked.

    Raises:
        InvalidDocument: something in the deployment's folder is wrong.
        ProcessFailed: a process of the deployment did not start.
    """
    _log_to_stderr()
    clock = OffsetClock(state.folder / "clock")
    deployment = load_deployment(state.deployment)
    secrets = state.secrets(deployment.settings)
    made = {name: secrets.get(name) for name in deployment.settings.secrets.generate}
    wanted = deployment.settings.process
    with (
        Processes(wanted, deployment=deployment.folder, state=state.folder, secrets=secrets) as processes,
        tempfile.TemporaryDirectory(prefix="settle-rehearsal-") as folder,
    ):
        processes.start(made)
        library = library_in(Path(folder), deployment)
        async with (
            _browser(browser) as chromium,
            mcp_servers(deployment, state, secrets, processes.urls) as mcp,
            _capped(deployment, dollars, clock) as models,
        ):
            yield Rehearsal(
                deployment=deployment,
                settings=deployment.tool_settings(secrets, processes.urls),
                sources=deployment.sources(secrets, processes.urls, clock),
                browser=chromium,
                library=library,
                mcp=mcp,
                models=models,
                clock=clock,
            )


def _log_to_stderr() -> None:
    """stdout is the commands' own; tracebacks show no local variables, for secrets and customers' words are in them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _evaluators(
    deployment: Deployment,
    state: State,
    database: Database,
    evidence: FileEvidenceStore,
    clock: Clock,
    sources: Mapping[str, SystemOfRecord],
) -> tuple[Verifier, Observer]:
    """The evaluators, with sources, credential and key of their own."""
    snapshots = SqlSnapshots(database)

    def terms_for(outcome_type: str) -> OutcomeTerms | None:
        return deployment.contract.outcomes.get(outcome_type)

    key = state.key("evaluator")
    verifier = Verifier(sources=sources, snapshots=snapshots, evidence=evidence, key=key, clock=clock)
    observer = Observer(sources=sources, terms_for=terms_for, snapshots=snapshots, evidence=evidence, clock=clock)
    return verifier, observer


def _models(deployment: Deployment, database: Database, clock: Clock) -> DeployedModels | None:
    settings = deployment.settings
    if settings.models is None:
        return None
    day = Day(tenant=settings.tenant, spending=SqlSpending(database), cap=settings.models.micros_per_day)
    return DeployedModels(settings.models, day=day, clock=clock)


@asynccontextmanager
async def _capped(deployment: Deployment, dollars: Decimal | None, clock: Clock) -> AsyncIterator[CappedModels | None]:
    settings = deployment.settings
    if settings.models is None or dollars is None:
        yield None
        return
    models = CappedModels(settings.models, tenant=settings.tenant, micros=micros(dollars), clock=clock)
    try:
        yield models
    finally:
        await models.aclose()


def _asked(models: DeployedModels | None, database: Database, tenant: str) -> Callable[[Work], ModelFor]:
    """Whom a run may ask."""

    def for_work(work: Work) -> ModelFor:
        if models is None:
            return lambda role: None
        with database.reading() as session:
            receipts = receipts_of_task(session, tenant, work.task.id)
        return models.for_work(work, receipts)

    return for_work


def _webhook_secret(deployment: Deployment, secrets: Secrets) -> str:
    helpdesk = deployment.settings.helpdesk
    if not isinstance(helpdesk, LiveHelpdeskSettings):
        return ""
    return fill_in(helpdesk.webhook_secret, secrets=secrets, urls={}, setting="[helpdesk] webhook_secret")


async def _take_up_again(desk: Desk, switch: Switch) -> None:
    """Have the jobs that were held back go on as soon as the kill switch is lifted."""
    stopped = switch.stopped()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        before, stopped = stopped, switch.stopped()
        if before and not stopped:
            await desk.resume()


def _engine(deployment: Deployment, state: State) -> Engine:
    if deployment.settings.runtime == "inline":
        return InlineEngine()
    from agents.runtime.durable import DurableEngine  # 0.5 s to import, and not needed inline

    url = state.engine_url()
    return DurableEngine(url, connections=connect_for_engine(url), workers=deployment.settings.workers)


@asynccontextmanager
async def _browser(wanted: bool) -> AsyncIterator[Browser | None]:
    if not wanted:
        yield None
        return
    browser = Browser()
    try:
        yield browser
    finally:
        await browser.close()


@contextmanager
def _lock(state: State) -> Iterator[None]:
    """One process at a time works on a state; the lock goes with the process, however it ends."""
    with (state.folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(f"another settle process works on {state.folder}; wait for it, or stop it") from None
        yield


def _moment(event: Event) -> Moment:
    ticket_id = event.run_id.partition(":")[0]
    return Moment(name=event.kind.value, ticket_id=ticket_id, data={"step": event.step, **event.data})
