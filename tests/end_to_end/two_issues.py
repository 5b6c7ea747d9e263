"""``python -m tests.end_to_end.two_issues STATE MOMENT N``: one ticket with two issues, killed at the N-th moment.

The first issue needs a person's approval, the second has to be refused; there is one final reply.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from agents import tables
from agents.policy.approval import ApprovalState
from agents.ticket import Requester
from service.assembly import running
from service.demo.play import demo_state, invoice, let_settle, mark_finished, retail_example, work
from service.demo.script import Script
from service.helpdesks.embedded import NewTicket
from service.progress import Moment

MARGARET = Requester(email="margaret.oneill@example.com", name="Margaret O'Neill")
WORDS = (
    "The lid of the casserole from order 11862 arrived broken, please refund me. "
    "One of the cushions from order 11105 was damaged too, I want my money back."
)


async def _main(folder: Path, moment: str, number: int) -> None:
    seen = 0

    def watch(now: Moment) -> None:
        nonlocal seen
        sys.stdout.write(f"{now.name} {now.ticket_id}\n")
        sys.stdout.flush()
        seen += now.name == moment
        if now.name == moment and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    state, _ = demo_state(folder)
    script = Script(retail_example(), only=("none",))
    script.tickets.append(NewTicket(id="T-1", requester=MARGARET, subject="Trouble", messages=[WORDS]))
    async with running(state, browser=False, progress=watch) as run:
        await work(run, script)
        with run.database.transaction() as session:
            pending = tables.approvals(session, run.deployment.settings.tenant, ApprovalState.PENDING)
        for approval in pending:
            await run.desk.answer_approval(approval.id, approved=True, by="lead")
        await run.desk.idle()
        await let_settle(run, script)
        invoice(run)
    mark_finished(state)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
