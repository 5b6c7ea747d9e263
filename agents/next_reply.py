"""What a run would say next: its plan walked once more on receipts alone, up to the first reply that was not sent."""

from __future__ import annotations

from dataclasses import fields

from agents.call import Answer, CallEnd, Caller, Request
from agents.canonical import fingerprint
from agents.errors import ModelFailed
from agents.models.scripted import ScriptedModel
from agents.planner.replies import Replies
from agents.policy.decision import Allow, Call, decide
from agents.progress import Stop
from agents.receipt import REPLY_TOOL, ReceiptState
from agents.runtime.inline import InlineRuntime
from agents.walk import Walk
from agents.work import Work


class _Next(Exception):
    """Control flow: this is the first call that is not on record; ``text`` is what it says, if it is a reply."""

    def __init__(self, text: str) -> None:
        self.text = text


class _OnRecord(Caller):
    """Makes no call: answers with the receipts of calls that were made."""

    async def make(self, request: Request) -> Answer:
        """The receipt's answer; `_Next` where there is none."""
        standing = self.journal.receipt(request.task.tenant, request.key)
        if standing is not None and standing.state is ReceiptState.DONE:
            if (standing.tool, standing.args_sha256) == (request.tool, fingerprint(request.args)):
                return Answer(end=CallEnd.DONE, receipt=standing)
            raise _Next("")
        sent_or_not = standing is not None and standing.state is ReceiptState.ABOUT_TO
        known = request.tool == REPLY_TOOL and not sent_or_not and self._allowed(request)
        raise _Next(str(request.args["text"]) if known else "")

    def _allowed(self, request: Request) -> bool:
        call = Call(
            tenant=request.task.tenant,
            run_id=request.run.id,
            step=request.slot,
            tool=request.tool,
            args=request.args,
            sources=request.sources,
            at=self.clock.now(),
            calls_of_step=request.calls_of_step,
            calls_of_run=request.calls_of_run,
            approval_required=request.approval_required,
            by_model=request.by_model,
        )
        return isinstance(decide(call, request.labels, request.grant, self.toolbox.get(request.tool)), Allow)


class _Silent(ScriptedModel):
    """Says nothing that is not on record."""

    def __init__(self) -> None:
        super().__init__([ModelFailed("nobody", "is asked", code="unavailable")])


async def next_reply(caller: Caller, replies: Replies, work: Work) -> str:
    """The reply that the run would send next if it went on, empty where nobody knows it.

    It is known only where nothing else comes first: every call ahead of it has a receipt that says it is done, so
    the reply claims no effect that did not happen. Nothing is called and nothing is written.
    """
    parts = {each.name: getattr(caller, each.name) for each in fields(caller)}
    recorded = _OnRecord(**parts | {"on_event": lambda event: None})
    try:
        await Walk(recorded, replies, work, InlineRuntime(), lambda role: _Silent()).go()
    except _Next as found:
        return found.text
    except Stop:
        return ""
    return ""
