"""``settle resume``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from agents.tools.browser import find_chromium
from service.assembly import running
from service.cli.books import StateOption
from service.cli.output import AsJson, print_json, say
from service.cli.progress import tell
from service.deployment import STATE, State, open_state
from service.errors import StateInUse
from service.progress import Progress, silent
from service.stopping import Switch

app = typer.Typer(add_completion=False)


@app.command()
def resume(state: StateOption = None, as_json: AsJson = False) -> None:
    """Lift the kill switch. A process that works on the state takes everything up within a second or two; without one,
    the held back jobs are worked on here and now.

    Exit code 0, also if nothing was stopped.
    """
    place = open_state(state if state is not None else Path.cwd() / STATE)
    lifted = Switch(place.folder).resume()
    try:
        taken_up = asyncio.run(_go_on(place, silent if as_json else tell))
        where = "here"
    except StateInUse:
        taken_up, where = None, "elsewhere"
    if as_json:
        print_json({"lifted": lifted, "taken_up": taken_up, "where": where})
        return
    say("The kill switch is lifted." if lifted else "The kill switch was not on.")
    say(f"Jobs taken up here: {taken_up}." if where == "here" else "The process at work takes up what was held back.")


async def _go_on(state: State, progress: Progress) -> int:
    async with running(state, browser=find_chromium() is not None, progress=progress) as run:
        taken_up = await run.desk.resume()
        await run.desk.idle()
        await run.settlement.settle_due()
        return taken_up
