"""``settle stop``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.books import StateOption, state_option
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, say
from service.cli.user import user
from service.clock import OffsetClock
from service.deployment import STATE, open_state
from service.stopping import Switch

app = typer.Typer(add_completion=False)


@app.command()
def stop(
    why: Annotated[str, typer.Option("--why", help="It is shown with everything until you resume.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who stops; the user's name if not named.")] = "",
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """Stop everything that goes out: effects, replies, changes in the helpdesk. At once, in every process.

    What a tool is doing at this moment comes to its end. Tickets that come in wait; nothing is lost. Stopping twice is
    stopping once, and the first reason stands. Exit code 0.
    """
    place = open_state(state if state is not None else Path.cwd() / STATE, orphaned=True)
    now = OffsetClock(place.folder / "clock").now()
    try:
        standing = Switch(place.folder).stop(by=by or user(), why=" ".join(why.split())[:500], at=now)
    except OSError as error:
        refuse(f"NOT STOPPED: {place.folder} cannot be written: {error.strerror}. Run it as the desk's user, or end it")
    if as_json:
        print_json(standing)
    else:
        say(f"STOPPED: {standing}.", f"Go on with: settle resume{state_option(place)}")
