"""``settle tool new``, ``check``, ``try`` and ``accept``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agents.documents import nearest
from agents.errors import ToolFailed
from agents.tools import Tool
from agents.tools.mcp import accept as keep
from agents.tools.mcp import accepted_tools, differences
from service.assembly import rehearsing
from service.cli.books import DeploymentOption, WorkStateOption, state_to_work_on
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, print_table, say, short
from service.declared_tools import server_of
from service.deployment import SETTINGS
from service.processes import Processes
from service.settings import load_settings
from service.tool_checks import check_tools
from service.tool_trial import Trial, try_tool
from service.toolmaking import make_tool

app = typer.Typer(add_completion=False, no_args_is_help=True)


_COLUMNS = ("Tool", "Effect", "Sinks", "Records of", "Vouched for", "Lookup")


class EffectChoice(StrEnum):
    """What a new tool may do."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


@app.callback()
def tool() -> None:
    """Write a tool and its test, check the tools of a deployment, try one, accept those of MCP servers."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="FILE.FUNCTION, as procedures will call it: vouchers.find.")],
    effect: Annotated[
        EffectChoice, typer.Option("--effect", help="What it may do to the world; a write can be undone.")
    ] = EffectChoice.READ,
    folder: Annotated[Path, typer.Option("--deployment", help="The deployment folder.", show_default="here")] = Path(),
) -> None:
    """Write a tool that works, and a test of it that passes, into the deployment. Nothing is written over."""
    made = make_tool(folder, name, effect.value)
    say("Wrote " + ", ".join(str(path) for path in made.written) + ".")
    if made.to_add:
        say(f"Add to {SETTINGS}:", *(f"  {line}" for line in made.to_add.splitlines()))
    say("Next: pytest, then settle tool check.")


@app.command()
def check(
    place: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="A deployment folder, or one file of tools.", show_default="here")
    ] = Path(),
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List everything that is wrong with tools, with the line to add, and what each may do. Nothing is called.

    Exit code 0: all can be used; 1: some cannot, or there are warnings and --strict; 2: there is nothing to check.
    """
    found = check_tools(place)
    ok = not found.problems and not (strict and found.warnings)
    rows = [_declared(tool) for tool in found.tools]
    if as_json:
        print_json(
            {
                "ok": ok,
                "tools": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
                "problems": [asdict(one) for one in found.problems],
                "warnings": [asdict(one) for one in found.warnings],
            }
        )
    else:
        say(*(f"problem: {problem}" for problem in found.problems))
        say(*(f"warning: {warning}" for warning in found.warnings))
        print_table(_COLUMNS, rows, empty="There is no tool.")
        say(f"{len(rows)} tools, {len(found.problems)} problems, {len(found.warnings)} warnings.")
    if not ok:
        raise typer.Exit(1)


@app.command("try")
def try_(
    name: Annotated[str, typer.Argument(metavar="TOOL", help="FILE.FUNCTION")],
    arg: Annotated[
        list[str] | None, typer.Option("--arg", metavar="NAME=VALUE", help="An argument; JSON where it is no text.")
    ] = None,
    requester: Annotated[str, typer.Option("--requester", metavar="EMAIL", help="The customer it is called for.")] = "",
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Of a tool with an effect, make the answer up: it is never called.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether it gets a browser.")] = True,
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
    as_json: AsJson = False,
) -> None:
    """Call a tool that reads, for real, with the deployment's settings; show who vouches for what, and who may be told.

    Exit code 1: it was called and failed.
    """
    given = dict(_named_value(one) for one in arg or ())

    async def tried() -> Trial:
        async with rehearsing(state_to_work_on(deployment, state), browser=browser) as rehearsal:
            return await try_tool(rehearsal, name, given, requester=requester, rehearse=rehearse)

    try:
        trial = asyncio.run(tried())
    except ToolFailed as error:
        typer.echo(f"{name} failed: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        print_json(
            {
                "tool": name,
                "effect": trial.tool.effect.value,
                "made_up": trial.made_up,
                "args": trial.args,
                "answer": [asdict(one) for one in trial.fields],
                "evidence": trial.evidence,
            }
        )
        return
    called = "was not called; this is what a rehearsal makes up" if trial.made_up else "was called"
    say(f"{name} {called}, with {short(trial.args)}.")
    rows = [(one.path, short(one.value), one.vouched_by, one.told) for one in trial.fields]
    print_table(("Answer", "Value", "Vouched for by", "May be told"), rows, empty="It answered with nothing.")
    say(*(f"evidence: {one}" for one in trial.evidence))


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


def _declared(tool: Tool) -> tuple[str, ...]:
    """A tool's declared policy, one row."""
    vouched = (f"{'.'.join(path) or 'all'}: {level.name.lower()}" for path, level in tool.outputs.items())
    return (
        tool.name,
        tool.effect.value,
        ", ".join(sorted(tool.sinks)),
        tool.owned_by or "",
        ", ".join(vouched) or "nobody",
        "yes" if tool.lookup is not None else "",
    )


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--arg")
    return name, value
