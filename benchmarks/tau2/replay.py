"""One task through the real loop: a model that makes exactly these calls, and a person who lets exactly these pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agents.models import ScriptedModel
from agents.models.messages import ToolCall
from agents.models.scripted import call
from agents.policy.approval import ApprovalState
from agents.policy.grant import Autonomy
from agents.receipt import REPLY_TOOL
from agents.runtime import InlineRuntime
from agents.task import TaskState
from agents.testing import Workbench
from agents.testing.workbench import TICKET
from agents.work import Claimed, Ended
from benchmarks.tau2.shop import Record
from benchmarks.tau2.tasks import Action, Case
from benchmarks.tau2.tools import TOOLS, open_shop

PROCEDURE = Path(__file__).with_name("procedure.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it."""

    state: dict[tuple[str, str], Record]
    """The records that are other than before."""
    missing: tuple[Action, ...]
    """Calls that reached no tool: the policy refused them, or the run had ended."""
    end: str
    """``claimed``, or the code with which the run ended."""


async def replay(case: Case) -> Replayed:
    """Make the calls of ``case`` in one open step of an executor, one an answer, in a shop of their own."""
    shop, requester = open_shop(), case.requester()
    script = [*(_said(one, requester) for one in case.actions), call("finish", done=True)]
    bench = Workbench(TOOLS, procedure=PROCEDURE, replies={"done.en": "That is done."}, model=ScriptedModel(script))
    bench.helpdesk.open(TICKET, case.words, email=requester, tenant="acme")
    wanted, job = list(case.actions), 1
    while True:
        work = replace(bench.work(job=job), autonomy=Autonomy.COWORKER)
        end = await bench.executor().run(work, InlineRuntime())
        if not (isinstance(end, Ended) and end.state is TaskState.WAITING_APPROVAL):
            break
        (asked,) = [one for one in bench.journal.approvals.values() if one.state is ApprovalState.PENDING]
        if Action(tool=asked.tool, arguments=asked.args) in wanted:
            bench.approve()
        else:
            bench.reject()
        job += 1
    for receipt in bench.receipts:
        if receipt.tool != REPLY_TOOL:
            wanted.remove(Action(tool=receipt.tool, arguments=receipt.args))
    code = "claimed" if isinstance(end, Claimed) else getattr(end, "code", type(end).__name__)
    return Replayed(state=shop.state(), missing=tuple(wanted), end=code)


def _said(action: Action, requester: str) -> ToolCall:
    """The call as a model makes it: the procedure fills in the requester's own address, and no other one."""
    given = action.arguments
    own = {"email"} if given.get("email") == requester else set()
    return call(action.tool, **{name: value for name, value in given.items() if name not in own})
