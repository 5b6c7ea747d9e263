"""Runs a Plan with the tools, replies and stores of one tenant, and ends in a Claim, a wait or a handoff.

Everything a run decides rests on the ticket as it was frozen at the start of the job and on receipts, so a run that
is repeated after a crash takes the same way. The steps themselves are taken in `agents.walk`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from agents.call import Caller
from agents.clock import Clock
from agents.effect import EffectObserver
from agents.evidence import EvidenceStore
from agents.journal import Journal
from agents.knowledge import Library
from agents.models.run_model import ModelFor
from agents.next_reply import next_reply
from agents.planner.replies import Replies
from agents.policy.labels import Labelled, join_all
from agents.progress import Stop
from agents.runtime.port import Runtime
from agents.ticket import Helpdesk
from agents.tools.http import HttpClient
from agents.tools.tool import ToolContext
from agents.tools.toolbox import Toolbox
from agents.trace import Listener
from agents.walk import Walk
from agents.work import Claimed, Draft, End, Ended, Paused, Superseded, Work

if TYPE_CHECKING:
    from agents.tools.browser.session import Browser
    from agents.tools.mcp_client import McpServers


class Executor:
    """Runs plans with the tools, replies and stores of one tenant."""

    def __init__(
        self,
        *,
        toolbox: Toolbox,
        replies: Replies,
        journal: Journal,
        helpdesk: Helpdesk,
        evidence: EvidenceStore,
        observer: EffectObserver,
        clock: Clock,
        settings: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        models: Callable[[Work], ModelFor] = lambda work: lambda role: None,
        browser: Browser | None = None,
        library: Library | None = None,
        http: HttpClient | None = None,
        mcp: McpServers | None = None,
        on_event: Listener = lambda event: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.toolbox = toolbox
        self.replies = replies
        self.journal = journal
        self.helpdesk = helpdesk
        self.evidence = evidence
        self.observer = observer
        self.clock = clock
        self.settings = dict(settings or {})
        self.secrets = frozenset(secrets)
        self.models = models
        self.browser = browser
        self.library = library
        self.http = http or HttpClient()
        self.mcp = mcp
        self.on_event = on_event
        self.stopped = stopped

    async def run(self, work: Work, runtime: Runtime) -> End:
        """Run one job to its end; tools that fail end the run, never the process."""
        walk = Walk(self._caller(work), self.replies, work, runtime, self.models(work))
        try:
            end = await walk.go()
        except Stop as stop:
            end = stop.end
        walk.note_end(end)
        return end

    async def next_reply(self, work: Work) -> str:
        """What the run would tell the requester next, going by its receipts alone; empty where nobody knows."""
        return await next_reply(self._caller(work), self.replies, work)

    async def tell(self, work: Work, drafts: Sequence[Draft], runtime: Runtime) -> Ended | Superseded | Paused | None:
        """Send the one final reply of several tasks, as part of ``work``; None when it is sent."""
        walk = Walk(self._caller(work), self.replies, work, runtime, self.models(work))
        task = work.task
        bodies = [draft.body for draft in drafts]
        text = self.replies.letter(bodies, task.language, requester_name=task.requester.greeting)
        try:
            await walk.tell(Labelled(data=text, label=join_all(draft.label for draft in drafts)))
        except Stop as stop:
            end = stop.end
        else:
            return None
        assert not isinstance(end, Claimed), "only a plan ends in a claim"
        return end

    def _caller(self, work: Work) -> Caller:
        context = ToolContext(
            tenant=work.task.tenant,
            task_id=work.task.id,
            ticket_id=work.task.ticket_id,
            requester_email=work.task.requester.email,
            language=work.task.language,
            key="",
            clock=self.clock,
            settings=self.settings,
            secrets=self.secrets,
            evidence_store=self.evidence,
            browser=self.browser,
            library=self.library,
            http=self.http,
            mcp=self.mcp,
        )
        return Caller(
            toolbox=self.toolbox,
            journal=self.journal,
            helpdesk=self.helpdesk,
            observer=self.observer,
            clock=self.clock,
            context=context,
            on_event=self.on_event,
            stopped=self.stopped,
        )
