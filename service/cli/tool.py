"""``settle tool accept``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agents.documents import nearest
from agents.tools.mcp import accept as keep
from agents.tools.mcp import accepted_tools, differences
from service.cli.books import DeploymentOption, WorkStateOption, state_to_work_on
from service.cli.commands import refuse
from service.cli.output import say
from service.declared_tools import server_of
from service.deployment import SETTINGS
from service.processes import Processes
from service.settings import load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def tool() -> None:
    """Tools that need no code: those of MCP servers."""


@app.command()
def accept(
    server: Annotated[str, typer.Argument(help="The MCP server: NAME in [tools.mcp.NAME] of settle.toml.")],
    yes: Annotated[bool, typer.Option("--yes", help="Accept without asking.")] = False,
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
) -> None:
    """Show what an MCP server says about its tools, and accept it for the deployment."""
    place = state_to_work_on(deployment, state)
    settings = load_settings(place.deployment / SETTINGS)
    declared = settings.tools.mcp.get(server)
    if declared is None:
        refuse(f"settle.toml has no [tools.mcp.{server}]; {nearest(server, settings.tools.mcp)}")
    try:
        standing = accepted_tools(place.deployment).get(server, {})
    except ValueError as error:
        refuse(f"mcp.lock.json {error}")
    secrets = place.secrets(settings)
    made = {name: secrets.get(name) for name in settings.secrets.generate}
    wanted = settings.process if "${process." in declared.model_dump_json() else ()
    with Processes(wanted, deployment=place.deployment, state=place.folder, secrets=secrets) as processes:
        processes.start(made)
        reached = server_of(
            server, declared, folder=place.deployment, state=place.folder, secrets=secrets, urls=processes.urls
        )
        from agents.tools.mcp_client import offered

        now = asyncio.run(offered(reached))
    changes = list(differences(standing, now))
    if not changes:
        say(f"{server} says what was accepted: {', '.join(sorted(now))}.")
        return
    say(f"{server} says about its tools:", *(f"  {change}" for change in changes))
    if not yes:
        typer.confirm("Do you accept this?", abort=True)
    keep(place.deployment, server, now)
    say(f"Accepted {', '.join(sorted(now))}; it stands in mcp.lock.json, which belongs into version control.")
