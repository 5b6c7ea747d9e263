"""``settle serve``."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

import typer

from service.assembly import running
from service.cli.books import DeploymentOption, WorkStateOption, state_to_work_on
from service.cli.commands import refuse
from service.cli.output import say, warn
from service.cli.progress import tell
from service.cli.run import NoBrowser, browser_found
from service.deployment import State
from service.helpdesks.webhooks import PATH, SIGNED, Doorbell, webhook_app
from service.serving import Service, listening

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
    no_browser: NoBrowser = False,
    since: Annotated[
        datetime | None,
        typer.Option(help="Take what changed since then (UTC); otherwise from where it stopped, or from now on."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address that webhooks are taken on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port for webhooks; 0 for any.")] = 8080,
) -> None:
    """Work on the tickets of the helpdesk that settle.toml names, until it is stopped.

    Webhooks are taken if the helpdesk section has a webhook_secret; looking every poll_seconds finds what they miss.
    """
    place = state_to_work_on(deployment, state)
    moment = since.replace(tzinfo=UTC) if since is not None else None
    browser = not no_browser and browser_found()
    asyncio.run(_serve(place, browser=browser, since=moment, host=host, port=port))


async def _serve(state: State, *, browser: bool, since: datetime | None, host: str, port: int) -> None:
    stop, doorbell = asyncio.Event(), Doorbell()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        run = await stack.enter_async_context(running(state, browser=browser, progress=tell))
        service = Service(run, doorbell=doorbell, progress=tell)
        begun = service.begin(since)
        if run.webhook_secret:
            try:
                hooks = webhook_app(run.webhook_secret, doorbell)
            except ValueError as error:
                refuse(f"settle.toml: [helpdesk] webhook_secret: {error}")
            taken = await stack.enter_async_context(listening(hooks, host, port))
            secret = "" if run.webhook_secret.startswith(SIGNED) else "/SECRET"
            say(f"Webhooks are taken at http://{host}:{taken}{PATH}{secret}")
        else:
            warn("No webhook_secret is set: what happens is seen when the helpdesk is looked at.")
        kind = run.deployment.settings.helpdesk.kind
        say(f"Working on {kind}, on what changed since {begun:%Y-%m-%d %H:%M:%S} UTC. Ctrl-C stops.")
        await service.until(stop)
    say("Stopped. The next `settle serve` goes on from here.")
