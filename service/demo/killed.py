"""``python -m service.demo.killed STATE MOMENT N [TICKET ...]``: a demo that kills itself at the N-th such moment.

SIGKILL leaves no time for anything: no cleanup, no flush, no goodbye. With ``-`` as MOMENT it runs undisturbed. Every
moment is printed as it happens.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from service.assembly import running
from service.demo.play import demo_state, invoice, let_settle, mark_finished, retail_example, work
from service.demo.script import Script
from service.progress import Moment


async def _main(folder: Path, moment: str, number: int, only: tuple[str, ...], *, browser: bool) -> None:
    seen = 0

    def watch(now: Moment) -> None:
        nonlocal seen
        print(now.name, now.ticket_id, flush=True)
        seen += now.name == moment
        if now.name == moment and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    state, _ = demo_state(folder)
    script = Script(retail_example(), only)
    async with running(state, browser=browser, progress=watch) as run:
        await work(run, script)
        await let_settle(run, script)
        invoice(run)
    mark_finished(state)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--no-browser"]
    asyncio.run(
        _main(
            Path(arguments[0]),
            arguments[1],
            int(arguments[2]),
            tuple(arguments[3:]),
            browser="--no-browser" not in sys.argv,
        )
    )
